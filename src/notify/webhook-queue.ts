/**
 * What waits for one webhook. Messages go one after the other, each until it is taken, refused or too old; whoever comes
 * when too many wait pushes the oldest out. How many were lost, the next one that is sent says.
 */
import { randomUUID } from 'node:crypto';
import type { Dispatcher } from 'undici';
import { backoffMs, type Backoff } from '../kernel/backoff.ts';
import { isoUtc, type Clock } from '../kernel/clock.ts';
import type { Logger } from '../kernel/logger.ts';
import type { Delivery, WebhookState } from './delivery.ts';
import type { Notice } from './gap-digest.ts';
import { post, type Answer } from './post.ts';
import { shapeRequest, type ShapedRequest } from './shapes.ts';
import { signatureHeaders } from './signature.ts';
import type { Webhook } from './webhook-config.ts';

export const MOST_WAITING = 500;
export const GIVE_UP_AFTER_MS = 6 * 3_600_000;
const BACKOFF: Backoff = { baseMs: 2_000, maxMs: 600_000 };

interface Message {
  id: string;
  notice: Notice;
  toldAtMs: number;
  /** Of the clock that nobody sets. */
  bornAtMs: number;
  tries: number;
  /** Made for the first try: one id, one body. */
  request?: ShapedRequest & { undelivered: number };
}

export interface QueueOptions {
  dispatcher: Dispatcher;
  logger: Logger;
  clock: Clock;
  random: () => number;
  onEnd: (delivery: Delivery) => void;
}

const NO_ANSWER = { status: null, error: null } as const;

export class WebhookQueue {
  readonly #options: QueueOptions;
  #webhook: Webhook;
  #label: string;
  readonly #waiting: Message[] = [];
  #sending: Message | undefined;
  #draining: Promise<void> | undefined;
  #pause: AbortController | undefined;
  readonly #stop = new AbortController();
  #closing = false;
  #failures = 0;
  #inTrouble = false;
  #undelivered = 0;
  #last: Pick<Answer, 'status' | 'error'> = NO_ANSWER;

  constructor(webhook: Webhook, label: string, options: QueueOptions) {
    this.#webhook = webhook;
    this.#label = label;
    this.#options = options;
  }

  /** The config file was changed: what is sent from now on goes by this. */
  configure(webhook: Webhook, label: string): void {
    this.#webhook = webhook;
    this.#label = label;
  }

  push(notice: Notice): void {
    const { clock } = this.#options;
    const message = {
      id: `msg_${randomUUID().replaceAll('-', '')}`,
      notice,
      toldAtMs: clock.now(),
      bornAtMs: clock.monotonic(),
      tries: 0,
    };
    if (this.#closing) {
      this.#end(message, 'dropped', NO_ANSWER);
      return;
    }
    this.#waiting.push(message);
    const oldest = this.#waiting.length > MOST_WAITING ? this.#waiting.shift() : undefined;
    if (oldest !== undefined) this.#end(oldest, 'dropped', NO_ANSWER);
    this.#draining ??= this.#drain().finally(() => {
      this.#draining = undefined;
    });
  }

  state(): WebhookState {
    return {
      webhook: this.#label,
      shape: this.#webhook.shape,
      waiting: this.#waiting.length + (this.#sending === undefined ? 0 : 1),
      undelivered: this.#undelivered,
      failures: this.#failures,
      ...this.#last,
    };
  }

  /** Nothing new; what waits is tried once more, without pauses, until one fails. */
  async close(): Promise<void> {
    this.#closing = true;
    this.#pause?.abort();
    await this.#draining;
  }

  /** Ends at once; what waits is dropped. */
  stop(): void {
    this.#closing = true;
    this.#stop.abort();
    this.#pause?.abort();
  }

  async #drain(): Promise<void> {
    // So that `push` has returned, and what is told in one turn can still be taken back together.
    await Promise.resolve();
    for (let message = this.#next(); message !== undefined; message = this.#next()) {
      this.#sending = message;
      await this.#send(message);
    }
    for (const message of this.#waiting.splice(0)) this.#end(message, 'dropped', NO_ANSWER);
  }

  #next(): Message | undefined {
    const givenUp = this.#closing && this.#failures > 0;
    return givenUp || this.#stop.signal.aborted ? undefined : this.#waiting.shift();
  }

  async #send(message: Message): Promise<void> {
    const { clock, random } = this.#options;
    for (;;) {
      const wasClosing = this.#closing;
      const answer = await this.#try(message);
      this.#tellTrouble(answer);
      if (answer.verdict !== 'later') {
        // Whoever refuses is there.
        this.#failures = 0;
        if (answer.verdict === 'taken') this.#undelivered -= message.request?.undelivered ?? 0;
        this.#end(message, answer.verdict === 'taken' ? 'delivered' : 'refused', answer);
        return;
      }
      this.#failures += 1;
      const over = wasClosing || this.#stop.signal.aborted;
      const tooOld = clock.monotonic() - message.bornAtMs >= GIVE_UP_AFTER_MS;
      if (over || tooOld) this.#end(message, over ? 'dropped' : 'given-up', answer);
      await this.#wait(Math.max(backoffMs(this.#failures, BACKOFF, random), answer.retryAfterMs));
      if (over || tooOld) return;
    }
  }

  async #try(message: Message): Promise<Answer> {
    const { dispatcher, clock } = this.#options;
    const { shape, url, headers, secret } = this.#webhook;
    message.tries += 1;
    message.request ??= {
      ...shapeRequest(shape, url.reveal(), message.notice, this.#undelivered),
      undelivered: this.#undelivered,
    };
    const { body } = message.request;
    const answer = await post({
      url: message.request.url,
      headers: {
        'user-agent': 'livestow',
        ...Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, value.reveal()])),
        'content-type': 'application/json',
        ...signatureHeaders({ id: message.id, atMs: clock.now(), body }, secret?.reveal()),
      },
      body,
      dispatcher,
      clock,
      signal: this.#stop.signal,
    });
    this.#last = { status: answer.status, error: answer.error };
    return answer;
  }

  /** Cut short by the end. */
  async #wait(ms: number): Promise<void> {
    if (this.#closing) return;
    this.#pause = new AbortController();
    await this.#options.clock.delay(ms, this.#pause.signal).catch(() => {});
    this.#pause = undefined;
  }

  /** Once when it begins, once when it is over. */
  #tellTrouble({ verdict, status, error }: Answer): void {
    const { logger } = this.#options;
    const about = { webhook: this.#label, status, error };
    const taken = verdict === 'taken';
    if (taken && this.#inTrouble) logger.info(about, 'the webhook takes messages again');
    if (!taken && !this.#inTrouble) {
      logger.warn(
        about,
        verdict === 'refused'
          ? 'the webhook refuses a message'
          : 'the webhook does not take a message; trying again',
      );
    }
    this.#inTrouble = !taken;
  }

  #end(
    message: Message,
    outcome: Delivery['outcome'],
    { status, error }: Pick<Answer, 'status' | 'error'>,
  ): void {
    if (this.#sending === message) this.#sending = undefined;
    if (outcome !== 'delivered') this.#undelivered += 1;
    const { id, notice, toldAtMs, tries } = message;
    const delivery: Delivery = {
      id,
      webhook: this.#label,
      type: notice.type,
      handle: 'handle' in notice ? notice.handle : null,
      toldAt: isoUtc(toldAtMs),
      endedAt: isoUtc(this.#options.clock.now()),
      outcome,
      tries,
      status,
      error,
    };
    this.#options.logger.debug({ delivery }, 'webhook');
    this.#options.onEnd(delivery);
  }
}
