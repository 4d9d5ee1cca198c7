import { describe, expect, test } from 'vitest';
import {
  planRetention,
  type Limits,
  type RetainedSession,
  type RetentionPolicy,
} from '../../src/archive/retention.ts';

const DAY = 86_400_000;
const NOW = Date.UTC(2026, 10, 22);
const NONE: Limits = { maxAgeMs: null, maxBytes: null, maxSessions: null };

/** `a10`: of creator a, ended 10 days ago, with 1 MB; what is added says what is special about it. */
const SESSIONS: Record<string, Partial<RetainedSession>> = {
  a40: {},
  a30: {},
  a20: {},
  a10: {},
  b35: {},
  b5: {},
};

function sessions(special: Record<string, Partial<RetainedSession>>): RetainedSession[] {
  return Object.entries({ ...SESSIONS, ...special }).map(([name, more]) => ({
    session: name,
    creator: name.slice(0, 1),
    endedAtMs: NOW - Number(name.slice(1)) * DAY,
    bytes: 1e6,
    isFixed: false,
    isSealed: true,
    ...more,
  }));
}

const held = { isFixed: true };
const unsealed = { isFixed: true, isSealed: false };

interface Policy {
  each?: Partial<Limits>;
  all?: Partial<Limits>;
  keepAtLeast?: number;
}

const policyOf = ({ each, all, keepAtLeast = 0 }: Policy): RetentionPolicy => ({
  each: { ...NONE, ...each },
  all: { ...NONE, ...all },
  keepAtLeast,
});

const plan = (policy: Policy, special: Record<string, Partial<RetainedSession>> = {}) =>
  planRetention(sessions(special), policyOf(policy), NOW);

describe('what goes, oldest first', () => {
  test.each<[what: string, policy: Policy, special: Record<string, Partial<RetainedSession>>, gone: string]>([
    ['without limits nothing', {}, {}, ''],
    ['older than 25 days', { each: { maxAgeMs: 25 * DAY } }, {}, 'a40 b35 a30'],
    ['just as old stays', { each: { maxAgeMs: 30 * DAY } }, {}, 'a40 b35'],
    ['two sessions each', { each: { maxSessions: 2 } }, {}, 'a40 a30'],
    ['2.5 MB each', { each: { maxBytes: 2.5e6 } }, {}, 'a40 a30'],
    ['exactly as much stays', { each: { maxBytes: 3e6 } }, {}, 'a40'],
    ['five in all', { all: { maxSessions: 5 } }, {}, 'a40'],
    ['3 MB in all, of whomever', { all: { maxBytes: 3e6 } }, {}, 'a40 b35 a30'],
    [
      'what goes for one limit counts for none of the others',
      { each: { maxAgeMs: 25 * DAY }, all: { maxBytes: 3e6 } },
      {},
      'a40 b35 a30',
    ],
    ['a held one stays, and a younger one goes', { each: { maxSessions: 3 } }, { a40: held }, 'a30'],
    ['an old one that is held stays', { each: { maxAgeMs: 25 * DAY } }, { a40: held }, 'b35 a30'],
    ['one that is not sealed counts and stays', { each: { maxSessions: 2 } }, { a10: unsealed }, 'a40 a30'],
    [
      'a big one goes only when its turn comes',
      { each: { maxBytes: 6e6 } },
      { a20: { bytes: 5e6 } },
      'a40 a30',
    ],
    [
      'the newest stay, whatever the limits say',
      { each: { maxAgeMs: DAY }, keepAtLeast: 1 },
      {},
      'a40 b35 a30 a20',
    ],
    [
      'of each creator, also where a limit is for all',
      { all: { maxBytes: 1 }, keepAtLeast: 2 },
      {},
      'a40 a30',
    ],
    [
      'what is not sealed is none of those that are kept',
      { each: { maxAgeMs: DAY }, keepAtLeast: 1 },
      { a10: unsealed },
      'a40 b35 a30',
    ],
  ])('%s', (_what, policy, special, gone) => {
    expect(
      plan(policy, special)
        .map(({ of }) => of.session)
        .join(' '),
    ).toBe(gone);
  });
});

test('each says why', () => {
  const reasons = (policy: Policy): string[] => plan(policy).map(({ reason }) => reason);
  expect(reasons({ each: { maxAgeMs: 36 * DAY } })).toEqual(['older than 36d']);
  expect(reasons({ each: { maxSessions: 3 } })).toEqual(['more than 3 sessions of a creator']);
  expect(reasons({ all: { maxBytes: 5e6 } })).toEqual(['more than 4.8 MiB in all']);
});
