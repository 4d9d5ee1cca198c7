/** What one check of `livestow doctor` found. */
import { LivestowError, messageOf } from '../../kernel/errors.ts';
import { scrub } from '../../kernel/redact.ts';

export interface Finding {
  check: string;
  /** `warn`: works, but not as well as it could, or could not be looked at. */
  status: 'ok' | 'warn' | 'fail';
  /** What was seen. */
  found: string;
  /** What to do about it. */
  advice?: string;
}

/** A check that found one thing or several. */
export type Check = (signal: AbortSignal) => Promise<Finding[]>;

/**
 * Every thrown error is a finding: a doctor does not fall ill.
 * @param advice where an error brings none of its own
 */
export async function examine(
  name: string,
  check: Check,
  advice: string,
  signal: AbortSignal,
): Promise<Finding[]> {
  try {
    return await check(signal);
  } catch (error) {
    const late = signal.aborted && error === signal.reason;
    return [
      {
        check: name,
        status: 'fail',
        found: late ? 'no answer in time' : scrub(messageOf(error)),
        advice: (error instanceof LivestowError ? error.hint : undefined) ?? advice,
      },
    ];
  }
}
