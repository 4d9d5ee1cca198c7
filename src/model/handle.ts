/** A creator's handle: the only outside name that becomes part of a path or key, and only after it passed here. */
import { LivestowError } from '../kernel/errors.ts';

const HANDLE = /^[A-Za-z0-9._]{1,64}$/;

/** Lower case, without `@`; undefined when the text is no handle. */
export function parseHandle(text: string): string | undefined {
  const bare = text.startsWith('@') ? text.slice(1) : text;
  if (!HANDLE.test(bare) || bare === '.' || bare === '..') return undefined;
  return bare.toLowerCase();
}

/** As `parseHandle`; throws USAGE. */
export function requireHandle(text: string): string {
  const handle = parseHandle(text);
  if (handle === undefined) {
    throw new LivestowError('USAGE', `not a handle: ${JSON.stringify(text.slice(0, 80))}`, {
      hint: 'a handle is 1 to 64 letters, digits, dots or underscores, with or without a leading @',
    });
  }
  return handle;
}
