/**
 * What a key may look like: `/`-separated names of harmless ASCII, so that a key is the same thing in a URL, in a bucket
 * and in a folder, and can never lead out of the store. Names that no key can have (a leading `~`) are free for an
 * adapter's own temporary files. Objects with any other name are not livestow's: no adapter lists them.
 */
import { LivestowError } from '../kernel/errors.ts';

const NAME = /^[A-Za-z0-9._@=+-][A-Za-z0-9._@=+~-]*$/;
/** S3 allows 1024 bytes together with the store's own prefix. */
const MAX_KEY_LENGTH = 900;

const isName = (name: string): boolean => NAME.test(name) && name !== '.' && name !== '..';

export const isKey = (key: string): boolean => key.length <= MAX_KEY_LENGTH && key.split('/').every(isName);

/** Throws STORE_DENIED for anything that is no key. */
export function checkKey(key: string): void {
  if (isKey(key)) return;
  throw new LivestowError('STORE_DENIED', `not a key: ${JSON.stringify(key.slice(0, 200))}`, {
    hint: 'A key is made of names of letters, digits and . _ @ = + - ~, separated by single slashes.',
  });
}

/** A prefix of keys: empty, a folder with its slash, or the beginning of a name in one. */
export function checkPrefix(prefix: string): void {
  if (prefix !== '') checkKey(prefix.endsWith('/') ? prefix.slice(0, -1) : prefix);
}

/** Ascending UTF-8 order, which for keys is the order of their code units. */
export const byKey = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
