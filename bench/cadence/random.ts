/** Random numbers that are the same for the same seed. */

export interface Random {
  /** 0 to 1, 1 exclusive. */
  next(): number;
  /** Of mean 0 and deviation 1. */
  normal(): number;
  /** Waiting time until what happens once per `mean` on average. */
  waiting(mean: number): number;
}

/** mulberry32: small, and good enough for simulated habits. */
export function seeded(seed: number): Random {
  let state = Math.trunc(seed);
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  return {
    next,
    normal: () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next()),
    waiting: (mean) => -mean * Math.log(1 - next()),
  };
}
