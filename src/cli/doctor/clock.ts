/** This machine's clock against one on the network: S3 refuses requests that are off, and the archive's times come from it. */
import { formatClockTime } from '../../kernel/duration.ts';
import type { Finding } from './finding.ts';

const NOTICEABLE_MS = 30_000;
/** S3 refuses at 15 minutes; well before that the archive's times are wrong. */
const BAD_MS = 5 * 60_000;

/**
 * @param theirsMs what the other clock said, to the second
 * @param oursMs what ours said at about that moment
 */
export function clockFinding(theirsMs: number, oursMs: number, whose: string): Finding {
  const offMs = oursMs - theirsMs;
  const size = Math.abs(offMs);
  if (size < NOTICEABLE_MS) return { check: 'clock', status: 'ok', found: `agrees with ${whose}` };
  return {
    check: 'clock',
    status: size < BAD_MS ? 'warn' : 'fail',
    found: `${formatClockTime(size)} ${offMs > 0 ? 'ahead of' : 'behind'} ${whose}`,
    advice: 'let the system keep its time by NTP (timedatectl set-ntp true)',
  };
}
