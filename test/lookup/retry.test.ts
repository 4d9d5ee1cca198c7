import { describe, expect, test } from 'vitest';
import { backoffMs } from '../../src/kernel/backoff.ts';
import { LivestowError } from '../../src/kernel/errors.ts';
import { retryQuickly } from '../../src/lookup/retry.ts';
import { ManualClock } from '../manual-clock.ts';

const failed = (retryAfterMs?: number) =>
  new LivestowError('LOOKUP_FAILED', 'no', { retryable: true, context: { retryAfterMs } });

/** Runs it against a clock that jumps from wait to wait; tells what was waited for. */
async function run(errors: unknown[], budget: { tries: number; maxWaitMs: number }) {
  const clock = new ManualClock();
  const waits: number[] = [];
  let tries = 0;
  const done = retryQuickly(
    async () => {
      tries += 1;
      const error = errors.shift();
      if (error) throw error as Error;
      return 'answer';
    },
    { ...budget, signal: new AbortController().signal, random: () => 1, clock },
  ).catch((error: Error) => error);
  const settled = done.then(() => true);
  for (;;) {
    const more = await Promise.race([settled.then(() => false), clock.waiting().then(() => true)]);
    if (!more) break;
    waits.push(clock.pendingMs[0] ?? 0);
    await clock.advance(clock.pendingMs[0] ?? 0);
  }
  return { outcome: await done, waits, tries };
}

describe('retryQuickly', () => {
  test('waits longer each time, within the tries', async () => {
    const last = failed();
    const { outcome, waits, tries } = await run([failed(), failed(), failed(), last], {
      tries: 4,
      maxWaitMs: 60_000,
    });
    expect({ outcome, waits, tries }).toEqual({ outcome: last, waits: [500, 1_000, 2_000], tries: 4 });
  });

  test('an answer ends it', async () => {
    expect(await run([failed()], { tries: 4, maxWaitMs: 60_000 })).toMatchObject({
      outcome: 'answer',
      tries: 2,
    });
  });

  test('Retry-After is a lower bound, and not waited for beyond the budget', async () => {
    expect(await run([failed(3_000)], { tries: 3, maxWaitMs: 5_000 })).toMatchObject({
      outcome: 'answer',
      waits: [3_000],
    });
    const late = failed(30_000);
    expect(await run([late], { tries: 3, maxWaitMs: 5_000 })).toMatchObject({
      outcome: late,
      waits: [],
      tries: 1,
    });
  });

  test.each([new LivestowError('LOOKUP_UNAUTHORIZED', 'no'), new Error('bug')])(
    '%s is final',
    async (error) => {
      expect(await run([error], { tries: 3, maxWaitMs: 5_000 })).toMatchObject({ outcome: error, tries: 1 });
    },
  );
});

test('backoff lies between half a step and a whole one, up to its bound', () => {
  const policy = { baseMs: 500, maxMs: 60_000 };
  expect([1, 2, 3].map((n) => backoffMs(n, policy, () => 0))).toEqual([250, 500, 1_000]);
  expect([1, 2, 3].map((n) => backoffMs(n, policy, () => 1))).toEqual([500, 1_000, 2_000]);
  expect(backoffMs(1_000, policy, () => 1)).toBe(60_000);
});
