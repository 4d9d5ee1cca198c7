/** What the daemon notes of itself for its health and metrics: how looks end, what came, what was shipped, when a store answered. */
import type { Clock } from '../kernel/clock.ts';
import { isLivestowError, type LivestowError } from '../kernel/errors.ts';
import { KEY_REFUSALS } from '../lookup/key-gate.ts';
import type { Look } from '../model/look.ts';
import type { ComposeOptions } from './compose.ts';

type Taps = Required<Pick<ComposeOptions, 'onLookEnd' | 'onShipped' | 'onAnswer' | 'onReceived'>>;

export class Vitals {
  readonly looks = { live: 0, offline: 0, notFound: 0, failed: 0 };
  readonly shipped = { objects: 0, bytes: 0 };
  receivedBytes = 0;
  readonly taps: Taps;
  /** Told of every answered look, a watch's or a recording's. */
  onCharged: (handle: string, credits: number) => void = () => {};
  /** Told once of a key that the lookup API does not accept. */
  onKeyRefused: (error: LivestowError) => void = () => {};
  #keyRefusal: LivestowError | null = null;
  readonly #answeredAtMs = new Map<string, number>();
  readonly #clock: Pick<Clock, 'monotonic'>;

  constructor(clock: Pick<Clock, 'monotonic'>) {
    this.#clock = clock;
    this.taps = {
      onLookEnd: (handle, outcome) => {
        this.#looked(outcome);
        if (!(outcome instanceof Error)) this.onCharged(handle, outcome.meta.creditsCharged);
      },
      onShipped: (_key, _tookMs, bytes) => {
        this.shipped.objects += 1;
        this.shipped.bytes += bytes;
      },
      onReceived: (bytes) => {
        this.receivedBytes += bytes;
      },
      onAnswer: (location) => this.#answeredAtMs.set(location, clock.monotonic()),
    };
  }

  /** By the lookup API, the last time that it said anything about it. */
  get isKeyRefused(): boolean {
    return this.#keyRefusal !== null;
  }

  /** There is another key. */
  forgetKey(): void {
    this.#keyRefusal = null;
  }

  /** How long ago the store at this location answered; Infinity: never. */
  silentMs(location: string): number {
    return this.#clock.monotonic() - (this.#answeredAtMs.get(location) ?? -Infinity);
  }

  #looked(outcome: Look | Error): void {
    if (outcome instanceof Error) {
      this.looks.failed += 1;
      if (isLivestowError(outcome, ...KEY_REFUSALS)) this.#keyWasRefused(outcome);
    } else {
      this.looks[outcome.status === 'not-found' ? 'notFound' : outcome.status] += 1;
      this.#keyRefusal = null;
    }
  }

  #keyWasRefused(error: LivestowError): void {
    const isNews = this.#keyRefusal?.code !== error.code;
    this.#keyRefusal = error;
    if (isNews && error.code === 'LOOKUP_UNAUTHORIZED') this.onKeyRefused(error);
  }
}
