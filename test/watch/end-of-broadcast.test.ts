import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Look } from '../../src/model/look.ts';
import { afterLook, afterMedia, NO_EVIDENCE, type EndVerdict } from '../../src/watch/end-of-broadcast.ts';
import { live, notFound, offline } from './looks.ts';

/** A look at a time in seconds, while media flows or not; or media that came. */
type Step = [atSeconds: number, look: Look, mediaFlows?: boolean] | 'media';

function fold(steps: Step[]): EndVerdict {
  let verdict: EndVerdict = { kind: 'goes-on', evidence: NO_EVIDENCE, confirmInMs: null };
  for (const step of steps) {
    if (verdict.kind === 'ended') break;
    if (step === 'media') {
      verdict = { kind: 'goes-on', evidence: afterMedia(), confirmInMs: null };
      continue;
    }
    const [atSeconds, look, mediaFlows = false] = step;
    verdict = afterLook(verdict.evidence, { look, atMs: atSeconds * 1_000, roomId: 'room', mediaFlows });
  }
  return verdict;
}

describe('a broadcast is over', () => {
  test.each<[string, Step[]]>([
    [
      'two looks 10 s apart say offline',
      [
        [100, offline()],
        [110, offline()],
      ],
    ],
    [
      'two looks far apart',
      [
        [0, offline()],
        [600, offline()],
      ],
    ],
    [
      'the third of a run is far enough',
      [
        [0, offline()],
        [4, offline()],
        [10, offline()],
      ],
    ],
    [
      'what says nothing lies between',
      [
        [0, offline()],
        [3, offline(true)],
        [4, notFound()],
        [5, live('room', true)],
        [10, offline()],
      ],
    ],
    [
      'a run after a live look',
      [
        [0, offline()],
        [5, live()],
        [10, offline()],
        [20, offline()],
      ],
    ],
  ])('%s', (_what, steps) => {
    expect(fold(steps)).toEqual({ kind: 'ended', cause: 'room-ended' });
    expect(fold(steps.slice(0, -1)).kind).not.toBe('ended');
  });

  test('another room is named', () => {
    const other = live('other');
    expect(fold([[0, other]])).toEqual({ kind: 'ended', cause: 'new-room', look: other });
  });
});

describe('a broadcast goes on', () => {
  test.each<[string, Step[]]>([
    ['nothing was said', []],
    [
      'the same room is live',
      [
        [0, offline()],
        [10, live()],
      ],
    ],
    [
      'not found, again and again',
      [
        [0, notFound()],
        [10, notFound()],
        [20, notFound()],
      ],
    ],
    [
      'cached answers',
      [
        [0, offline(true)],
        [20, offline(true)],
        [40, live('other', true)],
      ],
    ],
    [
      'offline while media flows',
      [
        [0, offline(), true],
        [10, offline(), true],
        [20, offline(), true],
      ],
    ],
    ['another room while media flows', [[0, live('other'), true]]],
    ['media came after the last look', [[0, offline()], 'media']],
  ])('%s', (_what, steps) => {
    expect(fold(steps)).toEqual({ kind: 'goes-on', evidence: NO_EVIDENCE, confirmInMs: null });
  });
});

describe('one look is not enough', () => {
  test.each<[string, Step[], number]>([
    ['the first', [[100, offline()]], 10_000],
    [
      'a second too soon',
      [
        [100, offline()],
        [103, offline()],
      ],
      7_000,
    ],
    [
      'a cached second',
      [
        [100, offline()],
        [110, offline(true)],
      ],
      0,
    ],
    [
      'a run that live broke',
      [
        [0, offline()],
        [5, live()],
        [10, offline()],
      ],
      10_000,
    ],
    ['a run that media broke', [[0, offline()], 'media', [10, offline()]], 10_000],
    [
      'a run that flowing media broke',
      [
        [0, offline()],
        [5, offline(), true],
        [10, offline()],
      ],
      10_000,
    ],
  ])('%s', (_what, steps, confirmInMs) => {
    expect(fold(steps)).toMatchObject({ kind: 'unconfirmed', confirmInMs });
  });
});

test('nothing ends a broadcast but two uncached offlines 10 s apart without media, or an uncached other room', () => {
  const anyLook = fc.oneof(
    fc.boolean().map(offline),
    fc.boolean().map(notFound),
    fc.tuple(fc.constantFrom('room', 'other'), fc.boolean()).map(([room, cached]) => live(room, cached)),
  );
  const anyStep = fc.tuple(fc.integer({ min: 0, max: 15 }), anyLook, fc.boolean());
  fc.assert(
    fc.property(fc.array(anyStep, { maxLength: 20 }), (deltas) => {
      let at = 0;
      const steps = deltas.map(([delta, look, flows]): [number, Look, boolean] => [
        (at += delta),
        look,
        flows,
      ]);
      const verdict = fold(steps);
      // The rule said the other way round: the longest tail without a word to the contrary.
      const endsAt = steps.findIndex(([seconds, look, flows], index) => {
        if (flows || look.meta.cached) return false;
        if (look.status === 'live') return look.room.roomId === 'other';
        if (look.status !== 'offline') return false;
        const contrary = steps.findLastIndex(
          ([, before, flowed], i) =>
            i < index && (flowed || (before.status === 'live' && !before.meta.cached)),
        );
        return steps
          .slice(contrary + 1, index)
          .some(
            ([then, before]) => before.status === 'offline' && !before.meta.cached && seconds - then >= 10,
          );
      });
      expect(verdict.kind === 'ended').toBe(endsAt !== -1);
    }),
  );
});
