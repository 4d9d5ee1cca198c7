/** When jobs run, and what is known of it afterwards. */
import { describe, expect, test } from 'vitest';
import { JobBench, reindexAt, verifyAt } from './bench.ts';

const at = (text: string): string => `2026-11-23T${text}:00.000Z`;

describe('a job that is due', () => {
  test('runs at its time, once, and is told with its end', async () => {
    const bench = await JobBench.make(at('02:50'));
    bench.start({ nightly: reindexAt('0 3 * * *') });
    expect(bench.runner.statuses).toMatchObject([{ job: 'nightly', nextAt: at('03:00'), last: null }]);
    await bench.minutes(9);
    expect(bench.begun).toHaveLength(0);
    await bench.minutes(1);
    expect(bench.last.context.dueMs).toBe(Date.parse(at('03:00')));
    expect(bench.runner.statuses).toMatchObject([{ running: { startedAt: at('03:00'), waits: false } }]);
    bench.last.context.progress(0.5, 'half');
    expect(bench.runner.statuses[0]?.running).toMatchObject({ done: 0.5, note: 'half' });
    await bench.minutes(5);
    bench.last.done({ message: '3 of 3 sessions' });
    await bench.minutes(60);
    expect(bench.begun).toHaveLength(1);
    expect(bench.told).toEqual(['nightly started', 'nightly done']);
    expect(bench.runner.statuses).toMatchObject([
      {
        nextAt: '2026-11-24T03:00:00.000Z',
        running: null,
        last: {
          by: 'schedule',
          scheduledFor: at('03:00'),
          startedAt: at('03:00'),
          endedAt: at('03:05'),
          outcome: 'done',
          message: '3 of 3 sessions',
        },
      },
    ]);
  });

  test('runs by the clock of its zone, also on the day on which clocks go back', async () => {
    const bench = await JobBench.make('2026-10-24T12:00:00.000Z');
    bench.start({ nightly: reindexAt('30 2 * * *', { timeZone: 'Europe/Berlin' }) });
    const due: string[] = [];
    for (let day = 0; day < 3; day += 1) {
      await bench.minutes(24 * 60);
      due.push(new Date(bench.last.context.dueMs).toISOString());
      bench.last.done();
    }
    expect(due).toEqual(['2026-10-25T00:30:00.000Z', '2026-10-26T01:30:00.000Z', '2026-10-27T01:30:00.000Z']);
    expect(bench.begun).toHaveLength(3);
  });

  test('no timer waits for long, however far off the next run is: clocks are set, and timers have a limit', async () => {
    const bench = await JobBench.make('2026-12-30T00:00:00.000Z');
    bench.start({ yearly: reindexAt('@yearly'), never: reindexAt('0 0 29 2 *') });
    await bench.minutes(24 * 60);
    expect(bench.begun).toHaveLength(0);
    expect(bench.clock.pendingMs).toEqual([60_000]);
    await bench.minutes(24 * 60);
    expect(bench.begun.map(({ job }) => job)).toEqual(['yearly']);
    bench.last.done();
  });

  test('is noticed when the machine slept over it, and when somebody set the clock', async () => {
    const bench = await JobBench.make(at('02:00'));
    bench.start({ nightly: reindexAt('0 3 * * *') });
    bench.clock.suspend(3 * 3_600_000);
    await bench.minutes(1);
    expect(bench.begun).toHaveLength(1);
    bench.last.done();
    bench.clock.set(24 * 3_600_000);
    await bench.minutes(1);
    expect(bench.begun).toHaveLength(2);
    bench.last.done();
    bench.clock.set(-24 * 3_600_000);
    await bench.minutes(60);
    expect(bench.begun).toHaveLength(2);
  });

  test.each([
    ['a problem makes it done in part', { problems: ['one stays'] }, 'partly'],
    ['none, done', { problems: [] }, 'done'],
  ])('%s', async (_, report, outcome) => {
    const bench = await JobBench.make(at('02:59'));
    bench.start({ nightly: reindexAt('0 3 * * *') });
    await bench.minutes(1);
    bench.last.done(report);
    await bench.minutes(1);
    expect(bench.ledger.last('nightly')).toMatchObject({ outcome, ...report });
  });

  test('that fails is told with the reason, and runs the next time', async () => {
    const bench = await JobBench.make(at('02:59'));
    bench.start({ hourly: reindexAt('@hourly') });
    await bench.minutes(1);
    bench.last.fail(new Error('the store is away'));
    await bench.minutes(60);
    expect(bench.told).toEqual(['hourly started', 'hourly failed', 'hourly started']);
    expect(bench.ledger.last('hourly')).toMatchObject({
      outcome: 'failed',
      message: 'the store is away',
    });
  });
});

describe('what is told of jobs in short', () => {
  test('whether each runs, and when it was last done in full, over a restart too', async () => {
    const bench = await JobBench.make(at('02:59'));
    bench.start({ hourly: reindexAt('@hourly') });
    const idle = { job: 'hourly', kind: 'reindex', isRunning: false };
    expect(bench.runner.overview).toEqual([{ ...idle, lastDoneAt: null }]);
    await bench.minutes(1);
    expect(bench.runner.overview).toEqual([{ ...idle, isRunning: true, lastDoneAt: null }]);
    await bench.minutes(5);
    bench.last.done();
    await bench.minutes(55);
    bench.last.done({ problems: ['one stays'] });
    await bench.minutes(60);
    bench.last.fail(new Error('the store is away'));
    await bench.minutes(1);
    expect(bench.runner.overview).toEqual([{ ...idle, lastDoneAt: at('03:05') }]);
    bench.crash();
    bench.start({ hourly: reindexAt('@hourly') });
    expect(bench.runner.overview).toEqual([{ ...idle, lastDoneAt: at('03:05') }]);
  });

  test('one that waits for others does not run; one that is taken off the config runs to its end', async () => {
    const bench = await JobBench.make(at('02:59'));
    bench.start({ first: verifyAt('0 3 * * *'), second: verifyAt('0 3 * * *') });
    await bench.minutes(1);
    const runs = () => bench.runner.overview.map(({ job, isRunning }) => [job, isRunning]);
    expect(runs()).toEqual([
      ['first', true],
      ['second', false],
    ]);
    bench.runner.apply({});
    bench.last.done();
    await bench.minutes(1);
    expect(runs()).toEqual([['second', true]]);
    bench.last.done();
    await bench.minutes(1);
    expect(runs()).toEqual([]);
  });
});

describe('runs that were missed', () => {
  test('are made up for by one, and by none of a job that is new', async () => {
    const bench = await JobBench.make(at('00:10'));
    bench.start({ hourly: reindexAt('@hourly') });
    await bench.minutes(51);
    bench.last.done();
    await bench.minutes(1);
    await bench.runner.end();

    bench.clock.suspend(5 * 3_600_000);
    bench.crash();
    bench.start({ hourly: reindexAt('@hourly'), fresh: reindexAt('@hourly') });
    await bench.minutes(0);
    expect(bench.begun).toHaveLength(2);
    bench.last.done();
    await bench.minutes(1);
    expect(bench.ledger.last('hourly')).toMatchObject({
      scheduledFor: at('06:00'),
      missedSince: at('02:00'),
      outcome: 'done',
    });
    expect(bench.ledger.last('fresh')).toBeNull();
  });
});

describe('a job that still runs when it is due', () => {
  test('is left out and said so; the next time it runs', async () => {
    const bench = await JobBench.make(at('00:59'));
    bench.start({ hourly: reindexAt('@hourly') });
    await bench.minutes(1 + 60);
    expect(bench.told).toEqual(['hourly started', 'hourly skipped']);
    bench.last.done();
    await bench.minutes(60);
    expect(bench.told.slice(2)).toEqual(['hourly done', 'hourly started']);
    const outcomes = bench.ledger.history({ job: 'hourly', most: 9 }).map(({ outcome }) => outcome);
    expect(outcomes).toEqual([null, 'skipped', 'done']);
  });

  test('in another process too', { tags: 'second-recorder' }, async () => {
    const bench = await JobBench.make(at('00:59'));
    bench.start({ hourly: reindexAt('@hourly') });
    const byHand = bench.lock('hourly');
    await bench.minutes(2);
    expect(bench.told).toEqual(['hourly skipped']);
    expect(() => bench.runner.run('hourly')).toThrow(expect.objectContaining({ code: 'HELD' }));
    byHand.release();
    await bench.minutes(60);
    expect(bench.told).toEqual(['hourly skipped', 'hourly started']);
  });

  test('may not be started by hand either', async () => {
    const bench = await JobBench.make(at('00:59'));
    bench.start({ hourly: reindexAt('@hourly') });
    const first = bench.runner.run('hourly');
    expect(() => bench.runner.run('hourly')).toThrow(expect.objectContaining({ code: 'HELD' }));
    await bench.minutes(0);
    bench.last.done();
    expect(await first).toMatchObject({ by: 'hand', scheduledFor: null, outcome: 'done' });
  });
});

test('what reads media runs one at a time, in order; other jobs beside it, two at once', async () => {
  const bench = await JobBench.make(at('00:59'));
  bench.start({
    first: verifyAt('@hourly'),
    second: verifyAt('@hourly'),
    a: reindexAt('@hourly'),
    b: reindexAt('@hourly'),
    c: reindexAt('@hourly'),
  });
  await bench.minutes(1);
  expect(bench.begun.map(({ job }) => job)).toEqual(['first', 'a', 'b']);
  expect(bench.runner.statuses.map(({ running }) => running?.waits)).toEqual([
    false,
    true,
    false,
    false,
    true,
  ]);
  for (const { done } of bench.begun) done();
  await bench.minutes(1);
  expect(bench.begun.slice(3).map(({ job }) => job)).toEqual(['second', 'c']);
});

describe('stopping', () => {
  test('a run says that it was stopped; one that waits for others goes at once', async () => {
    const bench = await JobBench.make(at('00:59'));
    bench.start({ first: verifyAt('@hourly'), second: verifyAt('@hourly') });
    await bench.minutes(1);
    expect(bench.runner.stop('second')).toBe(true);
    await bench.minutes(0);
    expect(bench.told).toEqual(['first started', 'second stopped']);
    expect(bench.runner.stop('first')).toBe(true);
    await bench.minutes(0);
    expect(bench.ledger.last('first')).toMatchObject({ outcome: 'stopped', message: 'stopped by hand' });
    expect(bench.runner.stop('first')).toBe(false);
    expect(bench.begun.map(({ job }) => job)).toEqual(['first']);
    await bench.minutes(60);
    expect(bench.last.job).toBe('first');
    expect(bench.begun).toHaveLength(2);
  });

  test('the end stops all, begins none, and leaves no timer', async () => {
    const bench = await JobBench.make(at('00:59'));
    bench.start({ first: verifyAt('@hourly'), second: verifyAt('@hourly') });
    await bench.minutes(1);
    await bench.runner.end();
    expect(bench.told).toEqual(['first started', 'first stopped', 'second stopped'].toSorted());
    expect(bench.ledger.unfinished()).toEqual([]);
    expect(bench.clock.pendingMs).toEqual([]);
    bench.lock('first').release();
  });
});

describe('a crash', () => {
  test(
    'in the middle: the run is interrupted, and not begun again before its time',
    { tags: 'killed' },
    async () => {
      const bench = await JobBench.make(at('02:59'));
      bench.start({ nightly: reindexAt('0 3 * * *') });
      await bench.minutes(1);
      // Its ledger hears no more of it, and the system gives its lock back.
      bench.ledger.close();
      bench.runner.stop('nightly');
      await bench.minutes(0);
      bench.crash();
      bench.events.splice(0);
      bench.start({ nightly: reindexAt('0 3 * * *') });
      expect(bench.told).toEqual(['nightly interrupted']);
      expect(bench.runner.statuses).toMatchObject([
        {
          running: null,
          nextAt: '2026-11-24T03:00:00.000Z',
          last: { outcome: 'interrupted', endedAt: null },
        },
      ]);
      await bench.minutes(10);
      expect(bench.begun).toHaveLength(1);
      await bench.minutes(24 * 60);
      expect(bench.begun).toHaveLength(2);
    },
  );

  test('what another process runs is no crash', async () => {
    const bench = await JobBench.make(at('02:30'));
    const other = bench.lock('nightly');
    bench.ledger.begin({
      job: 'nightly',
      kind: 'reindex',
      by: 'hand',
      scheduledMs: null,
      missedSinceMs: null,
      startedMs: bench.clock.now(),
    });
    bench.start({ nightly: reindexAt('0 3 * * *') });
    expect(bench.runner.statuses).toMatchObject([{ running: { note: 'in another process' } }]);
    other.release();
    bench.runner.settle();
    expect(bench.told).toEqual(['nightly interrupted']);
  });
});

describe('another config', () => {
  test('changes when a job runs, and nothing of the run that is under way', async () => {
    const bench = await JobBench.make(at('02:59'));
    bench.start({ nightly: reindexAt('0 3 * * *') });
    await bench.minutes(1);
    const running = bench.last;
    bench.runner.apply({ other: reindexAt('5 3 * * *') });
    expect(running.context.signal.aborted).toBe(false);
    expect(bench.runner.statuses.map(({ job }) => job)).toEqual(['other']);
    await bench.minutes(5);
    expect(bench.last.job).toBe('other');
    running.done();
    bench.last.done();
    await bench.minutes(1);
    expect(bench.told).toEqual(['nightly started', 'other started', 'nightly done', 'other done']);
  });

  test('a time that has just passed is not made up for', async () => {
    const bench = await JobBench.make(at('02:59'));
    bench.start({ nightly: reindexAt('0 3 * * *') });
    await bench.minutes(1);
    bench.last.done();
    await bench.minutes(9 * 60);
    bench.runner.apply({ nightly: reindexAt('0 11 * * *') });
    bench.runner.apply({ nightly: reindexAt('0 9 * * *') });
    await bench.minutes(1);
    expect(bench.begun).toHaveLength(1);
    expect(bench.runner.statuses).toMatchObject([{ nextAt: '2026-11-24T09:00:00.000Z' }]);
  });

  test('a job that is paused does not run, and does not make up for it afterwards', async () => {
    const bench = await JobBench.make(at('00:59'));
    const jobs = { hourly: reindexAt('@hourly', { paused: true }) };
    bench.start(jobs);
    await bench.minutes(121);
    expect(bench.runner.statuses).toMatchObject([{ paused: true, nextAt: null }]);
    const byHand = bench.runner.run('hourly');
    await bench.minutes(0);
    bench.last.done();
    expect(await byHand).toMatchObject({ outcome: 'done' });
    bench.runner.apply({ hourly: reindexAt('@hourly') });
    await bench.minutes(30);
    expect(bench.begun).toHaveLength(1);
    await bench.minutes(31);
    expect(bench.begun).toHaveLength(2);
  });

  test('an unknown job', async () => {
    const bench = await JobBench.make(at('00:00'));
    bench.start({});
    expect(() => bench.runner.run('none')).toThrow(expect.objectContaining({ code: 'NOT_FOUND' }));
  });
});

describe('history', () => {
  test('is bounded, the newest first, and outlives the process', async () => {
    const bench = await JobBench.make(at('00:00'));
    const run = { kind: 'reindex', by: 'schedule', scheduledMs: null, missedSinceMs: null } as const;
    for (let n = 0; n < 250; n += 1) {
      const id = bench.ledger.begin({ ...run, job: n % 25 === 0 ? 'rare' : 'often', startedMs: n });
      bench.ledger.end(id, { outcome: 'done', message: String(n), problems: [] }, n);
    }
    bench.crash();
    expect(bench.ledger.history({ most: 2 }).map(({ message }) => message)).toEqual(['249', '248']);
    expect(bench.ledger.history({ job: 'often', most: 1_000 })).toHaveLength(201);
    expect(bench.ledger.history({ job: 'rare', most: 1_000 })).toHaveLength(10);
  });

  test('problems are bounded', async () => {
    const bench = await JobBench.make(at('00:59'));
    bench.start({ hourly: reindexAt('@hourly') });
    await bench.minutes(1);
    bench.last.done({ problems: Array.from({ length: 1_000 }, () => 'x'.repeat(5_000)) });
    await bench.minutes(1);
    const problems = bench.ledger.last('hourly')?.problems ?? [];
    expect(problems).toHaveLength(20);
    expect(problems[0]).toHaveLength(500);
  });
});
