/** Stores objects named by their digest in the folder that its argument names, and tells of each, until it is killed. */
import { randomBytes } from 'node:crypto';
import { DirectoryStore } from '../../src/store/directory-store.ts';
import { sha256Of } from '../../src/store/body.ts';

const store = new DirectoryStore(process.argv[2] ?? '');
for (let n = 0; ; n += 1) {
  const bytes = randomBytes(512 * 1024);
  await store.put(`${n % 3}/${sha256Of(bytes)}`, { bytes }, { ifAbsent: true });
  process.send?.(n);
}
