/**
 * Watches without an API and without waiting: creators with known broadcasts, a cadence each, and a clock that jumps from
 * look to look. It keeps to what the watcher does: a look that finds a broadcast is followed by none of the watch until the
 * broadcast ends, and its end is seen by the recording.
 */
import type { Cadence } from '../../src/watch/cadence.ts';

/** In whole milliseconds, as all time here: a wait that is lost in rounding would never end. */
export interface Broadcast {
  startMs: number;
  endMs: number;
}

export interface SimulatedCreator {
  handle: string;
  /** Ascending, apart from each other. */
  broadcasts: readonly Broadcast[];
  cadence: Cadence;
  /** When the watch begins. */
  fromMs: number;
}

export interface Watched {
  /** All looks of the watch, ascending. */
  looksMs: number[];
  found: Broadcast[];
}

export interface SimulationOptions {
  creators: readonly SimulatedCreator[];
  clock: SteppedClock;
  untilMs: number;
  /** Recordings look so often. Without it, never. */
  sampleMs?: number;
  onLook?: (handle: string, by: 'watch' | 'recording') => void;
  onFound?: (handle: string, broadcast: Broadcast) => void;
}

/** What the simulation sets. */
export class SteppedClock {
  nowMs: number;

  constructor(nowMs: number) {
    this.nowMs = nowMs;
  }

  now(): number {
    return this.nowMs;
  }
}

export function simulate(options: SimulationOptions): Map<string, Watched> {
  const { creators, clock, untilMs, sampleMs = Infinity, onLook, onFound } = options;
  const wakesMs = Float64Array.from(creators, ({ fromMs }) => fromMs);
  const states = creators.map((creator) => ({
    creator,
    watched: { looksMs: [], found: [] } as Watched,
    lookedMs: null as number | null,
    /** The first broadcast that may not be over. */
    upcoming: 0,
    recording: undefined as Broadcast | undefined,
  }));

  for (;;) {
    let next = 0;
    for (let index = 1; index < wakesMs.length; index += 1)
      if (wakesMs[index]! < wakesMs[next]!) next = index;
    const nowMs = wakesMs[next] ?? Infinity;
    if (nowMs >= untilMs) break;
    clock.nowMs = nowMs;
    const state = states[next]!;
    const { handle, cadence, broadcasts } = state.creator;

    if (state.recording !== undefined) {
      onLook?.(handle, 'recording');
      wakesMs[next] = Math.min(nowMs + sampleMs, Math.max(nowMs, state.recording.endMs));
      if (nowMs < state.recording.endMs) continue;
      state.recording = undefined;
      state.lookedMs = nowMs;
    }

    const sinceLookMs = state.lookedMs === null ? null : nowMs - state.lookedMs;
    const waitMs = cadence.nextLookInMs({ nowMs, looks: state.watched.looksMs.length, sinceLookMs });
    wakesMs[next] = nowMs + waitMs;
    if (waitMs > 0) continue;

    onLook?.(handle, 'watch');
    state.watched.looksMs.push(nowMs);
    state.lookedMs = nowMs;
    while ((broadcasts[state.upcoming]?.endMs ?? Infinity) <= nowMs) state.upcoming += 1;
    const broadcast = broadcasts[state.upcoming];
    if (broadcast !== undefined && broadcast.startMs <= nowMs) {
      state.recording = broadcast;
      state.watched.found.push(broadcast);
      onFound?.(handle, broadcast);
      wakesMs[next] = Math.min(nowMs + sampleMs, broadcast.endMs);
    }
  }
  return new Map(states.map(({ creator, watched }) => [creator.handle, watched]));
}
