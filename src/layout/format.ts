/** Which formats this version reads: its own major and every lower one; a higher major is refused. */
import { LivestowError } from '../kernel/errors.ts';
import { FORMAT } from '../model/manifest.ts';

/** What something that was read says of its own format; empty when it does not. */
export const formatOf = (value: unknown): string =>
  typeof value === 'object' && value !== null && 'format' in value ? String(value.format) : '';

const majorOf = (format: string): number =>
  Number(/^livestow\/(\d+)(?![^.])/.exec(format)?.[1] ?? Number.NaN);

/**
 * Throws MANIFEST for a format that this version cannot read.
 * @param name quoted in the error
 */
export function requireReadableFormat(format: string, name: string): void {
  const major = majorOf(format);
  if (major >= 1 && major <= majorOf(FORMAT)) return;
  const quoted = JSON.stringify(format.slice(0, 40));
  throw new LivestowError('MANIFEST', `${name} has format ${quoted}, this livestow reads ${FORMAT}`, {
    hint:
      major > majorOf(FORMAT) ? 'a newer livestow wrote it: upgrade to read it' : 'livestow did not write it',
  });
}
