import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  contentTypeOf,
  changeKey,
  foundAtMsOf,
  indexKey,
  isSessionId,
  parseChangeKey,
  parseIndexKey,
  parseJournalKey,
  parseSegmentKey,
  roomKey,
  sessionIdOf,
  sessionKeys,
  sessionPrefix,
} from '../../src/layout/keys.ts';
import { segmentSchema } from '../../src/model/manifest.ts';
import { checkKey } from '../../src/store/key.ts';

const number = fc.integer({ min: 1, max: 100_000_000 });
const time = fc.integer({ min: 0, max: Date.UTC(9999, 11, 31) });
const handle = fc.stringMatching(/^[a-z0-9._]{1,64}$/).filter((text) => text !== '.' && text !== '..');

describe('session ids', () => {
  test.each([
    [Date.UTC(2026, 10, 22, 14, 3, 7, 999), '7412345678901234567', '20261122T140307Z-7412345678901234567'],
    [Date.UTC(2026, 0, 1), 'a_B-9', '20260101T000000Z-a_B-9'],
  ])('%i and %s', (foundAtMs, roomId, expected) => {
    expect(sessionIdOf(foundAtMs, roomId)).toBe(expected);
  });

  test.each(['', '../../etc', 'a/b', 'a b', 'ß', 'x'.repeat(65), '.', '%2F', '\u202e'])(
    'the room id %j stands in a key as a digest',
    (roomId) => {
      expect(roomKey(roomId)).toMatch(/^x[0-9a-f]{24}$/);
    },
  );

  test('whatever the room id, the id and its keys are safe and the id is recognised', () => {
    fc.assert(
      fc.property(time, fc.string({ unit: 'binary' }), handle, (foundAtMs, roomId, name) => {
        const session = sessionIdOf(foundAtMs, roomId);
        expect(isSessionId(session)).toBe(true);
        checkKey(`${sessionPrefix(name, session)}${sessionKeys.manifest}`);
        expect(parseIndexKey(indexKey(session, name))).toEqual({ session, handle: name });
        const of = { session, handle: name };
        const atMs = foundAtMsOf(session);
        expect(atMs).toBeDefined();
        expect(parseChangeKey(changeKey(atMs ?? 0, of))).toEqual({ of, atMs });
        expect(parseChangeKey(changeKey(atMs ?? 0, null))).toEqual({ of: null, atMs });
        checkKey(changeKey(atMs ?? 0, of));
      }),
    );
  });

  test('ids sort by the time they were found', () => {
    fc.assert(
      fc.property(time, time, (a, b) => {
        const [x, y] = [sessionIdOf(a, 'r'), sessionIdOf(b, 'r')];
        expect(x < y && a >= b).toBe(false);
      }),
    );
  });

  test.each([
    '20261122T140307Z',
    '20261122T140307Z-',
    '20261122T140307-1',
    'alice',
    '20261122T140307Z-a/b',
    '',
  ])('%j is no session id', (text) => {
    expect(isSessionId(text)).toBe(false);
  });
});

describe('segment and journal keys', () => {
  test.each([
    [1, 1, 1, 'mpegts', 'segments/0001-0001-000001.ts'],
    [2, 13, 999_999, 'fmp4', 'segments/0002-0013-999999.m4s'],
    [10_000, 10_001, 1_000_000, 'mpegts', 'segments/10000-10001-1000000.ts'],
  ] as const)('%i-%i-%i in %s', (term, epoch, n, container, key) => {
    expect(sessionKeys.segment(term, epoch, n, container)).toBe(key);
  });

  test('read back as written, and accepted by the manifest and the store', () => {
    fc.assert(
      fc.property(number, number, number, fc.constantFrom('mpegts', 'fmp4'), (term, epoch, n, container) => {
        const key = sessionKeys.segment(term, epoch, n, container);
        expect(parseSegmentKey(key)).toEqual({ term, epoch, n });
        expect(parseJournalKey(sessionKeys.journal(term, n))).toEqual({ term, n });
        expect(segmentSchema.shape.key.parse(key)).toBe(key);
        checkKey(key);
      }),
    );
  });

  test.each([
    'segments/0001-0001-init.mp4',
    'segments/1-1-1.ts',
    'segments/0001-0001-000001.mp4',
    'x/segments/0001-0001-000001.ts',
    'manifest.json',
    'journal/0001-000001.ndjson',
  ])('%s is no segment', (key) => {
    expect(parseSegmentKey(key)).toBeUndefined();
  });
});

test.each([
  'index/sessions/20261122T140307Z-1~alice.json.bak',
  'index/sessions/20261122T140307Z-1~..json',
  'index/sessions/20261122T140307Z-1~Alice.json',
  'index/sessions/20261122T140307Z-1.json',
  'index/sessions/alice~alice.json',
  'creators/alice/20261122T140307Z-1/summary.json',
])('%s is no index object', (key) => {
  expect(parseIndexKey(key)).toBeUndefined();
  expect(parseChangeKey(key)).toBeUndefined();
});

test.each([
  ['segments/0001-0001-000001.ts', 'video/mp2t'],
  ['segments/0001-0001-000001.m4s', 'video/iso.segment'],
  ['segments/0001-0001-init.mp4', 'video/mp4'],
  ['index.m3u8', 'application/vnd.apple.mpegurl'],
  ['events.ndjson', 'application/x-ndjson'],
  ['a.constructor', 'application/octet-stream'],
  ['toString', 'application/octet-stream'],
])('%s is %s', (key, type) => {
  expect(contentTypeOf(key)).toBe(type);
});
