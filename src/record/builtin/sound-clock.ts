/**
 * Protocols in milliseconds have AAC frames 21, 21 and 22 ms apart, where each lasts 21.333: a frame that lies where the one
 * before ends, give or take that rounding, is put exactly there.
 */
const ROUNDING_MS = 1.5;

export class SoundClock {
  readonly #frameMs: number;
  #nextMs: number | undefined;

  constructor(frameMs: number) {
    this.#frameMs = frameMs;
  }

  /** Where the frame belongs, and whether it joins on to the one before. */
  place(dtsMs: number): { ms: number; joins: boolean } {
    const nextMs = this.#nextMs;
    const joins = nextMs !== undefined && Math.abs(dtsMs - nextMs) <= ROUNDING_MS;
    const ms = joins ? nextMs : dtsMs;
    this.#nextMs = ms + this.#frameMs;
    return { ms, joins };
  }
}
