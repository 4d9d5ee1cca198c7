/** What goes wrong with a stream, and which gaps that explains. */
import type { GapCause } from '../../src/model/causes.ts';
import type { FaultInput } from '../../src/sandbox/faults.ts';
import { GOP_MS } from '../../src/sandbox/media/grid.ts';
import { pick, span } from '../support/random.ts';

export interface MediaTrouble {
  fault: FaultInput;
  /** Why media may be missing because of it. */
  causes: readonly GapCause[];
  /** How long it may go on to cost media. */
  lastsMs: number;
}

/** A connection that is no use any more, whichever way that is found out. */
const BROKEN: readonly GapCause[] = [
  'stall',
  'connection-lost',
  'refused',
  'not-media',
  'no-media',
  'found-late',
];
/** Of the playlist, the segments that went by meanwhile. */
const SKIPPED: readonly GapCause[] = [...BROKEN, 'source-skip', 'segment-missing'];
const NOTHING: readonly GapCause[] = [];
/** What the CDN sends again may lie before all that is known, or in a gap: then the rest of its GOP is given up. */
const SENT_AGAIN: readonly GapCause[] = ['source-skip'];
/** To find out, and for the next connection or playlist to bring media. */
const RECOVERY_MS = 20_000;

/** @param media what is streamed in the best variant */
export function mediaTrouble(media: string, random: () => number): MediaTrouble {
  const forMs = span(random, 2_000, 9_000);
  const breaking = (fault: FaultInput, lastsMs = 0): MediaTrouble => ({
    fault,
    causes: SKIPPED,
    lastsMs: lastsMs + RECOVERY_MS,
  });
  const harmless = (fault: FaultInput): MediaTrouble => ({ fault, causes: NOTHING, lastsMs: 0 });
  const makes: readonly (() => MediaTrouble)[] = [
    () => breaking({ type: 'drop', reset: random() < 0.5 }),
    () => breaking({ type: 'close' }),
    () =>
      breaking(
        { type: 'stall', forMs, afterwards: pick(random, ['resume', 'catch-up', 'drop', 'close']) },
        forMs,
      ),
    () => breaking({ type: 'stall', forMs, scope: 'source', afterwards: 'resume' }, forMs),
    () => breaking({ type: 'refuse', forMs, status: pick(random, [403, 404, 500, 503]) }, forMs),
    () => breaking({ type: 'html', forMs }, forMs),
    () => breaking({ type: 'no-media', forMs, how: pick(random, ['empty', 'headers', 'no-streams']) }, forMs),
    () =>
      breaking({
        type: 'join',
        forMs: 20_000,
        gops: span(random, 1, 3),
        timestamps: pick(random, ['same', 'restart']),
      }),
    () => breaking({ type: 'expire', cut: random() < 0.5 }),
    () => breaking({ type: 'offline', forMs, media: pick(random, ['goes-on', 'stops']) }, forMs),
    () => breaking({ type: 'loop', gops: 1, forMs }, forMs),
    () => breaking({ type: 'jump', byMs: pick(random, [3_600_000, -5_000, 900, 60_000]) }),
    () => breaking({ type: 'reset' }),
    () => breaking({ type: 'hls-frozen', forMs }, forMs),
    () => breaking({ type: 'hls-missing', forMs: 2_000 }, 2_000),
    () => breaking({ type: 'room', media: pick(random, ['goes-on', 'breaks']) }),
    () => ({
      fault: { type: 'replay', gops: span(random, 1, 2), timestamps: pick(random, ['same', 'onward']) },
      causes: SENT_AGAIN,
      lastsMs: GOP_MS,
    }),
    () => harmless({ type: 'repeat-headers', forMs }),
    () => harmless({ type: 'late-audio-header', byMs: 500, frames: 'sent', forMs: 10_000 }),
    ...(media === 'small'
      ? [
          () =>
            harmless({
              type: 'media',
              media: pick(random, ['small', 'small-landscape']),
              replaces: 'small',
            } as const),
        ]
      : []),
  ];
  return pick(random, makes)();
}
