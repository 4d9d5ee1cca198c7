/**
 * A flood of gaps as one message. The first gap is told at once; what comes within the minute after it is summed up and
 * told at its end, or before the session that it is in is told to be over.
 */
import { z } from 'zod';
import type { Clock } from '../kernel/clock.ts';
import { gapCauseSchema } from '../model/causes.ts';
import type { LivestowEvent } from '../model/event.ts';

const WINDOW_MS = 60_000;

const at = z.iso.datetime();

/** One for each session; each single gap is in the session's manifest. */
export const gapDigestSchema = z.object({
  type: z.literal('gaps'),
  at: at.describe('When the last of them was noted.'),
  gaps: z.int(),
  ms: z.int().describe('Of all sessions together.'),
  causes: z.partialRecord(gapCauseSchema, z.int()).describe('How many gaps of each cause.'),
  sessions: z.array(
    z.object({ handle: z.string(), session: z.string(), gaps: z.int(), ms: z.int(), from: at, to: at }),
  ),
});
export type GapDigest = z.infer<typeof gapDigestSchema>;
export type GapEvent = Extract<LivestowEvent, { type: 'gap' }>;

/** What a webhook is told at once. */
export type Notice = LivestowEvent | GapDigest;

function add(digest: GapDigest, gap: GapEvent): void {
  const { handle, session, ms, from, to, cause } = gap;
  digest.at = gap.at;
  digest.gaps += 1;
  digest.ms += ms;
  digest.causes[cause] = (digest.causes[cause] ?? 0) + 1;
  const of = digest.sessions.find((other) => other.session === session && other.handle === handle);
  if (of === undefined) {
    digest.sessions.push({ handle, session, gaps: 1, ms, from, to });
  } else {
    of.gaps += 1;
    of.ms += ms;
    // ISO 8601 in UTC sorts as text.
    if (from < of.from) of.from = from;
    if (to > of.to) of.to = to;
  }
}

export class GapDigester {
  readonly #clock: Clock;
  readonly #tell: (notice: Notice) => void;
  #held: { first: GapEvent; digest: GapDigest } | undefined;
  #endWindow: (() => void) | undefined;

  constructor(clock: Clock, tell: (notice: Notice) => void) {
    this.#clock = clock;
    this.#tell = tell;
  }

  add(gap: GapEvent): void {
    if (this.#endWindow === undefined) {
      this.#tell(gap);
      this.#openWindow();
      return;
    }
    this.#held ??= {
      first: gap,
      digest: { type: 'gaps', at: gap.at, gaps: 0, ms: 0, causes: {}, sessions: [] },
    };
    add(this.#held.digest, gap);
  }

  /** Tells what is held of a session, and the rest with it. */
  release(session: string): void {
    if (this.#held?.digest.sessions.some((other) => other.session === session)) this.#flush();
  }

  close(): void {
    this.#endWindow?.();
    this.#endWindow = undefined;
    this.#flush();
  }

  #openWindow(): void {
    this.#endWindow = this.#clock.after(WINDOW_MS, () => {
      this.#endWindow = undefined;
      if (this.#flush()) this.#openWindow();
    });
  }

  #flush(): boolean {
    const held = this.#held;
    if (held === undefined) return false;
    this.#held = undefined;
    this.#tell(held.digest.gaps === 1 ? held.first : held.digest);
    return true;
  }
}
