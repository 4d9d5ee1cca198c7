/** What one term writes into the spool: journal entries, in order, and waits for a disk that cannot be written. */
import { isoUtc, type Clock } from '../kernel/clock.ts';
import type { Logger } from '../kernel/logger.ts';
import type { Gap, JournalEntry } from '../model/manifest.ts';
import type { SessionSpool } from '../spool/session-spool.ts';

const SPOOL_RETRY_MS = 1_000;

export interface TermJournalDeps {
  spool: SessionSpool;
  clock: Clock;
  log: Logger;
  /** Told of each gap once it is journaled. */
  onGap: (gap: Gap) => void;
  /** Ends the waiting for a disk that cannot be written. */
  signal: AbortSignal;
}

export class TermJournal {
  readonly #deps: TermJournalDeps;

  constructor(deps: TermJournalDeps) {
    this.#deps = deps;
  }

  get now(): string {
    return isoUtc(this.#deps.clock.now());
  }

  async append(...entries: readonly JournalEntry[]): Promise<void> {
    await this.persist(() => this.#deps.spool.append(...entries));
  }

  async noteGaps(gaps: readonly Gap[]): Promise<void> {
    if (gaps.length === 0) return;
    await this.append(...this.entriesOf(gaps));
    this.tell(gaps);
  }

  entriesOf(gaps: readonly Gap[]): JournalEntry[] {
    return gaps.map((gap) => ({ type: 'gap', at: this.now, gap }));
  }

  /** Of gaps that are journaled. */
  tell(gaps: readonly Gap[]): void {
    for (const gap of gaps) {
      this.#deps.log.warn({ gap }, `${(gap.ms / 1000).toFixed(1)} s are missing: ${gap.cause}`);
      this.#deps.onGap(gap);
    }
  }

  /** A full or failing disk is waited for: what is closed is not lost, and the tail holds what is open. */
  async persist<T>(step: () => Promise<T>): Promise<T> {
    const { log, clock, signal } = this.#deps;
    for (;;) {
      try {
        return await step();
      } catch (error) {
        log.error({ err: error }, 'the spool cannot be written; trying again');
        await clock.delay(SPOOL_RETRY_MS, signal);
      }
    }
  }
}
