import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { CreditFile } from '../../src/daemon/credit-file.ts';
import { CreditWatch } from '../../src/daemon/credit-watch.ts';
import { LivestowError } from '../../src/kernel/errors.ts';
import { silentLogger } from '../../src/kernel/logger.ts';
import { ManualClock } from '../manual-clock.ts';
import { scratchFolder } from '../spool/scratch.ts';

const HOUR_MS = 3_600_000;

describe('what is told of the credits of a day', () => {
  function watched(perDay: number | null) {
    const clock = new ManualClock();
    const told: string[] = [];
    let spent = 0;
    const watch = new CreditWatch({
      clock,
      perDay,
      spentToday: () => spent,
      report: ({ level }) => told.push(level),
    });
    const look = (spentByNow: number): void => {
      spent = spentByNow;
      watch.looked();
    };
    return { clock, told, watch, look };
  }

  test('each level once, and that the next day begins', async () => {
    const { clock, told, look } = watched(100);
    for (const spent of [1, 50, 79, 80, 81, 99, 100, 100]) look(spent);
    expect(told).toEqual(['low', 'spent']);
    await clock.advance(24 * HOUR_MS);
    look(1);
    expect(told).toEqual(['low', 'spent', 'renewed']);
  });

  test('nothing of a day without a limit', () => {
    const { told, look } = watched(null);
    look(1e9);
    expect(told).toEqual([]);
  });

  test('that the API has none left, and that it has again', () => {
    const { told, watch, look } = watched(null);
    const refusal = new LivestowError('LOOKUP_CREDITS', 'none left');
    watch.lookFailed(new LivestowError('LOOKUP_FAILED', 'something else'));
    watch.lookFailed(refusal);
    watch.lookFailed(refusal);
    expect(told).toEqual(['refused']);
    look(1);
    expect(told).toEqual(['refused', 'renewed']);
  });
});

describe('what was spent today, over a restart', () => {
  async function kept() {
    const folder = await scratchFolder();
    const clock = new ManualClock();
    const open = () => CreditFile.open(folder, { clock, log: silentLogger() });
    return { folder, clock, open };
  }

  test('is known on the same day, and nothing of it on the next', async () => {
    const { clock, open } = await kept();
    const file = await open();
    expect(file.spentBefore).toBe(0);
    file.note(7);
    file.note(9);
    await file.close();
    expect((await open()).spentBefore).toBe(9);
    await clock.advance(24 * HOUR_MS);
    expect((await open()).spentBefore).toBe(0);
  });

  test('counts for the day on which it was spent, also when that is over before it is written', async () => {
    const { clock, open } = await kept();
    const dayMs = 24 * HOUR_MS;
    await clock.advance(dayMs - (clock.now() % dayMs) - 2_000);
    const file = await open();
    file.note(99);
    await clock.advance(4_000);
    await file.close();
    expect((await open()).spentBefore).toBe(0);
  });

  test('is written while it goes on too: a crash forgets seconds of it', async () => {
    const { clock, open } = await kept();
    const file = await open();
    file.note(5);
    await clock.advance(5_000);
    // Closing writes nothing more; it waits for what is being written.
    await file.close();
    expect((await open()).spentBefore).toBe(5);
    expect(clock.pendingMs).toEqual([]);
  });

  test('a file that cannot be understood is none', async () => {
    const { folder, open } = await kept();
    await writeFile(join(folder, 'credits.json'), '{"day":');
    expect((await open()).spentBefore).toBe(0);
  });
});
