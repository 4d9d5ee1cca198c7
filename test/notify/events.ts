/** One event of each kind, as a daemon would tell it, and a receiver of webhooks that answers by a script. */
import type { IncomingHttpHeaders } from 'node:http';
import type { LivestowEvent } from '../../src/model/event.ts';
import { webhookSchema, type Webhook } from '../../src/notify/webhook-config.ts';
import { serve, type Running } from '../net/servers.ts';

const AT = '2026-11-22T10:00:00.000Z';
const base = { id: 7, at: AT };
const of = { handle: 'alice', session: 's1' };

type EventOf<T extends LivestowEvent['type']> = Extract<LivestowEvent, { type: T }>;

export const EVENTS: { [T in LivestowEvent['type']]: EventOf<T> } = {
  live: { ...base, type: 'live', handle: 'alice', roomId: '7301', title: 'Cooking', viewers: 123 },
  recording: { ...base, type: 'recording', ...of },
  gap: { ...base, type: 'gap', ...of, from: AT, to: '2026-11-22T10:00:12.000Z', ms: 12_000, cause: 'stall' },
  ended: { ...base, type: 'ended', ...of, cause: 'room-ended' },
  sealed: { ...base, type: 'sealed', ...of, recordedMs: 3_723_000, gaps: 2, coverage: 0.9999, bytes: 1.5e9 },
  failed: {
    ...base,
    type: 'failed',
    handle: null,
    code: 'STORE_DENIED',
    message: 'no',
    hint: 'check the key',
  },
  credits: { ...base, type: 'credits', level: 'low', spentToday: 900, perDay: 1_000 },
  disk: { ...base, type: 'disk', level: 'out', freeBytes: 5e8 },
  config: { ...base, type: 'config', outcome: 'refused', message: 'livestow.yaml:3: no' },
  job: {
    ...base,
    type: 'job',
    job: 'verify',
    kind: 'verify',
    outcome: 'failed',
    message: '1 object is gone',
  },
  digest: {
    ...base,
    type: 'digest',
    job: 'news',
    from: '2026-11-21T10:00:00.000Z',
    to: AT,
    sessions: 12,
    creators: 1,
    recordedMs: 3_723_000,
    liveMs: 3_724_000,
    bytes: 1.5e9,
    gaps: [{ cause: 'stall', count: 2, ms: 1_000 }],
    credits: 80,
    failures: [{ code: 'STORE_UNAVAILABLE', count: 3 }],
    jobs: [{ job: 'nightly', outcome: 'partly', count: 1 }],
  },
};

export const live = (title: string | null, handle = 'alice'): LivestowEvent => ({
  ...EVENTS.live,
  title,
  handle,
});

export const gap = (session: string, ms: number, more: Partial<EventOf<'gap'>> = {}): LivestowEvent => ({
  ...EVENTS.gap,
  session,
  ms,
  ...more,
});

export const webhook = (given: Record<string, unknown>): Webhook => webhookSchema.parse(given);

export interface Received {
  path: string;
  headers: IncomingHttpHeaders;
  body: string;
}

/** What it answers: a status, with headers perhaps, or nothing at all. */
export type Reply =
  | number
  | { status: number; headers: Record<string, string>; body?: string }
  | 'hang'
  | 'reset';

export interface Receiver extends Running {
  received: Received[];
  /** Resolves when so many requests have come. */
  until(count: number): Promise<Received[]>;
}

/** Answers by the script, and 204 where that ends. */
export async function receiver(...script: Reply[]): Promise<Receiver> {
  const received: Received[] = [];
  let tell = (): void => {};
  const server = await serve((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      received.push({
        path: request.url ?? '',
        headers: request.headers,
        body: Buffer.concat(chunks).toString(),
      });
      const reply = script.shift() ?? 204;
      if (reply === 'reset') request.socket.destroy();
      else if (typeof reply === 'number') response.writeHead(reply).end();
      else if (reply !== 'hang') response.writeHead(reply.status, reply.headers).end(reply.body);
      tell();
    });
  });
  const until = async (count: number): Promise<Received[]> => {
    while (received.length < count) {
      await new Promise<void>((resolve) => {
        tell = resolve;
      });
    }
    return received;
  };
  return { ...server, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](), received, until };
}
