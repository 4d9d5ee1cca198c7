import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { lockCreator } from '../../src/spool/creator-lock.ts';
import { scratchFolder } from './scratch.ts';

const PROGRAM = fileURLToPath(new URL('hold-lock.ts', import.meta.url));

/** Another process, and the first thing that it says. */
async function holder(spool: string, handle: string): Promise<{ child: ChildProcess; says: string }> {
  const child = spawn(process.execPath, [PROGRAM, spool, handle], { stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  const [line] = await once(child.stdout, 'data');
  return { child, says: String(line).trim() };
}

test('one recorder per creator, whoever has the lock', { tags: 'second-recorder' }, async () => {
  const spool = await scratchFolder();
  const mine = lockCreator(spool, 'alice');
  expect((await holder(spool, 'alice')).says).toBe('HELD');
  // Another creator's recorder shares the spool.
  expect((await holder(spool, 'bob')).says).toBe('held');
  expect(() => lockCreator(spool, 'bob')).toThrow(
    expect.objectContaining({ code: 'HELD', hint: expect.stringContaining('bob') }),
  );
  mine.release();
  expect((await holder(spool, 'alice')).says).toBe('held');
});

test('twice in one process', async () => {
  const spool = await scratchFolder();
  const first = lockCreator(spool, 'alice');
  expect(() => lockCreator(spool, 'alice')).toThrow(expect.objectContaining({ code: 'HELD' }));
  // That the second was refused did not free the first.
  expect((await holder(spool, 'alice')).says).toBe('HELD');
  first.release();
  lockCreator(spool, 'alice').release();
});

test('kill -9 of the holder frees it at once', { tags: 'killed' }, async () => {
  const spool = await scratchFolder();
  for (let round = 0; round < 3; round += 1) {
    const { child, says } = await holder(spool, 'alice');
    expect(says).toBe('held');
    expect(() => lockCreator(spool, 'alice')).toThrow(expect.objectContaining({ code: 'HELD' }));
    child.kill('SIGKILL');
    await once(child, 'exit');
    lockCreator(spool, 'alice').release();
  }
});

test('a spool that cannot be one is another error', async () => {
  const spool = await scratchFolder();
  await writeFile(join(spool, 'alice'), 'no folder');
  expect(() => lockCreator(spool, 'alice')).toThrow(
    expect.objectContaining({ code: 'SPOOL', hint: expect.any(String) }),
  );
});
