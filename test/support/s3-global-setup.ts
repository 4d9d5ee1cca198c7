/**
 * The real S3 servers of a test run. Each is started when the first test asks for it and ended with the run, however
 * that ends: the script that holds it ends it when our end of its standard input is gone. Tests ask over HTTP and get
 * their answer when the server is up (see s3-servers.ts), so that no other test waits for it.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';

declare module 'vitest' {
  interface ProvidedContext {
    /** `GET /radosgw` and `GET /swift` answer with the server's facts as JSON, or 503 and why there is none. */
    s3Servers: string;
  }
}

const SCRIPTS = { radosgw: 's3-server.sh', swift: 'swift-server.sh' } as const;

export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const children: ChildProcess[] = [];
  const started = new Map<string, Promise<string>>();

  const front = createServer((request, response) => {
    const script = Object.entries(SCRIPTS).find(([name]) => request.url === `/${name}`)?.[1];
    if (script === undefined) return void response.writeHead(404).end();
    const facts = started.get(script) ?? startServer(script, children);
    started.set(script, facts);
    facts.then(
      (json) => response.end(json),
      (error: Error) => response.writeHead(503).end(error.message),
    );
  });
  front.listen(0, '127.0.0.1');
  await once(front, 'listening');
  project.provide('s3Servers', `http://127.0.0.1:${(front.address() as AddressInfo).port}`);

  return async () => {
    front.closeAllConnections();
    front.close();
    await Promise.all(children.map(end));
  };
}

async function startServer(script: string, children: ChildProcess[]): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'livestow-test-'));
  const child = spawn(join(import.meta.dirname, '../../scripts', script), ['run', folder], {
    stdio: ['pipe', 'pipe', 'pipe'],
    // A Ctrl-C at the terminal is for us; the script hears of it by our end of its input.
    detached: true,
  });
  children.push(child);
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
  let facts = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (facts += text));
  await once(child.stdout, 'close');
  if (facts === '') throw new Error(`${script} did not start:\n${said}`);
  return facts;
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.stdin?.end();
  await exited;
}
