import { readdir, readFile, stat } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { mediaPath } from '../../src/sandbox/media/folder.ts';
import { prepareMedia } from '../../src/sandbox/media/prepare.ts';
import { accountSound } from '../support/sound.ts';
import { scratchFolder } from './scratch.ts';

test('two that make the same media at once both get it, and nothing else is left', async () => {
  const folder = await scratchFolder();
  const make = () => prepareMedia({ folder, names: ['sound'] });
  await Promise.all([make(), make()]);
  const path = mediaPath(folder, 'sound');
  expect((await readdir(folder, { recursive: true })).filter((name) => name.includes('.part'))).toEqual([]);
  expect((await readFile(path)).toString('latin1', 0, 3)).toBe('FLV');
  const { mtimeMs } = await stat(path);
  await make();
  expect((await stat(path)).mtimeMs).toBe(mtimeMs);
  expect(await accountSound(path)).toMatchObject({ frames: 4_410, breaks: [], errors: [] });
});

test('stops when it is told to, and leaves nothing half made', async () => {
  const folder = await scratchFolder();
  const stop = new AbortController();
  const onProgress = () => stop.abort();
  await expect(prepareMedia({ folder, names: ['small'], signal: stop.signal, onProgress })).rejects.toThrow();
  const left = await readdir(folder, { recursive: true });
  expect(left.filter((name) => name.includes('small') || name.includes('.part'))).toEqual([]);
});

test('a missing ffmpeg is an error, and so is one that fails', async () => {
  const folder = await scratchFolder();
  const missing = prepareMedia({ folder, names: ['sound'], ffmpeg: '/nonexistent/ffmpeg' });
  await expect(missing).rejects.toMatchObject({ code: 'FFMPEG_MISSING' });
  const failing = prepareMedia({ folder, names: ['sound'], ffmpeg: 'false' });
  await expect(failing).rejects.toMatchObject({ code: 'FFMPEG_FAILED' });
});
