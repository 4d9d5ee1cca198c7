/** When a creator may be watched at all, as spans of time. */
import { HOUR_MS } from './go-live-rate.ts';

export interface Span {
  startMs: number;
  /** Exclusive. */
  endMs: number;
}

/** Those that overlap the time asked for: ascending, not touching each other. They may reach out of it. */
export type OpenSpans = (fromMs: number, untilMs: number) => Iterable<Span>;

/** Windows, as far as a watch knows them. */
export interface OpenTimes {
  isOpen(atMs: number): boolean;
  /** Null: it never changes. */
  nextChange(atMs: number): { atMs: number; open: boolean } | null;
}

export const openSpansOf = (times: OpenTimes): OpenSpans =>
  function* spans(fromMs, untilMs) {
    let atMs = fromMs;
    let startMs = times.isOpen(fromMs) ? -Infinity : null;
    while (atMs < untilMs) {
      const change = times.nextChange(atMs);
      if (startMs !== null) yield { startMs, endMs: change?.atMs ?? Infinity };
      if (change === null) return;
      atMs = change.atMs;
      startMs = change.open ? change.atMs : null;
    }
  };

export const alwaysOpen: OpenSpans = () => [{ startMs: -Infinity, endMs: Infinity }];

/** The open time from here on, cut at full hours, because rates are by the hour. */
export function* openHours(open: OpenSpans, fromMs: number, untilMs: number): Generator<Span> {
  for (const span of open(fromMs, untilMs)) {
    const endMs = Math.min(span.endMs, untilMs);
    for (let startMs = Math.max(span.startMs, fromMs); startMs < endMs;) {
      const hourEndsMs = (Math.floor(startMs / HOUR_MS) + 1) * HOUR_MS;
      yield { startMs, endMs: Math.min(hourEndsMs, endMs) };
      startMs = hourEndsMs;
    }
  }
}
