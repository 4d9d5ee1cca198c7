/**
 * Tells the operator's webhooks what happens. Each has a queue of its own, so that one that hangs delays no other. What
 * waits is in memory alone: it is lost with the process, and events are in the log and the archive all the same.
 */
import type { Dispatcher } from 'undici';
import { systemClock, type Clock } from '../kernel/clock.ts';
import type { Logger } from '../kernel/logger.ts';
import type { LivestowEvent } from '../model/event.ts';
import type { Delivery, WebhookState } from './delivery.ts';
import { GapDigester } from './gap-digest.ts';
import type { Webhook } from './webhook-config.ts';
import { WebhookQueue } from './webhook-queue.ts';

export const MOST_DELIVERIES = 500;
const CLOSE_MS = 5_000;

export interface WebhooksOptions {
  webhooks: readonly Webhook[];
  /** The operator chose the addresses: private ones are allowed. */
  dispatcher: Dispatcher;
  logger: Logger;
  clock?: Clock;
  random?: () => number;
}

interface Told {
  webhook: Webhook;
  queue: WebhookQueue;
  gaps: GapDigester;
}

export class Webhooks {
  readonly #options: Required<Omit<WebhooksOptions, 'webhooks'>>;
  /** What became of the messages of all, since the start. */
  readonly ended: Record<Delivery['outcome'], number> = {
    delivered: 0,
    refused: 0,
    'given-up': 0,
    dropped: 0,
  };
  readonly #deliveries: Delivery[] = [];
  #told: Told[] = [];

  constructor({ webhooks, clock = systemClock, random = Math.random, ...options }: WebhooksOptions) {
    this.#options = { ...options, clock, random };
    this.configure(webhooks);
  }

  /** One that stays, by its URL and shape, keeps what waits for it; of one that is gone it is dropped. */
  configure(webhooks: readonly Webhook[]): void {
    const before = [...this.#told];
    this.#told = webhooks.map((webhook, at) => {
      const label = webhook.name ?? `webhooks[${at}]`;
      const same = before.findIndex((old) => isSame(old.webhook, webhook));
      const [kept] = same === -1 ? [] : before.splice(same, 1);
      if (kept === undefined) return this.#open(webhook, label);
      kept.queue.configure(webhook, label);
      return { ...kept, webhook };
    });
    for (const { queue, gaps } of before) {
      queue.stop();
      gaps.close();
    }
  }

  #open(webhook: Webhook, label: string): Told {
    const onEnd = (delivery: Delivery) => {
      this.ended[delivery.outcome] += 1;
      this.#deliveries.push(delivery);
      if (this.#deliveries.length > MOST_DELIVERIES) this.#deliveries.shift();
    };
    const queue = new WebhookQueue(webhook, label, { ...this.#options, onEnd });
    return { webhook, queue, gaps: new GapDigester(this.#options.clock, (notice) => queue.push(notice)) };
  }

  /** Returns at once. */
  tell(event: LivestowEvent): void {
    for (const { webhook, queue, gaps } of this.#told) {
      if (isOver(event)) gaps.release(event.session);
      if (!wants(webhook, event)) continue;
      if (event.type === 'gap') gaps.add(event);
      else queue.push(event);
    }
  }

  /** What became of the last messages, the newest first. */
  deliveries(): Delivery[] {
    return this.#deliveries.toReversed();
  }

  states(): WebhookState[] {
    return this.#told.map(({ queue }) => queue.state());
  }

  /** Sends what waits, for 5 s at most, or until the signal; then drops the rest. */
  async close(signal: AbortSignal): Promise<void> {
    const told = this.#told;
    this.#told = [];
    const stop = () => {
      for (const { queue } of told) queue.stop();
    };
    for (const { gaps } of told) gaps.close();
    const cancelDeadline = this.#options.clock.after(CLOSE_MS, stop);
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
    try {
      await Promise.all(told.map(({ queue }) => queue.close()));
    } finally {
      cancelDeadline();
      signal.removeEventListener('abort', stop);
    }
  }
}

const isSame = (one: Webhook, other: Webhook): boolean =>
  one.url.reveal() === other.url.reveal() && one.shape === other.shape;

const isOver = (event: LivestowEvent): event is Extract<LivestowEvent, { type: 'ended' | 'sealed' }> =>
  event.type === 'ended' || event.type === 'sealed';

/** What concerns no creator is for all. */
function wants({ events, creators }: Webhook, event: LivestowEvent): boolean {
  if (!events.includes(event.type)) return false;
  const handle = 'handle' in event ? event.handle : null;
  return handle === null || creators === undefined || creators.includes(handle);
}
