/**
 * The storm of a soak, as data: who broadcasts when, and what goes wrong when. A pure function of its seed, so that a
 * storm that found something comes again.
 */
import type { GapCause } from '../../src/model/causes.ts';
import type { ApiRuleInput } from '../../src/sandbox/api-rules.ts';
import type { FaultInput } from '../../src/sandbox/faults.ts';
import type { ScenarioInput } from '../../src/sandbox/scenario.ts';
import { pick, randomFrom, span } from '../support/random.ts';
import { mediaTrouble } from './media-troubles.ts';
import { DISK_TROUBLES, type DiskTrouble } from './spool-disk.ts';
import { STORE_TROUBLES, type StoreTrouble } from './troubled-store.ts';

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
  /** Has a wall clock of its own, which the storm sets. */
  ownClock: boolean;
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
  | { kind: 'clock'; handle: string; aheadMs: number }
  | { kind: 'store'; how: StoreTrouble; forMs: number }
  | { kind: 'disk'; how: DiskTrouble; forMs: number }
);

/** So far a clock is set from the right time: big steps would hide what is accounted for. */
export const CLOCK_OFF_MS = 1_500;

/** Broadcasts begin behind this, when every recorder has looked once. */
const FIRST_LIVE_MS = 3_000;
/** The last ones end so long before the storm does. */
const CALM_MS = 3_000;

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
    const [steady, ownClock] = [i % 4 === 0, i % 4 === 1];
    return { handle: `creator${i + 1}`, scenario: { variants }, engine, steady, ownClock };
  });
  const own = cast.flatMap((creator, i) => actionsOf(creator, randomFrom(seed * 1_000 + i), durationMs));
  const shared = [
    ...storeTroubles(randomFrom(seed * 1_000 + 999), durationMs),
    ...diskTroubles(randomFrom(seed * 1_000 + 998), durationMs),
  ];
  const actions = [...own, ...shared].sort((a, b) => a.atMs - b.atMs);
  return { seed, durationMs, creators: cast, actions };
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
  const { handle, steady, ownClock, scenario } = creator;
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
  if (dice < 0.42 && ownClock) {
    return { kind: 'clock', handle, aheadMs: span(random, -CLOCK_OFF_MS, CLOCK_OFF_MS) };
  }
  return { kind: 'media', handle, ...mediaTrouble(scenario.variants?.[0]?.media ?? 'small', random) };
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

function storeTroubles(random: () => number, durationMs: number): StormAction[] {
  const actions: StormAction[] = [];
  for (let atMs = span(random, 8_000, 30_000); ; atMs += span(random, 25_000, 70_000)) {
    const forMs = span(random, 4_000, 25_000);
    if (atMs + forMs > durationMs - CALM_MS) return actions;
    actions.push({ kind: 'store', how: pick(random, STORE_TROUBLES), forMs, atMs });
  }
}

function diskTroubles(random: () => number, durationMs: number): StormAction[] {
  const actions: StormAction[] = [];
  for (let atMs = span(random, 15_000, 35_000); ;) {
    const forMs = span(random, 4_000, 12_000);
    if (atMs + forMs > durationMs - CALM_MS) return actions;
    actions.push({ kind: 'disk', how: pick(random, DISK_TROUBLES), forMs, atMs });
    // Behind it there is time in which all is well.
    atMs += forMs + span(random, 20_000, 60_000);
  }
}

/** `kill both`, `media stall`. */
export function kindOf(action: StormAction): string {
  switch (action.kind) {
    case 'media':
      return `media ${action.fault.type}`;
    case 'api':
      return `api ${action.answer.type}`;
    case 'kill':
      return `kill ${action.victim}`;
    case 'store':
    case 'disk':
      return `${action.kind} ${action.how}`;
    default:
      return action.kind;
  }
}

export const nameOf = (action: StormAction): string =>
  'handle' in action ? `${kindOf(action)} ${action.handle}` : kindOf(action);
