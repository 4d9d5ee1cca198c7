/**
 * One live line on a terminal: what is being recorded, how much of it is shipped, what is missing. Elsewhere nothing; the
 * log tells the same in events.
 */
import type { LiveSession } from '../daemon/record-room.ts';
import { formatBytes } from '../kernel/byte-size.ts';
import { formatClockTime } from '../kernel/duration.ts';
import type { Logger } from '../kernel/logger.ts';
import type { CliContext } from './context.ts';
import { logAbove } from './log-above.ts';

const REFRESH_MS = 500;

export interface StatusLine {
  waiting(handle: string, status: 'offline' | 'not-found'): void;
  follow(session: LiveSession): void;
  clear(): void;
  /** A logger whose lines do not run into the status line. */
  around(log: Logger): Logger;
}

export function statusLine(context: CliContext): StatusLine {
  const { err, clock } = context;
  if (!err.isTerminal) {
    return { waiting: () => {}, follow: () => {}, clear: () => {}, around: (log) => log };
  }
  let followed: LiveSession | null = null;
  let cancel: (() => void) | null = null;
  const tick = (): void => {
    if (followed) err.live(describe(followed));
    cancel = clock.after(REFRESH_MS, tick);
  };
  return {
    waiting(handle, status) {
      followed = null;
      err.live(`@${handle} ${status === 'offline' ? 'is not live' : 'was not found'}; looking again`);
    },
    follow(session) {
      followed = session;
      cancel ??= clock.after(0, tick);
    },
    clear() {
      cancel?.();
      cancel = null;
      followed = null;
      err.live('');
    },
    around: (log) => logAbove(err, log),
  };
}

/** What matters most comes first: a narrow terminal cuts the end off. */
function describe({ handle, phase, progress, shipping }: LiveSession): string {
  const { width, height, recordedMs, bytes, gaps } = progress;
  const size = width > 0 ? `${width}x${height}` : 'no picture yet';
  const bitrate = recordedMs > 0 ? ` ${((bytes * 8) / recordedMs / 1000).toFixed(2)} Mbit/s` : '';
  return [
    `@${handle} ${phase()} ${formatClockTime(recordedMs)}`,
    `gaps ${gaps}`,
    `spool ${shipping.waitingObjects}`,
    `${size}${bitrate}`,
    `shipped ${formatBytes(shipping.shippedBytes)} of ${formatBytes(bytes)}`,
  ].join(' · ');
}
