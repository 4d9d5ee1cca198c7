/**
 * The sandbox by HTTP, for other processes and for people with curl:
 * `GET /_sandbox/state`, `GET /_sandbox/events`, `GET /_sandbox/truth/<handle>`, and with a JSON body
 * `POST /_sandbox/inject` {handle, fault}, `/_sandbox/live` {handle}, `/_sandbox/end` {handle, media?},
 * `/_sandbox/answer` (a rule of the lookup API), `/_sandbox/scenario` (a scenario).
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { json } from 'node:stream/consumers';
import { z } from 'zod';
import { messageOf } from '../kernel/errors.ts';
import { apiRuleSchema } from './api-rules.ts';
import { faultSchema } from './faults.ts';
import type { Sandbox } from './sandbox.ts';
import { scenarioSchema } from './scenario.ts';

const handleSchema = z.string().min(1);
const commands: Record<string, (sandbox: Sandbox, body: unknown) => Promise<void> | void> = {
  inject: (sandbox, body) => {
    const { handle, fault } = z.strictObject({ handle: handleSchema, fault: faultSchema }).parse(body);
    return sandbox.inject(handle, fault);
  },
  live: (sandbox, body) => sandbox.goLive(z.strictObject({ handle: handleSchema }).parse(body).handle),
  end: (sandbox, body) => {
    const media = z.enum(['close', 'drop', 'silence']).default('close');
    const end = z.strictObject({ handle: handleSchema, media }).parse(body);
    sandbox.end(end.handle, end.media);
  },
  answer: (sandbox, body) => sandbox.answer(apiRuleSchema.parse(body)),
  scenario: (sandbox, body) => sandbox.setScenario(scenarioSchema.parse(body)),
};

/** False when the path is not of the sandbox's own. */
export async function serveControl(
  sandbox: Sandbox,
  request: IncomingMessage,
  response: ServerResponse,
  url: URL,
): Promise<boolean> {
  const [, name, argument] = /^\/_sandbox\/([a-z]+)(?:\/(.+))?$/.exec(url.pathname) ?? [];
  if (name === undefined) {
    return false;
  }
  try {
    const command = commands[name];
    if (request.method === 'POST' && command) {
      await command(sandbox, await json(request));
      answer(response, 200, { ok: true });
    } else if (request.method === 'GET' && name === 'state') {
      answer(response, 200, sandbox.state());
    } else if (request.method === 'GET' && name === 'events') {
      answer(response, 200, sandbox.events);
    } else if (request.method === 'GET' && name === 'truth' && argument !== undefined) {
      answer(response, 200, sandbox.truth(decodeURIComponent(argument)));
    } else {
      answer(response, 404, { error: 'no such command' });
    }
  } catch (error) {
    answer(response, 400, { error: messageOf(error) });
  }
  return true;
}

function answer(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(`${JSON.stringify(body)}\n`);
}
