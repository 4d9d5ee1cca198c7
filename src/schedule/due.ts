/**
 * Whether a job's run is due, decided from one number that the caller keeps: up to when the job's runs are accounted for.
 *
 * - A job that nobody knew before begins now: its first run is the next that comes, not one from before.
 * - Runs that were missed, while nothing ran or the machine slept, are made up for by one, which stands for the last of them.
 * - A run that comes while the job still runs is skipped, not kept for later.
 * - Where the clock was set back, the run that is accounted for is not repeated. Where more than that one would be left
 *   out, the clock was wrong before, and the job begins anew.
 */
import type { CronSchedule } from './cron.ts';

export interface JobNow {
  nowMs: number;
  /** What the last decision said, read back from where it is kept; null: the job is new. */
  accountedMs: number | null;
  /** Whether a run of it is under way, of whichever instant, or by hand. */
  isRunning: boolean;
}

interface Decided {
  /** To be kept before anything is run, so that no crash runs the same again. */
  accountedMs: number;
  /** When to ask again; null: it never runs again. */
  nextMs: number | null;
}

/** A scheduled instant that has come. */
interface Come {
  scheduledMs: number;
  /** The first that it stands for beside its own; null: none was missed. */
  missedSinceMs: number | null;
}

export type Due =
  | ({ action: 'wait' } & Decided)
  | ({ action: 'run' } & Decided & Come)
  /** It came while the job still ran: to be noted, not run. */
  | ({ action: 'skip' } & Decided & Come);

export function decideDue(cron: CronSchedule, { nowMs, accountedMs, isRunning }: JobNow): Due {
  if (accountedMs === null || isBeyondBelief(cron, accountedMs, nowMs))
    return { action: 'wait', accountedMs: nowMs, nextMs: cron.next(nowMs) };
  const scheduledMs = cron.previous(nowMs + 1);
  if (scheduledMs === null || scheduledMs <= accountedMs)
    return { action: 'wait', accountedMs, nextMs: cron.next(Math.max(nowMs, accountedMs)) };
  const firstMs = cron.next(accountedMs);
  return {
    action: isRunning ? 'skip' : 'run',
    scheduledMs,
    missedSinceMs: firstMs === scheduledMs ? null : firstMs,
    accountedMs: scheduledMs,
    nextMs: cron.next(nowMs),
  };
}

/** More than the one run that is accounted for lies ahead of the clock. */
function isBeyondBelief(cron: CronSchedule, accountedMs: number, nowMs: number): boolean {
  return accountedMs > nowMs && (cron.previous(accountedMs) ?? nowMs) > nowMs;
}
