/** What happens in the daemon, numbered and dated, for whoever listens; the newest are kept for who comes late. */
import { EventEmitter } from 'node:events';
import { isoUtc, type Clock } from '../kernel/clock.ts';
import { scrub } from '../kernel/redact.ts';
import type { EventReport, LivestowEvent } from '../model/event.ts';

const KEPT = 1_000;

export class EventLog extends EventEmitter<{ event: [LivestowEvent] }> {
  readonly #clock: Pick<Clock, 'now'>;
  #count = 0;
  readonly #kept: LivestowEvent[] = [];

  constructor(clock: Pick<Clock, 'now'>) {
    super();
    // Each page that is open listens.
    this.setMaxListeners(0);
    this.#clock = clock;
  }

  report(report: EventReport): void {
    this.#count += 1;
    const event: LivestowEvent = { id: this.#count, at: isoUtc(this.#clock.now()), ...report };
    // It may quote what came from outside.
    if ('message' in event) event.message = scrub(event.message);
    this.#kept.push(event);
    if (this.#kept.length > KEPT) this.#kept.shift();
    this.emit('event', event);
  }

  /** Oldest first. */
  since(id: number): LivestowEvent[] {
    return this.#kept.filter((event) => event.id > id);
  }
}
