/** Reads a sample of the archive back: whole sessions, those first that were never read back, or longest ago. */
import { verifySession } from '../archive/verify.ts';
import type { JobOf } from '../config/jobs.ts';
import { counted } from '../kernel/amounts.ts';
import { formatBytes } from '../kernel/byte-size.ts';
import type { Clock } from '../kernel/clock.ts';
import { isLivestowError } from '../kernel/errors.ts';
import { itemOf, nameOf, type SealedSession } from './job-archives.ts';
import type { JobLedger } from './job-ledger.ts';
import type { JobReport, RunContext } from './job-run.ts';

const MARKS = 'verify';

export async function verifyJob(
  { sample, decode }: JobOf<'verify'>,
  { signal, progress, tell }: RunContext,
  deps: {
    sessions: readonly SealedSession[];
    ledger: JobLedger;
    clock: Clock;
    ffmpegPath: (signal: AbortSignal) => Promise<string>;
  },
): Promise<JobReport> {
  const { sessions, ledger, clock } = deps;
  const seen = ledger.marks(MARKS);
  const seenMs = (session: SealedSession): number => seen.get(itemOf(session)) ?? -1;
  const most = sample.sessions ?? Math.ceil(sessions.length * (sample.share ?? 1));
  const chosen = sessions.toSorted((a, b) => seenMs(a) - seenMs(b)).slice(0, most);
  const depth = decode ? 'decode' : 'hashes';
  const ffmpeg = decode ? await deps.ffmpegPath(signal) : '';
  const problems: string[] = [];
  let read = 0;
  let bytes = 0;
  for (const [index, session] of chosen.entries()) {
    const onProgress = (done: number, of: number): void =>
      progress((index + (of === 0 ? 0 : done / of)) / chosen.length, nameOf(session));
    const result = await verifySession(session.store, session, { depth, ffmpeg, onProgress, signal }).catch(
      (error: unknown) => {
        // Removed since it was listed.
        if (isLivestowError(error, 'NOT_FOUND')) return undefined;
        throw error;
      },
    );
    if (!result) continue;
    ledger.mark(MARKS, itemOf(session), clock.now());
    read += 1;
    bytes += result.bytes;
    const damage = result.findings.filter((found) => found.damage);
    tell(`${nameOf(session)}: ${result.ok ? 'ok' : 'DAMAGED'} (${formatBytes(result.bytes)})`);
    problems.push(...damage.map(({ kind, key, detail }) => `${nameOf(session)}: ${kind} ${key}: ${detail}`));
  }
  const of = counted(sessions.length, 'sealed session');
  return { message: `${read} of ${of} read back, ${formatBytes(bytes)}`, problems };
}
