/** Tells when the credits of a day go out, are out, and are there again; and when the API says that none are left. */
import type { Clock } from '../kernel/clock.ts';
import { isLivestowError } from '../kernel/errors.ts';
import type { EventReport } from '../model/event.ts';

type CreditReport = Extract<EventReport, { type: 'credits' }>;

/** Of the day's budget. */
const LOW_SHARE = 0.8;
const DAY_MS = 86_400_000;

export interface CreditWatchOptions {
  clock: Pick<Clock, 'now'>;
  /** Null: the day has no limit. */
  perDay: number | null;
  spentToday: () => number;
  report: (report: CreditReport) => void;
}

export class CreditWatch {
  readonly #options: CreditWatchOptions;
  #day = 0;
  #level: CreditReport['level'] = 'renewed';
  #isRefused = false;

  constructor(options: CreditWatchOptions) {
    this.#options = options;
    this.#day = this.#today;
  }

  /** A look was answered: there are credits. */
  looked(): void {
    const { perDay, spentToday } = this.#options;
    if (this.#isRefused || this.#day !== this.#today) this.#tell('renewed');
    this.#isRefused = false;
    this.#day = this.#today;
    if (perDay === null) return;
    const share = spentToday() / perDay;
    if (share >= 1) this.#tell('spent');
    else if (share >= LOW_SHARE) this.#tell('low');
  }

  lookFailed(error: unknown): void {
    if (!isLivestowError(error, 'LOOKUP_CREDITS')) return;
    this.#isRefused = true;
    this.#tell('refused');
  }

  get #today(): number {
    return Math.floor(this.#options.clock.now() / DAY_MS);
  }

  #tell(level: CreditReport['level']): void {
    if (level === this.#level) return;
    this.#level = level;
    const { report, spentToday, perDay } = this.#options;
    report({ type: 'credits', level, spentToday: spentToday(), perDay });
  }
}
