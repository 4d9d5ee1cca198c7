import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { requireWritableSpool } from '../../src/spool/writable-spool.ts';
import { readOnlyFolder, smallDisk } from '../support/disks.ts';
import { scratchFolder } from './scratch.ts';

test('makes the folder, and leaves nothing in it', async () => {
  const root = join(await scratchFolder(), 'a', 'spool');
  await requireWritableSpool(root);
  expect(await readdir(root)).toEqual([]);
});

test('a disk that is mounted read-only is refused', { tags: 'disk-read-only' }, async (context) => {
  const folder = await readOnlyFolder(context);
  for (const root of [folder, join(folder, 'spool')]) {
    await expect(requireWritableSpool(root)).rejects.toMatchObject({
      code: 'SPOOL',
      message: expect.stringContaining('EROFS'),
      hint: expect.stringContaining('--spool'),
      cause: { code: 'EROFS' },
    });
  }
});

test('a file system that takes no files is refused', { tags: 'disk-read-only' }, async () => {
  await expect(requireWritableSpool('/proc/self')).rejects.toMatchObject({ code: 'SPOOL' });
});

test('a full disk is not: it will have room again', { tags: 'disk-full' }, async (context) => {
  const disk = await smallDisk(context, 1);
  await disk.fill();
  await requireWritableSpool(disk.folder);
  expect(await readdir(disk.folder)).toEqual(['filler']);
});
