/** Time zones with clock changes of every kind, and what their clocks show, asked of Intl in another way than the product. */
import * as fc from 'fast-check';

export const HOUR_MS = 3_600_000;
export const DAY_MS = 24 * HOUR_MS;

export const ms = (iso: string): number => Date.parse(iso);
export const iso = (atMs: number | null): string | null =>
  atMs === null ? null : new Date(atMs).toISOString();

/** `2026-03-29 01:30`, as the clock on the wall shows it. */
export function shown(atMs: number, zone: string): string {
  const format = formats.get(zone) ?? new Intl.DateTimeFormat('sv-SE', { ...FIELDS, timeZone: zone });
  formats.set(zone, format);
  return format.format(atMs);
}
const FIELDS = {
  year: 'numeric',
  month: '2-digit',
  day: '2-digit',
  hour: '2-digit',
  minute: '2-digit',
} as const;
const formats = new Map<string, Intl.DateTimeFormat>();

/** Minutes since local Monday 00:00. */
export function minuteOfWeek(atMs: number, zone: string): number {
  const [date = '', time = ''] = shown(atMs, zone).split(' ');
  const [hours = 0, minutes = 0] = time.split(':').map(Number);
  return (((new Date(date).getUTCDay() + 6) % 7) * 24 + hours) * 60 + minutes;
}

/** How many minutes the clock jumps over at this very instant. */
export const skippedMinutes = (atMs: number, zone: string): number =>
  Math.max(0, (ms(`${shown(atMs, zone)}Z`) - ms(`${shown(atMs - 60_000, zone)}Z`)) / 60_000 - 1);

/** Whether the clock shows the same a second time (or did). */
export const isTwice = (atMs: number, zone: string): boolean =>
  [0.5, 1, 2].some((hours) =>
    [-1, 1].some((way) => shown(atMs + way * hours * HOUR_MS, zone) === shown(atMs, zone)),
  );

/** Around midnight, half an hour, across midnight, southern, none, and a zone that changes for Ramadan. */
export const ZONES = [
  'UTC',
  'Europe/Berlin',
  'America/New_York',
  'America/Santiago',
  'America/Scoresbysund',
  'Africa/Cairo',
  'Africa/Casablanca',
  'Asia/Kolkata',
  'Australia/Lord_Howe',
  'Pacific/Apia',
];
export const anyZone = fc.constantFrom(...ZONES);

/** Instants of two years with all these changes; two of three are near one in Europe, America or Lord Howe. */
export const FROM_MS = ms('2026-01-01T00:00Z');
export const TO_MS = ms('2028-01-01T00:00Z');
const CHANGES = ['2026-03-08T07:00Z', '2026-03-29T01:00Z', '2026-04-04T15:00Z', '2026-10-25T01:00Z'].map(ms);
export const anyInstant = fc.oneof(
  fc.integer({ min: FROM_MS, max: TO_MS - 1 }),
  ...[DAY_MS / 2, HOUR_MS].map((nearMs) =>
    fc
      .tuple(fc.constantFrom(...CHANGES), fc.integer({ min: -nearMs, max: nearMs }))
      .map(([changeMs, byMs]) => changeMs + byMs),
  ),
);
