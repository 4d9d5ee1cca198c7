/** What the daemon notes of itself for its health and metrics: how looks end, what was shipped, when a store answered. */
import type { Clock } from '../kernel/clock.ts';
import { isLivestowError } from '../kernel/errors.ts';
import type { Look } from '../model/look.ts';
import type { ComposeOptions } from './compose.ts';

export class Vitals {
  readonly looks = { live: 0, offline: 0, notFound: 0, failed: 0 };
  readonly shipped = { objects: 0, bytes: 0 };
  readonly taps: Required<Pick<ComposeOptions, 'onLookFailed' | 'onShipped' | 'onAnswer'>>;
  #isKeyRefused = false;
  readonly #answeredAtMs = new Map<string, number>();
  readonly #clock: Pick<Clock, 'monotonic'>;

  constructor(clock: Pick<Clock, 'monotonic'>) {
    this.#clock = clock;
    this.taps = {
      onLookFailed: (error) => {
        this.looks.failed += 1;
        this.#isKeyRefused ||= isLivestowError(error, 'LOOKUP_UNAUTHORIZED', 'LOOKUP_CREDITS');
      },
      onShipped: (_key, _tookMs, bytes) => {
        this.shipped.objects += 1;
        this.shipped.bytes += bytes;
      },
      onAnswer: (location) => this.#answeredAtMs.set(location, clock.monotonic()),
    };
  }

  /** By the lookup API, the last time that it said anything about it. */
  get isKeyRefused(): boolean {
    return this.#isKeyRefused;
  }

  /** How long ago the store at this location answered; Infinity: never. */
  silentMs(location: string): number {
    return this.#clock.monotonic() - (this.#answeredAtMs.get(location) ?? -Infinity);
  }

  looked({ status }: Look): void {
    this.looks[status === 'not-found' ? 'notFound' : status] += 1;
    this.#isKeyRefused = false;
  }
}
