/**
 * When creators went live, as far as the archive knows: one listing of its index, and what this process saw since. A
 * session is named by when it was found, which is all that is needed.
 */
import type { Clock } from '../kernel/clock.ts';
import { foundAtMsOf, INDEX, parseIndexKey } from '../layout/keys.ts';
import type { Store } from '../store/store.ts';
import type { GoLiveHistory } from '../watch/go-live-rate.ts';

/** What is older says nothing about next week; the learning weighs it by half every four weeks. */
const REACH_MS = 26 * 7 * 24 * 3_600_000;

export class Habits {
  readonly #clock: Pick<Clock, 'now'>;
  readonly #beganMs: number;
  readonly #starts = new Map<string, Set<number>>();

  constructor(clock: Pick<Clock, 'now'>) {
    this.#clock = clock;
    this.#beganMs = clock.now();
  }

  of(handle: string): GoLiveHistory {
    const fromMs = this.#clock.now() - REACH_MS;
    const startsMs = [...(this.#starts.get(handle) ?? [])].filter((atMs) => atMs >= fromMs);
    // It was watched when the first of them was found, at the latest.
    return { sinceMs: startsMs.reduce((least, atMs) => Math.min(least, atMs), this.#beganMs), startsMs };
  }

  began(handle: string, atMs: number): void {
    const starts = this.#starts.get(handle) ?? new Set();
    this.#starts.set(handle, starts.add(atMs));
  }

  /** @returns how many sessions it found */
  async learn(store: Store, signal: AbortSignal): Promise<number> {
    let sessions = 0;
    for await (const { key } of store.list(`${INDEX}sessions/`, { signal })) {
      const named = parseIndexKey(key);
      const atMs = named && foundAtMsOf(named.session);
      if (!named || atMs === undefined) continue;
      this.began(named.handle, atMs);
      sessions += 1;
    }
    return sessions;
  }
}
