/** Where a store lies, from the text of a setting: a folder, or a bucket. Touches neither disk nor network. */
import { isAbsolute, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { LivestowError } from '../kernel/errors.ts';
import { parseS3Url, type S3Location } from './s3-url.ts';

export type Location = { kind: 'folder'; path: string } | { kind: 's3'; bucket: S3Location };

/** Throws CONFIG when the text names no store. */
export function parseLocation(text: string, cwd: string = process.cwd()): Location {
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]*):/.exec(text)?.[1]?.toLowerCase();
  switch (scheme) {
    case undefined:
      if (text.trim() === '') throw unusable('is empty');
      return { kind: 'folder', path: resolve(cwd, text) };
    case 'file':
      return { kind: 'folder', path: pathOf(text) };
    case 's3':
      return { kind: 's3', bucket: parseS3Url(text) };
    default:
      throw unusable(`begins with ${scheme}:, which livestow does not know`);
  }
}

function pathOf(text: string): string {
  try {
    const path = fileURLToPath(text);
    if (isAbsolute(path) && /^file:\/\/\//i.test(text)) return path;
  } catch (error) {
    throw unusable('is not a file URL', error);
  }
  throw unusable('is not an absolute file URL');
}

function unusable(what: string, cause?: unknown): LivestowError {
  return new LivestowError('CONFIG', `the store’s location ${what}`, {
    hint: 'Use a path, file:///an/absolute/path, or s3://<bucket>/<prefix>?endpoint=https://<host>&region=<region>&pathStyle=true',
    cause,
  });
}
