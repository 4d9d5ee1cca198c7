/** A creator's handle: the only outside name that becomes part of a path or key, and only after it passed here. */
import { z } from 'zod';
import { LivestowError } from '../kernel/errors.ts';

const HANDLE = /^[A-Za-z0-9._]{1,64}$/;

export const NOT_A_HANDLE =
  'not a handle: 1 to 64 letters, digits, dots or underscores, with or without a leading @';

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

/** As `parseHandle`, in what comes from a config file or the lookup API. */
export const handleSchema = z.string().transform((text, context) => {
  const handle = parseHandle(text);
  if (handle !== undefined) return handle;
  context.addIssue({ code: 'custom', message: NOT_A_HANDLE });
  return z.NEVER;
});
