/** The store, by what livestow does with one: put, put only where nothing is, get, list, delete. Leaves nothing behind. */
import { randomUUID } from 'node:crypto';
import { isAbsolute } from 'node:path';
import { buffer } from 'node:stream/consumers';
import type { Config } from '../../config/schema.ts';
import type { Clock } from '../../kernel/clock.ts';
import { isLivestowError, LivestowError } from '../../kernel/errors.ts';
import { INDEX } from '../../layout/keys.ts';
import { openStore } from '../../store/open-store.ts';
import type { Store } from '../../store/store.ts';
import { clockFinding } from './clock.ts';
import type { Check, Finding } from './finding.ts';
import { freeSpace } from './machine.ts';

const BYTES = Buffer.from('livestow doctor put this here and takes it away again\n');

export const checkStore =
  (config: Config, clock: Clock): Check =>
  async (signal) => {
    const store = openStore(config.store, { clock, retry: { tries: 1 } });
    // Derived keys may come and go, so what a crash leaves here harms nobody.
    const folder = `${INDEX}doctor-${randomUUID()}/`;
    const key = `${folder}probe`;
    try {
      const before = clock.now();
      await store.put(key, { bytes: BYTES }, { contentType: 'text/plain', signal });
      const oursMs = (before + clock.now()) / 2;
      const findings: Finding[] = [{ check: 'store', status: 'ok', found: `${store.description}: put` }];
      if (isAbsolute(config.store)) findings.push(await freeSpace('store', config.store));
      await readBack(store, key, signal);
      await listed(store, folder, key, signal);
      findings.push(
        { check: 'store', status: 'ok', found: 'get, list' },
        await conditionalPut(store, key, signal),
      );
      const modifiedAt = (await store.head(key, signal))?.modifiedAt;
      if (modifiedAt && config.store.startsWith('s3:')) {
        findings.push(clockFinding(modifiedAt.getTime(), oursMs, 'the store'));
      }
      await store.delete(key, signal);
      if ((await store.head(key, signal)) !== undefined)
        throw odd('keeps an object that it was told to delete');
      findings.push({ check: 'store', status: 'ok', found: 'delete' });
      return findings;
    } finally {
      await store.delete(key).catch(() => {});
      store.close();
    }
  };

async function readBack(store: Store, key: string, signal: AbortSignal): Promise<void> {
  const whole = await buffer(await store.get(key, { signal }));
  const part = await buffer(await store.get(key, { range: { start: 9, end: 14 }, signal }));
  if (!whole.equals(BYTES)) throw odd('gives back other bytes than it was sent');
  if (!part.equals(BYTES.subarray(9, 15)))
    throw odd('does not give back the part of an object that was asked for');
}

async function listed(store: Store, folder: string, key: string, signal: AbortSignal): Promise<void> {
  const keys: string[] = [];
  for await (const object of store.list(folder, { signal })) keys.push(object.key);
  if (keys.length !== 1 || keys[0] !== key) throw odd('does not list what was just put');
}

async function conditionalPut(store: Store, key: string, signal: AbortSignal): Promise<Finding> {
  const { conditionalCreate } = await store.capabilities(signal);
  const refused = await store.put(key, { bytes: Buffer.from('other') }, { ifAbsent: true, signal }).then(
    () => false,
    (error: unknown) => {
      if (isLivestowError(error, 'STORE_EXISTS')) return true;
      throw error;
    },
  );
  if (!refused) throw odd('overwrote an object that it was told to keep');
  return conditionalCreate
    ? { check: 'store', status: 'ok', found: 'conditional put' }
    : {
        check: 'store',
        status: 'warn',
        found: 'no conditional put',
        advice:
          'this server cannot refuse to overwrite; livestow looks first, and its keys keep two writers apart',
      };
}

const odd = (what: string): LivestowError =>
  new LivestowError('STORE_CORRUPT', `the store ${what}`, {
    hint: 'this server cannot be trusted with an archive; livestow is tested against AWS-compatible ones such as Ceph',
  });
