/**
 * The storm of a soak, as data: who broadcasts when, and what goes wrong when. A pure function of its seed, so that a
 * storm that found something comes again.
 */
import type { GapCause } from '../../src/model/causes.ts';
import type { ApiRuleInput } from '../../src/sandbox/api-rules.ts';
import type { FaultInput } from '../../src/sandbox/faults.ts';
import type { ScenarioInput } from '../../src/sandbox/scenario.ts';
import { randomFrom } from '../support/random.ts';

export interface StormPlan {
  seed: number;
  durationMs: number;
  creators: StormCreator[];
  /** In order of time. */
  actions: StormAction[];
}

export interface StormCreator {
  handle: string;
  scenario: NonNullable<ScenarioInput['creators']>[string];
  engine: 'auto' | 'builtin';
  /** Never stopped, killed or frozen: its process shows whether anything leaks. */
  steady: boolean;
}

/** `atMs` since the storm began. */
export type StormAction = { atMs: number } & (
  | { kind: 'live'; handle: string }
  | { kind: 'end'; handle: string; media: 'close' | 'drop' | 'silence' }
  | { kind: 'media'; handle: string; fault: FaultInput; causes: readonly GapCause[]; lastsMs: number }
  | { kind: 'api'; handle: string; forMs: number; answer: NonNullable<ApiRuleInput['answer']> }
  | { kind: 'kill'; handle: string; victim: 'livestow' | 'ffmpeg' | 'both'; downMs: number }
  | { kind: 'drain'; handle: string; downMs: number }
  | { kind: 'freeze'; handle: string; forMs: number }
  | { kind: 'store'; how: StoreTrouble; forMs: number }
);

/** What the link to the store does: it cuts connections, carries nothing, or turns over a bit of what is sent. */
const STORE_TROUBLES = ['reset', 'stall', 'flip'] as const;
export type StoreTrouble = (typeof STORE_TROUBLES)[number];

/** Broadcasts begin behind this, when every recorder has looked once. */
const FIRST_LIVE_MS = 3_000;
/** The last ones end so long before the storm does. */
const CALM_MS = 3_000;

const span = (random: () => number, least: number, most: number): number =>
  Math.round(least + random() * (most - least));
const pick = <T>(random: () => number, from: readonly T[]): T => from[Math.floor(random() * from.length)]!;

type Variants = NonNullable<StormCreator['scenario']['variants']>;
const small = (about: Partial<Variants[number]> = {}): Variants[number] => ({ media: 'small', ...about });

/** What each creator streams, in turn: every protocol, codec and engine, alone and beside others. */
const OFFERS: readonly { variants: Variants; engine: StormCreator['engine'] }[] = [
  { variants: [small()], engine: 'auto' },
  {
    variants: [{ media: 'small-landscape', qualityKey: 'origin' }, small({ qualityKey: 'hd' })],
    engine: 'auto',
  },
  { variants: [{ media: 'hevc', source: 'hevc' }], engine: 'auto' },
  { variants: [small({ protocols: ['hls'] })], engine: 'auto' },
  { variants: [small()], engine: 'builtin' },
  { variants: [small({ protocols: ['flv', 'hls'] })], engine: 'auto' },
  { variants: [{ media: 'hevc', source: 'hevc', flvForm: 'enhanced' }], engine: 'builtin' },
  {
    variants: [
      small({ qualityKey: 'origin' }),
      { media: 'small-landscape', qualityKey: 'sd', protocols: ['hls'] },
    ],
    engine: 'auto',
  },
];

export function planStorm(seed: number, creators: number, durationMs: number): StormPlan {
  const cast = Array.from({ length: creators }, (_, i): StormCreator => {
    const { variants, engine } = OFFERS[i % OFFERS.length]!;
    return { handle: `creator${i + 1}`, scenario: { variants }, engine, steady: i % 4 === 0 };
  });
  const own = cast.flatMap((creator, i) => actionsOf(creator, randomFrom(seed * 1_000 + i), durationMs));
  const actions = [...own, ...storeTroubles(randomFrom(seed * 1_000 + 999), durationMs)];
  return { seed, durationMs, creators: cast, actions: actions.sort((a, b) => a.atMs - b.atMs) };
}

function actionsOf(creator: StormCreator, random: () => number, durationMs: number): StormAction[] {
  const { handle } = creator;
  const actions: StormAction[] = [];
  let atMs = FIRST_LIVE_MS + span(random, 0, 4_000);
  for (;;) {
    const endMs = Math.min(atMs + span(random, 30_000, 120_000), durationMs - CALM_MS);
    if (endMs - atMs < 20_000) return actions;
    actions.push({ kind: 'live', handle, atMs });
    for (let at = atMs + span(random, 4_000, 10_000); at < endMs - 2_000; at += span(random, 3_000, 14_000)) {
      actions.push({ ...trouble(creator, random), atMs: at });
    }
    actions.push({
      kind: 'end',
      handle,
      media: pick(random, ['close', 'close', 'drop', 'silence']),
      atMs: endMs,
    });
    atMs = endMs + span(random, 3_000, 25_000);
  }
}

type Trouble = StormAction extends infer Each
  ? Each extends { atMs: number }
    ? Omit<Each, 'atMs'>
    : never
  : never;

function trouble(creator: StormCreator, random: () => number): Trouble {
  const { handle, steady } = creator;
  const dice = random();
  if (dice < 0.1) {
    return { kind: 'api', handle, forMs: span(random, 3_000, 20_000), answer: pick(random, API_TROUBLES) };
  }
  if (dice < 0.32 && !steady) {
    const downMs = pick(random, [0, 0, span(random, 500, 6_000)]);
    const kind = pick(random, ['kill', 'kill', 'drain', 'freeze'] as const);
    if (kind === 'kill') {
      return { kind, handle, victim: pick(random, ['livestow', 'ffmpeg', 'both']), downMs };
    }
    if (kind === 'drain') return { kind, handle, downMs };
    return { kind, handle, forMs: span(random, 500, 9_000) };
  }
  return { kind: 'media', handle, ...mediaTrouble(creator, random) };
}

const API_TROUBLES: readonly NonNullable<ApiRuleInput['answer']>[] = [
  { type: 'error', code: 'internal_error' },
  { type: 'error', code: 'lookup_failed' },
  { type: 'error', code: 'temporarily_unavailable', retryAfter: 2 },
  { type: 'error', code: 'rate_limited', status: 429, retryAfter: 3 },
  { type: 'html' },
  { type: 'malformed' },
  { type: 'truncated' },
  { type: 'reset' },
  { type: 'hang' },
  { type: 'extra-fields' },
];

interface MediaTrouble {
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
/** To find out, and for the next connection or playlist to bring media. */
const RECOVERY_MS = 20_000;

function mediaTrouble({ scenario }: StormCreator, random: () => number): MediaTrouble {
  const media = scenario.variants?.[0]?.media ?? 'small';
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
    () =>
      harmless({ type: 'replay', gops: span(random, 1, 2), timestamps: pick(random, ['same', 'onward']) }),
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

function storeTroubles(random: () => number, durationMs: number): StormAction[] {
  const actions: StormAction[] = [];
  for (let atMs = span(random, 8_000, 30_000); ; atMs += span(random, 25_000, 70_000)) {
    const forMs = span(random, 4_000, 25_000);
    if (atMs + forMs > durationMs - CALM_MS) return actions;
    actions.push({ kind: 'store', how: pick(random, STORE_TROUBLES), forMs, atMs });
  }
}
