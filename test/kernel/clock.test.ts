import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { setTimeout as after } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../src/kernel/clock.ts';

const FIXTURE = fileURLToPath(new URL('./fixtures/clock-process.ts', import.meta.url));
const STOP_MS = 3_000;

interface Told {
  what: string;
  monotonicMs: number;
  awakeMs: number;
  nowMs: number;
}

test(
  'the time in which a process is stopped passes, and it was not awake: no timer is overdue',
  { tags: 'suspended' },
  async () => {
    const child = spawn(process.execPath, [FIXTURE, '2500'], { stdio: ['ignore', 'pipe', 'inherit'] });
    onTestFinished(() => void child.kill('SIGKILL'));
    const told: Told[] = [];
    for await (const line of createInterface({ input: child.stdout })) {
      told.push(JSON.parse(line) as Told);
      if (told.length !== 5) continue;
      child.kill('SIGSTOP');
      await after(STOP_MS);
      child.kill('SIGCONT');
    }
    const [began, fired] = [told[0]!, told.at(-1)!];
    expect(fired.what).toBe('fired');
    const passedMs = fired.monotonicMs - began.monotonicMs;
    expect(fired.awakeMs - began.awakeMs).toBeGreaterThanOrEqual(2_499);
    expect(passedMs - (fired.awakeMs - began.awakeMs)).toBeGreaterThan(STOP_MS - 1_300);
    // The wall clock went on with it.
    expect(Math.abs(fired.nowMs - began.nowMs - passedMs)).toBeLessThan(100);
  },
);

test('a wait that is longer than any timer is no wait of a millisecond', async () => {
  let fired = false;
  const cancel = systemClock.after(30 * 86_400_000, () => {
    fired = true;
  });
  await systemClock.delay(50);
  cancel();
  expect(fired).toBe(false);
});

test('a wait ends with the reason of its signal', async () => {
  const over = new AbortController();
  const waiting = systemClock.delay(60_000, over.signal);
  over.abort(new Error('enough'));
  await expect(waiting).rejects.toThrow('enough');
  await expect(systemClock.delay(0, over.signal)).rejects.toThrow('enough');
});
