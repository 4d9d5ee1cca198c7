/**
 * When to look next at a creator who is not live. Looks cost credits, so this is where money is spent; a planned cadence
 * that learns from the archive's history takes this seam's other side.
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
  /** How long to wait from now; 0: at once. */
  nextLookInMs(state: CadenceState): number;
}

/** Exactly this interval from look to look, however long an answer takes. The first look comes at once. */
export const fixedCadence = (intervalMs: number): Cadence => ({
  nextLookInMs: ({ sinceLookMs }) => (sinceLookMs === null ? 0 : Math.max(0, intervalMs - sinceLookMs)),
});

const DEFAULT_INTERVAL_MS = 60_000;
const SPREAD = 0.1;

/** About a minute, with a tenth of jitter so that many creators don't fall into step. */
export const defaultCadence = (random: () => number = Math.random): Cadence => ({
  nextLookInMs(state) {
    const intervalMs = DEFAULT_INTERVAL_MS * (1 + SPREAD * (2 * random() - 1));
    return fixedCadence(intervalMs).nextLookInMs(state);
  },
});
