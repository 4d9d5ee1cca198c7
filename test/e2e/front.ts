/**
 * What stands between livestow and the sandbox, and may change what passes: answers of the lookup API, playlists, and any
 * request it wants to answer itself. Addresses that the sandbox hands out lead here.
 */
import { once } from 'node:events';
import { createServer, request as requestOf, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

/** An answered look, as the API documents it, as far as it is changed here. */
export interface LookBody {
  data: {
    profile: Record<string, unknown> | null;
    live: (Record<string, unknown> & { streams: Record<string, unknown>[] }) | null;
  };
}

export interface FrontRules {
  /** Answers the request itself when it returns true. */
  answer?: (request: IncomingMessage, response: ServerResponse) => boolean;
  /** Changes an answered look; `n` counts looks from 1. */
  look?: (body: LookBody, n: number) => void;
  /** Changes a playlist. */
  playlist?: (playlist: string) => string;
}

export interface Front extends AsyncDisposable {
  url: string;
  /** Paths and queries, in order. */
  asked: string[];
}

const LOOK = /^\/v1\/.*\/live$/;

export async function startFront(sandboxUrl: string, rules: FrontRules): Promise<Front> {
  let looks = 0;
  const forward = (request: IncomingMessage, response: ServerResponse): void => {
    const path = (request.url ?? '').split('?')[0] ?? '';
    const isLook = LOOK.test(path);
    const onward = requestOf(new URL(request.url ?? '', sandboxUrl), {
      method: request.method,
      headers: request.headers,
    });
    onward.on('error', () => response.destroy());
    response.once('close', () => onward.destroy());
    onward.once('response', (answer) => {
      const { statusCode = 502, headers } = answer;
      answer.on('error', () => response.destroy());
      if (statusCode !== 200 || !(isLook || path.endsWith('.m3u8'))) {
        response.writeHead(statusCode, headers);
        answer.pipe(response);
        // A connection that broke there breaks here.
        answer.once('close', () => void (answer.complete || response.destroy()));
        return;
      }
      const { 'content-length': _, ...rest } = headers;
      void text(answer)
        .then((body) => (isLook ? changedLook(body) : (rules.playlist?.(body) ?? body)))
        .then(
          (body) => response.writeHead(statusCode, rest).end(body),
          () => response.destroy(),
        );
    });
    onward.end();
  };
  const changedLook = (text: string): string => {
    const body = JSON.parse(text) as LookBody;
    looks += 1;
    rules.look?.(body, looks);
    return JSON.stringify(body);
  };

  const front = { url: '', asked: [] as string[] };
  const server = createServer((request, response) => {
    response.on('error', () => {});
    front.asked.push(request.url ?? '');
    if (rules.answer?.(request, response) !== true) forward(request, response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return Object.assign(front, {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  });
}
