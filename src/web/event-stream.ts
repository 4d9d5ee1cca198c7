/**
 * What happens, as server-sent events. Each reader has a place in the daemon's log of events and is given what comes behind
 * it when it takes more: nothing is queued for a reader, however slow it is. One that falls out of what the log keeps is
 * told so (`missed`); one that takes nothing for long is let go.
 */
import type { Clock } from '../kernel/clock.ts';
import { LivestowError } from '../kernel/errors.ts';
import type { LivestowEvent } from '../model/event.ts';
import type { EventFeed } from './daemon-view.ts';

/** Shorter than proxies wait for a sign of life. */
const HEARTBEAT_MS = 15_000;
/** A reader that takes nothing for so long. */
const PATIENCE_MS = 60_000;
const MOST_READERS = 100;
/** Events given at once. */
const BATCH = 100;

export class EventStreams {
  readonly #feed: EventFeed;
  readonly #run: string;
  readonly #clock: Clock;
  readonly #readers = new Set<() => void>();

  /** @param run names this run of the daemon in ids, so that a place in another run's log is not mistaken for one in this */
  constructor(feed: EventFeed, run: string, clock: Clock) {
    this.#feed = feed;
    this.#run = run;
    this.#clock = clock;
  }

  get readers(): number {
    return this.#readers.size;
  }

  /**
   * @param lastId the id of the last event that the reader has; undefined: from now on
   * @throws UNAVAILABLE when there are too many readers
   */
  open(lastId: string | undefined): ReadableStream<Uint8Array> {
    if (this.#readers.size >= MOST_READERS) {
      throw new LivestowError('UNAVAILABLE', `${MOST_READERS} streams of events are open already`, {
        retryable: true,
      });
    }
    const feed = this.#feed;
    const clock = this.#clock;
    const encoder = new TextEncoder();
    let { place, hasMissed } = this.#placeOf(lastId);
    let wake = (): void => {};
    let cancelPatience = (): void => {};
    let isOver = false;
    let isCancelled = false;
    const onEvent = (): void => wake();
    const end = (): void => {
      isOver = true;
      cancelPatience();
      feed.off('event', onEvent);
      this.#readers.delete(end);
      wake();
    };
    this.#readers.add(end);
    feed.on('event', onEvent);

    /** What is behind the reader's place; '' when there is nothing. */
    const next = (): string => {
      const events = feed.since(place).slice(0, BATCH);
      const [first] = events;
      hasMissed ||= first !== undefined && first.id > place + 1;
      const told = hasMissed ? 'event: missed\ndata: {}\n\n' : '';
      hasMissed = false;
      place = events.at(-1)?.id ?? place;
      return told + events.map((event) => this.#told(event)).join('');
    };
    return new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          controller.enqueue(encoder.encode(`retry: 3000\nid: ${this.#run}.${place}\n\n`));
        },
        pull: async (controller) => {
          cancelPatience();
          let text = next();
          if (text === '' && !isOver) {
            await new Promise<void>((resolve) => {
              const cancel = clock.after(HEARTBEAT_MS, resolve);
              wake = () => {
                cancel();
                resolve();
              };
            });
            text = next();
          }
          if (isOver) {
            if (!isCancelled) controller.close();
            return;
          }
          controller.enqueue(encoder.encode(text === '' ? ': still here\n\n' : text));
          cancelPatience = clock.after(PATIENCE_MS, () => {
            end();
            controller.error(new Error('the reader takes nothing'));
          });
        },
        cancel: () => {
          isCancelled = true;
          end();
        },
      },
      { highWaterMark: 1 },
    );
  }

  close(): void {
    for (const end of this.#readers) end();
  }

  #told(event: LivestowEvent): string {
    return `id: ${this.#run}.${event.id}\nevent: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`;
  }

  #placeOf(lastId: string | undefined): { place: number; hasMissed: boolean } {
    const latest = this.#feed.since(0).at(-1)?.id ?? 0;
    if (lastId === undefined) return { place: latest, hasMissed: false };
    const [, run, id] = /^([\w-]+)\.(\d{1,15})$/.exec(lastId) ?? [];
    // Another run's reader gets all of this one's, and is told that it may have missed something of that one's.
    if (run !== this.#run) return { place: 0, hasMissed: true };
    return { place: Math.min(Number(id), latest), hasMissed: false };
  }
}
