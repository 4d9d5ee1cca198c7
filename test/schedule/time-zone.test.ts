import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { timeZone, timeZoneSchema } from '../../src/schedule/time-zone.ts';
import { anyInstant, anyZone, iso, ms, shown } from './zones.ts';

test('local time is what the clock on the wall shows', () => {
  fc.assert(
    fc.property(anyZone, anyInstant, (zone, atMs) => {
      expect(iso(timeZone(zone).localMs(atMs))?.slice(0, 16).replace('T', ' ')).toBe(shown(atMs, zone));
    }),
    { numRuns: 500 },
  );
});

test('each instant is the first or the last of its local time, or between them', () => {
  fc.assert(
    fc.property(anyZone, anyInstant, (zone, atMs) => {
      const { localMs, firstMs, lastMs } = timeZone(zone);
      const [first, last] = [firstMs(localMs(atMs)), lastMs(localMs(atMs))];
      expect([localMs(first), localMs(last)]).toEqual([localMs(atMs), localMs(atMs)]);
      expect(first <= atMs && atMs <= last).toBe(true);
    }),
    { numRuns: 500 },
  );
});

describe('when clocks change', () => {
  test.each<[zone: string, local: string, first: string, last: string]>([
    ['Europe/Berlin', '2026-03-29T01:59', '2026-03-29T00:59Z', '2026-03-29T00:59Z'],
    ['Europe/Berlin', '2026-03-29T02:00', '2026-03-29T01:00Z', '2026-03-29T01:00Z'],
    ['Europe/Berlin', '2026-03-29T02:30', '2026-03-29T01:00Z', '2026-03-29T01:00Z'],
    ['Europe/Berlin', '2026-03-29T03:00', '2026-03-29T01:00Z', '2026-03-29T01:00Z'],
    ['Europe/Berlin', '2026-10-25T01:59', '2026-10-24T23:59Z', '2026-10-24T23:59Z'],
    ['Europe/Berlin', '2026-10-25T02:00', '2026-10-25T00:00Z', '2026-10-25T01:00Z'],
    ['Europe/Berlin', '2026-10-25T02:30', '2026-10-25T00:30Z', '2026-10-25T01:30Z'],
    ['Europe/Berlin', '2026-10-25T03:00', '2026-10-25T02:00Z', '2026-10-25T02:00Z'],
    ['America/New_York', '2026-03-08T02:30', '2026-03-08T07:00Z', '2026-03-08T07:00Z'],
    ['America/New_York', '2026-11-01T01:30', '2026-11-01T05:30Z', '2026-11-01T06:30Z'],
    ['Australia/Lord_Howe', '2026-10-04T02:15', '2026-10-03T15:30Z', '2026-10-03T15:30Z'],
    ['Australia/Lord_Howe', '2026-04-05T01:45', '2026-04-04T14:45Z', '2026-04-04T15:15Z'],
    // A day that did not exist.
    ['Pacific/Apia', '2011-12-29T23:59', '2011-12-30T09:59Z', '2011-12-30T09:59Z'],
    ['Pacific/Apia', '2011-12-30T12:00', '2011-12-30T10:00Z', '2011-12-30T10:00Z'],
    ['Pacific/Apia', '2011-12-31T00:00', '2011-12-30T10:00Z', '2011-12-30T10:00Z'],
    // Gaps that begin with a day, and that go over into the next.
    ['America/Santiago', '2026-09-06T00:30', '2026-09-06T04:00Z', '2026-09-06T04:00Z'],
    ['America/Scoresbysund', '2026-03-28T23:30', '2026-03-29T01:00Z', '2026-03-29T01:00Z'],
  ])('in %s, %s comes at %s and last at %s', (zone, local, first, last) => {
    const { firstMs, lastMs } = timeZone(zone);
    expect([iso(firstMs(ms(`${local}Z`))), iso(lastMs(ms(`${local}Z`)))]).toEqual([
      iso(ms(first)),
      iso(ms(last)),
    ]);
  });
});

test.each(['Berlin', 'CEST', '+02:00', '', 'Europe/Atlantis'])(
  '%s is refused, and told what is taken',
  (name) => {
    const { error } = timeZoneSchema.safeParse(name);
    expect(error?.issues.map(({ message }) => message)).toEqual([
      `"${name}" is not a time zone: a name of the IANA database, such as UTC, Europe/Berlin or America/New_York`,
    ]);
  },
);

test.each(['UTC', 'utc', 'Europe/Berlin', 'Etc/GMT+5', 'Asia/Kolkata'])('%s is taken as it is', (name) => {
  expect(timeZoneSchema.parse(name)).toBe(name);
});
