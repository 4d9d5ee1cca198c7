/** What the last day (or week) brought, as one event: sessions that were sealed in it, their gaps, and what failed. */
import { readManifest } from '../archive/session-reader.ts';
import type { JobOf } from '../config/jobs.ts';
import { counted } from '../kernel/amounts.ts';
import { formatBytes } from '../kernel/byte-size.ts';
import { isoUtc } from '../kernel/clock.ts';
import { formatClockTime } from '../kernel/duration.ts';
import type { EventReport } from '../model/event.ts';
import type { Gap } from '../model/manifest.ts';
import { nameOf, type SealedSession } from './job-archives.ts';
import type { JobLedger } from './job-ledger.ts';
import type { JobReport, RunContext } from './job-run.ts';

type Digest = Extract<EventReport, { type: 'digest' }>;

export async function digestJob(
  { period }: JobOf<'digest'>,
  { job, dueMs, signal, progress, tell }: RunContext,
  deps: { sessions: readonly SealedSession[]; ledger: JobLedger; report: (event: EventReport) => void },
): Promise<JobReport> {
  // Up to when it was due, so that one begins where the one before ended.
  const [fromMs, toMs] = [dueMs - period, dueMs];
  const sessions = deps.sessions.filter(({ summary: { sealedAt } }) => {
    const atMs = Date.parse(sealedAt);
    return atMs >= fromMs && atMs < toMs;
  });
  const gaps: Gap[] = [];
  const digest: Digest = {
    type: 'digest',
    job,
    from: isoUtc(fromMs),
    to: isoUtc(toMs),
    sessions: sessions.length,
    creators: new Set(sessions.map(({ handle, summary }) => summary.platformUserId ?? `@${handle}`)).size,
    recordedMs: 0,
    liveMs: 0,
    bytes: 0,
    gaps: [],
    credits: 0,
    failures: deps.ledger.failures(fromMs, toMs),
    jobs: deps.ledger.troubledRuns(fromMs, toMs),
  };
  for (const [index, session] of sessions.entries()) {
    progress(index / sessions.length, nameOf(session));
    const { manifest } = await readManifest(session.store, session, signal);
    digest.recordedMs += session.summary.recordedMs;
    digest.bytes += session.summary.bytes;
    digest.liveMs += manifest?.coverage.liveMs ?? session.summary.recordedMs;
    digest.credits += manifest?.credits.charged ?? 0;
    gaps.push(...(manifest?.gaps ?? []));
  }
  digest.gaps = byCause(gaps);
  deps.report(digest);
  for (const line of linesOf(digest)) tell(line);
  const hours = formatClockTime(digest.recordedMs);
  return { message: `${counted(digest.sessions, 'session')}, ${hours} recorded`, problems: [] };
}

const byCause = (gaps: readonly Gap[]): Digest['gaps'] =>
  [...Map.groupBy(gaps, ({ cause }) => cause)]
    .map(([cause, own]) => ({ cause, count: own.length, ms: own.reduce((sum, { ms }) => sum + ms, 0) }))
    .sort((a, b) => b.ms - a.ms);

function linesOf(digest: Digest): string[] {
  const { sessions, creators, recordedMs, liveMs, bytes, credits } = digest;
  const ratio = liveMs === 0 ? 1 : recordedMs / liveMs;
  return [
    `${digest.from} to ${digest.to}: ${counted(sessions, 'session')} of ${counted(creators, 'creator')}, ${formatClockTime(recordedMs)}, ${(ratio * 100).toFixed(1)} % of what was live, ${formatBytes(bytes)}, ${counted(credits, 'credit')}`,
    ...digest.gaps.map(({ cause, count, ms }) => `gaps ${cause}: ${count}, ${formatClockTime(ms)}`),
    ...digest.failures.map(({ code, count }) => `failures ${code}: ${count}`),
    ...digest.jobs.map(({ job, outcome, count }) => `job ${job} ${outcome}: ${count}`),
  ];
}
