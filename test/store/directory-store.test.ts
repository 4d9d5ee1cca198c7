import { fork } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readDigest } from '../../src/store/body.ts';
import { DirectoryStore } from '../../src/store/directory-store.ts';
import { collect, storeContract, text } from './contract.ts';

storeContract('a directory', {
  open: (scratch) => Promise.resolve(new DirectoryStore(join(scratch, 'archive'))),
  capabilities: { conditionalCreate: true, presignedUrls: false },
  headKnowsDigest: false,
});

describe('a directory store', () => {
  let root: string;
  let store: DirectoryStore;

  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'livestow-directory-'));
    store = new DirectoryStore(root);
  });
  afterAll(() => rm(root, { recursive: true }));

  const everything = async (): Promise<string[]> => (await readdir(root, { recursive: true })).sort();

  test('is plain files under their keys, and nothing else', async () => {
    await store.put('plain/a/b.json', text('{}'));
    expect(await readFile(join(root, 'plain/a/b.json'), 'utf8')).toBe('{}');
    await store.delete('plain/a/b.json');
    expect(await everything()).toEqual([]);
  });

  test('does not show what a crash left half-written, and sweeps it when it is a day old', async () => {
    await mkdir(join(root, 'crash'));
    const [fresh, stale] = ['~fresh.part', '~stale.part'].map((name) => join(root, 'crash', name)) as [
      string,
      string,
    ];
    await writeFile(fresh, 'half');
    await writeFile(stale, 'half');
    const twoDaysAgo = new Date(Date.now() - 48 * 3_600_000);
    await utimes(stale, twoDaysAgo, twoDaysAgo);
    expect(await collect(store.list(''))).toEqual([]);
    expect(await collect(store.folders(''))).toEqual([]);
    await store.put('crash/a', text('a'));
    expect(await everything()).toEqual(['crash', 'crash/a', 'crash/~fresh.part']);
  });

  test('sweeps at once what a process that is no more left half-written, and nothing of a live one', async () => {
    const sourceOf = (name: string) =>
      JSON.stringify(new URL(`../../src/store/${name}.ts`, import.meta.url).href);
    const script = `
      import { DirectoryStore } from ${sourceOf('directory-store')};
      const { writeFile } = await import('node:fs/promises');
      const { temporaryName } = await import(${sourceOf('directory-folders')});
      await new DirectoryStore(process.argv[2]).put('killed/a', { bytes: new Uint8Array(1) });
      await writeFile(process.argv[2] + '/killed/' + temporaryName(), 'half');
      process.send('written');
      setInterval(() => {}, 1_000);
    `;
    const path = join(root, 'writer.mjs');
    await writeFile(path, script);
    const writer = fork(path, [root]);
    const partial = async () => (await everything()).filter((name) => name.startsWith('killed/~'));
    try {
      await once(writer, 'message');
      await new DirectoryStore(root).put('killed/b', text('b'));
      expect(await partial()).toEqual([expect.stringMatching(/^killed\/~/)]);
      writer.kill('SIGKILL');
      await once(writer, 'exit');
      await new DirectoryStore(root).put('killed/c', text('c'));
      expect(await partial()).toEqual([]);
    } finally {
      writer.kill('SIGKILL');
      await rm(path);
      for (const name of ['a', 'b', 'c']) await store.delete(`killed/${name}`);
    }
  });

  test('writes again into a folder that somebody else removed', async () => {
    await store.put('shared/a', text('a'));
    await rm(join(root, 'shared'), { recursive: true });
    await store.put('shared/b', text('b'));
    expect((await collect(store.list('shared/'))).map(({ key }) => key)).toEqual(['shared/b']);
  });

  test('leaves a folder standing when another writer is in it', async () => {
    const other = new DirectoryStore(root);
    await Promise.all(
      Array.from({ length: 40 }, async (_, n) => {
        await store.put(`both/here/${n}`, text('x'));
        await (n % 2 === 0 ? store : other).delete(`both/here/${n}`);
      }),
    );
    expect(await collect(store.list('both/'))).toEqual([]);
  });

  test('follows links to folders, and copes with a loop of them', async () => {
    await store.put('linked/real/a', text('a'));
    await symlink(join(root, 'linked/real'), join(root, 'linked/too'));
    await symlink(join(root, 'linked/loop'), join(root, 'linked/loop'));
    await symlink(join(root, 'linked/nowhere'), join(root, 'linked/dangling'));
    expect((await collect(store.list('linked/'))).map(({ key }) => key)).toEqual([
      'linked/real/a',
      'linked/too/a',
    ]);
  });

  test('says that a key is taken by a folder, and the other way round', async () => {
    await store.put('taken/a/b', text('b'));
    await expect(store.put('taken/a', text('a'))).rejects.toMatchObject({
      code: 'STORE_UNAVAILABLE',
      retryable: false,
    });
    await expect(store.put('taken/a/b/c', text('c'))).rejects.toMatchObject({
      code: 'STORE_UNAVAILABLE',
      retryable: false,
    });
    await expect(store.get('taken/a')).rejects.toMatchObject({ code: 'STORE_NOT_FOUND' });
    await expect(store.get('taken/a/b/c')).rejects.toMatchObject({ code: 'STORE_NOT_FOUND' });
    await store.delete('taken/a/b/c');
    expect((await collect(store.list('taken/'))).map(({ key }) => key)).toEqual(['taken/a/b']);
  });

  test('takes a file that may only be read', async () => {
    const file = join(root, 'taken', 'a', '~read-only');
    await writeFile(file, 'read only');
    await chmod(file, 0o400);
    await store.put('read-only', { file, size: 9 });
    expect(await readDigest(store, 'read-only')).toMatchObject({ bytes: 9 });
  });

  test('a writer killed at any moment leaves whole objects only', { tags: 'killed' }, async () => {
    const folder = join(root, 'killed');
    for (const objects of [1, 3, 9]) {
      const writer = fork(join(import.meta.dirname, '../fixtures/endless-writer.ts'), [folder], {
        stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      });
      for (let n = 0; n < objects; n += 1) await once(writer, 'message');
      const exited = once(writer, 'exit');
      writer.kill('SIGKILL');
      await exited;
    }
    const left = new DirectoryStore(folder);
    const objects = await collect(left.list(''));
    expect(objects.length).toBeGreaterThanOrEqual(13);
    for (const { key } of objects)
      expect((await readDigest(left, key))?.sha256).toBe(key.slice(key.lastIndexOf('/') + 1));
  });
});
