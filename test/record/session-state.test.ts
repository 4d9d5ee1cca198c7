import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  holdingSince,
  next,
  type EndPolicy,
  type SessionFact,
  type SessionState,
} from '../../src/record/session-state.ts';

const POLICY: EndPolicy = { maxHoldMs: 60_000, confirmMs: 10_000 };

const RECORDING: SessionState = { phase: 'recording' };
const HOLDING: SessionState = { phase: 'holding', sinceMs: 5_000, firstOfflineAtMs: null };
const DOUBTING: SessionState = { phase: 'holding', sinceMs: 5_000, firstOfflineAtMs: 8_000 };
const ended = (
  cause: 'stopped' | 'max-duration' | 'room-ended' | 'new-room' | 'media-lost',
): SessionState => ({
  phase: 'ended',
  cause,
});

const media: SessionFact = { type: 'media' };
const broke: SessionFact = { type: 'media-broke' };
const tick: SessionFact = { type: 'tick' };
const roomAgain: SessionFact = { type: 'room' };
const stop: SessionFact = { type: 'stop', cause: 'stopped' };
const long: SessionFact = { type: 'stop', cause: 'max-duration' };
const look = (says: 'same-room' | 'other-room' | 'offline', cached = false): SessionFact => ({
  type: 'look',
  says,
  cached,
});
const offline = look('offline');

describe('every state and every fact', () => {
  test.each<[string, SessionState, SessionFact, atMs: number, SessionState]>([
    ['recording, media', RECORDING, media, 9_000, RECORDING],
    ['recording, media broke', RECORDING, broke, 9_000, holdingSince(9_000)],
    ['recording, tick', RECORDING, tick, 9_000_000, RECORDING],
    ['recording, stop', RECORDING, stop, 9_000, ended('stopped')],
    ['recording, long enough', RECORDING, long, 9_000, ended('max-duration')],
    ['recording, same room', RECORDING, look('same-room'), 9_000, RECORDING],
    ['recording, other room: its turn comes later', RECORDING, look('other-room'), 9_000, RECORDING],
    ['recording, offline', RECORDING, offline, 9_000, RECORDING],

    ['holding, media', HOLDING, media, 9_000, RECORDING],
    ['holding, media broke: the hold is not prolonged', HOLDING, broke, 9_000, HOLDING],
    ['holding, tick too soon', HOLDING, tick, 64_999, HOLDING],
    ['holding, tick', HOLDING, tick, 65_000, ended('media-lost')],
    ['holding, the disk has room again', HOLDING, roomAgain, 9_000, holdingSince(9_000)],
    ['recording, the disk has room again', RECORDING, roomAgain, 9_000, RECORDING],
    ['holding, stop', HOLDING, stop, 9_000, ended('stopped')],
    ['holding, long enough', HOLDING, long, 9_000, ended('max-duration')],
    ['holding, same room', HOLDING, look('same-room'), 9_000, HOLDING],
    ['holding, other room', HOLDING, look('other-room'), 9_000, ended('new-room')],
    ['holding, cached other room', HOLDING, look('other-room', true), 9_000, HOLDING],
    ['holding, offline', HOLDING, offline, 8_000, DOUBTING],
    ['holding, cached offline', HOLDING, look('offline', true), 8_000, HOLDING],

    ['doubting, media', DOUBTING, media, 9_000, RECORDING],
    ['doubting, media broke', DOUBTING, broke, 9_000, DOUBTING],
    ['doubting, tick too soon', DOUBTING, tick, 20_000, DOUBTING],
    ['doubting, tick', DOUBTING, tick, 65_000, ended('media-lost')],
    ['doubting, stop', DOUBTING, stop, 9_000, ended('stopped')],
    ['doubting, same room', DOUBTING, look('same-room'), 17_000, HOLDING],
    ['doubting, cached same room', DOUBTING, look('same-room', true), 17_000, DOUBTING],
    ['doubting, other room', DOUBTING, look('other-room'), 9_000, ended('new-room')],
    ['doubting, offline too soon', DOUBTING, offline, 17_999, DOUBTING],
    ['doubting, cached offline', DOUBTING, look('offline', true), 30_000, DOUBTING],
    ['doubting, offline', DOUBTING, offline, 18_000, ended('room-ended')],

    ...[media, broke, tick, stop, long, look('same-room'), look('other-room'), offline].map(
      (fact): [string, SessionState, SessionFact, number, SessionState] => [
        `ended, ${JSON.stringify(fact)}: the first cause wins`,
        ended('room-ended'),
        fact,
        9_000_000,
        ended('room-ended'),
      ],
    ),
  ])('%s', (_what, state, fact, atMs, after) => {
    expect(next(state, fact, atMs, POLICY)).toEqual(after);
  });
});

/** A look (or another fact) at a time in seconds; every story begins in a hold. */
type Step = [atSeconds: number, fact: SessionFact];

const fold = (steps: readonly Step[]): SessionState =>
  steps.reduce(
    (state, [atSeconds, fact]) => next(state, fact, atSeconds * 1_000, { ...POLICY, maxHoldMs: Infinity }),
    holdingSince(0),
  );

describe('the end of a broadcast', () => {
  test.each<[string, Step[]]>([
    [
      'two looks 10 s apart say offline',
      [
        [100, offline],
        [110, offline],
      ],
    ],
    [
      'two looks far apart',
      [
        [0, offline],
        [600, offline],
      ],
    ],
    [
      'the third of a run is far enough',
      [
        [0, offline],
        [4, offline],
        [10, offline],
      ],
    ],
    [
      'what says nothing lies between',
      [
        [0, offline],
        [3, look('offline', true)],
        [5, look('same-room', true)],
        [10, offline],
      ],
    ],
    [
      'a run after a live look',
      [
        [0, offline],
        [5, look('same-room')],
        [10, offline],
        [20, offline],
      ],
    ],
  ])('%s', (_what, steps) => {
    expect(fold(steps)).toEqual(ended('room-ended'));
    expect(fold(steps.slice(0, -1)).phase).not.toBe('ended');
  });

  test.each<[string, Step[]]>([
    ['nothing was said', []],
    [
      'the same room is live',
      [
        [0, offline],
        [10, look('same-room')],
      ],
    ],
    [
      'cached answers',
      [
        [0, look('offline', true)],
        [20, look('offline', true)],
        [40, look('other-room', true)],
      ],
    ],
    [
      'offline while media flows',
      [
        [0, media],
        [1, offline],
        [12, offline],
        [24, offline],
      ],
    ],
    [
      'another room while media flows',
      [
        [0, media],
        [1, look('other-room')],
      ],
    ],
    [
      'media came after the last look',
      [
        [0, offline],
        [5, media],
      ],
    ],
    [
      'media came between two looks',
      [
        [0, offline],
        [5, media],
        [6, broke],
        [11, offline],
      ],
    ],
    [
      'looks while media flowed do not count',
      [
        [0, media],
        [1, offline],
        [12, offline],
        [13, broke],
        [14, offline],
      ],
    ],
  ])('is not when %s', (_what, steps) => {
    expect(fold(steps).phase).not.toBe('ended');
  });

  test('nothing ends a session without a stop but two uncached offlines 10 s apart in a hold, or an uncached other room', () => {
    const anyFact = fc.oneof(
      fc.constantFrom(media, broke),
      fc
        .tuple(fc.constantFrom('same-room' as const, 'other-room' as const, 'offline' as const), fc.boolean())
        .map(([says, cached]) => look(says, cached)),
    );
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: 0, max: 15 }), anyFact), { maxLength: 20 }),
        (deltas) => {
          let at = 0;
          const steps = deltas.map(([delta, fact]): Step => [(at += delta), fact]);
          // The rule said the other way round: since the last word to the contrary, in this hold.
          const ends = steps.some(([seconds, fact], index) => {
            if (fact.type !== 'look' || fact.cached || fact.says === 'same-room') return false;
            const before = steps.slice(0, index);
            const lastMedia = before.findLastIndex(([, { type }]) => type === 'media');
            const lastBroke = before.findLastIndex(([, { type }]) => type === 'media-broke');
            if (lastMedia > lastBroke) return false;
            if (fact.says === 'other-room') return true;
            const contrary = before.findLastIndex(([, each], i) => {
              const denies = each.type === 'look' && each.says === 'same-room' && !each.cached;
              // Only the break that ended a recording began this hold.
              const began =
                each.type === 'media-broke' &&
                before.slice(0, i).findLast(([, f]) => f.type === 'media' || f.type === 'media-broke')?.[1]
                  .type === 'media';
              return denies || began;
            });
            return before
              .slice(contrary + 1)
              .some(
                ([then, each]) =>
                  each.type === 'look' && each.says === 'offline' && !each.cached && seconds - then >= 10,
              );
          });
          expect(fold(steps).phase === 'ended').toBe(ends);
        },
      ),
      { numRuns: 500 },
    );
  });
});
