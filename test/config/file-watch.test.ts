import { mkdir, rename, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { onFileChange } from '../../src/config/file-watch.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { silentLogger } from '../../src/kernel/logger.ts';
import { scratchFolder } from '../spool/scratch.ts';

/** Resolves at the next change. */
function changes(path: string): () => Promise<void> {
  const ending = new AbortController();
  onTestFinished(() => ending.abort());
  let told = (): void => {};
  onFileChange(path, () => told(), { clock: systemClock, log: silentLogger(), signal: ending.signal });
  return () =>
    new Promise((resolve) => {
      told = resolve;
    });
}

test('another file in the place of the old one is told, and so is one that is written to', async () => {
  const folder = await scratchFolder();
  const path = join(folder, 'livestow.yaml');
  await writeFile(path, 'uploads: 1\n');
  const next = changes(path);
  const replaced = next();
  await writeFile(join(folder, 'new.yaml'), 'uploads: 2\n');
  await rename(join(folder, 'new.yaml'), path);
  await expect(replaced).resolves.toBeUndefined();
  const written = next();
  await writeFile(path, 'uploads: 3\n');
  await expect(written).resolves.toBeUndefined();
});

test('a link that leads over another one, as Kubernetes makes them: that other one is changed', async () => {
  const folder = await scratchFolder();
  const path = join(folder, 'livestow.yaml');
  for (const version of ['..v1', '..v2']) {
    await mkdir(join(folder, version));
    await writeFile(join(folder, version, 'livestow.yaml'), `# ${version}\n`);
  }
  await symlink('..v1', join(folder, '..data'));
  await symlink('..data/livestow.yaml', path);
  const changed = changes(path)();
  await symlink('..v2', join(folder, '..data_tmp'));
  await rename(join(folder, '..data_tmp'), join(folder, '..data'));
  await expect(changed).resolves.toBeUndefined();
});
