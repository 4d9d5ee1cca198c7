/**
 * Links to one session for people without a token: which session, until when, signed with a key made of the admins' token.
 * Nothing is remembered: another token ends them all, and so does their time.
 */
import { z } from 'zod';
import type { SessionRef } from '../archive/session-reader.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Secret } from '../kernel/secret.ts';
import { isSessionId } from '../layout/keys.ts';
import { parseHandle } from '../model/handle.ts';
import { isSame, keyFor, sign } from '../web/access.ts';

export const SHARED_FOR_DAYS = [1, 7, 30, 365] as const;
const DAY_MS = 24 * 3_600_000;

const codeSchema = z.object({
  s: z.string().refine(isSessionId),
  h: z.string().refine((handle) => parseHandle(handle) === handle),
  until: z.number(),
});

export class ShareLinks {
  readonly #key: Buffer;
  readonly #clock: Clock;

  constructor(token: Secret, clock: Clock) {
    this.#key = keyFor(token, 'livestow share links');
    this.#clock = clock;
  }

  /** The path of a link. */
  pathTo({ handle, session }: SessionRef, days: number): { path: string; untilMs: number } {
    const untilMs = this.#clock.now() + days * DAY_MS;
    const about = Buffer.from(JSON.stringify({ s: session, h: handle, until: untilMs })).toString(
      'base64url',
    );
    return { path: `/share/${about}.${sign(this.#key, about)}/`, untilMs };
  }

  /** Undefined: it is none of ours, or its time is over. */
  read(code: string): SessionRef | undefined {
    const [, about = '', signature = ''] = /^([\w-]{1,400})\.([\w-]{43})$/.exec(code) ?? [];
    if (!isSame(signature, sign(this.#key, about))) return undefined;
    const {
      s: session,
      h: handle,
      until,
    } = codeSchema.parse(JSON.parse(Buffer.from(about, 'base64url').toString()));
    return until > this.#clock.now() ? { handle, session } : undefined;
  }
}
