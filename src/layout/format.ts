/** Which formats this version reads: its own major and every lower one; a higher major is refused. */
import { isLivestowError, LivestowError } from '../kernel/errors.ts';
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
  const own = majorOf(FORMAT);
  if (major >= 1 && major <= own) return;
  const isNewer = major > own;
  const quoted = JSON.stringify(format.slice(0, 40));
  throw new LivestowError('MANIFEST', `${name} has format ${quoted}, this livestow reads ${FORMAT}`, {
    hint: isNewer ? 'a newer livestow wrote it: upgrade to read it' : 'livestow did not write it',
    context: { isNewer },
  });
}

/** Whether something could not be read because a newer livestow wrote it: it is whole, and not ours to mend. */
export const isOfNewerFormat = (error: unknown): boolean =>
  isLivestowError(error, 'MANIFEST') && error.context['isNewer'] === true;
