/**
 * When to look next at a creator who is not live. Looks cost credits, so this is where money is spent: the fixed
 * intervals here know nothing of it, the planned cadence (`look-planner.ts`) does.
 */

export interface CadenceState {
  /** Wall-clock time, for windows and hours of the week. */
  nowMs: number;
  /** Looks answered since the watch began. */
  looks: number;
  /** Since the last answered look was begun; null before the first. */
  sinceLookMs: number | null;
}

export interface Cadence {
  /**
   * How long to wait from now; 0: look at once. Asked again after the wait, for it may know more by then, until it says 0.
   */
  nextLookInMs(state: CadenceState): number;
}

/** Exactly this interval from look to look, however long an answer takes. The first look comes at once. */
export const fixedCadence = (intervalMs: number): Cadence => ({
  nextLookInMs: ({ sinceLookMs }) => (sinceLookMs === null ? 0 : Math.max(0, intervalMs - sinceLookMs)),
});

const DEFAULT_INTERVAL_MS = 60_000;
const SPREAD = 0.1;

/** About a minute, with a tenth of jitter so that many creators don't fall into step. For one creator. */
export function defaultCadence(random: () => number = Math.random): Cadence {
  const draw = (): Cadence => fixedCadence(DEFAULT_INTERVAL_MS * (1 + SPREAD * (2 * random() - 1)));
  let interval = draw();
  return {
    nextLookInMs(state) {
      const waitMs = interval.nextLookInMs(state);
      if (waitMs === 0) interval = draw();
      return waitMs;
    },
  };
}
