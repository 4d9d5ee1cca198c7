/**
 * Applies a retention policy to an archive: which sessions go, which stay although the policy would have them go, and
 * which removals had broken off. Only sealed sessions go, and only those that are whole by their manifest: a damaged one
 * may be evidence of something worse, and is left for somebody who looks.
 */
import { forEachAtOnce } from '../kernel/at-once.ts';
import type { Clock } from '../kernel/clock.ts';
import { LivestowError } from '../kernel/errors.ts';
import type { Store } from '../store/store.ts';
import { listSessions, ofCreators, type CatalogueEntry } from './catalogue.ts';
import { isHeld } from './hold.ts';
import { notedRemovals, refusalOf, type Refusal } from './remove-session.ts';
import { planRetention, type RetainedSession, type RetentionPolicy } from './retention.ts';
import type { SessionRef } from './session-reader.ts';
import { verifySession } from './verify.ts';

const READS_AT_ONCE = 16;

export interface PrunePlan {
  /** Oldest first. */
  remove: (SessionRef & { reason: string; bytes: number })[];
  /** The policy would have these go. */
  refused: (SessionRef & { reason: string; bytes: number; refusal: Refusal })[];
  /** Removals that had broken off, of any creator. */
  unfinished: SessionRef[];
}

export interface PruneOptions {
  /** Of these creators only, under all of their handles; of everybody when there are none. */
  handles: readonly string[];
  /** Creators of whom there is nothing are no error. */
  mayBeNobody?: boolean;
  policy: RetentionPolicy;
  clock: Clock;
  signal: AbortSignal;
  onProgress?: (checked: number, ofAtLeast: number) => void;
}

interface Candidate extends RetainedSession, SessionRef {}

/** Changes nothing. Throws NOT_FOUND for a creator who has no sessions, unless that may be. */
export async function planPrune(store: Store, options: PruneOptions): Promise<PrunePlan> {
  const { policy, clock, signal } = options;
  const unfinished = await notedRemovals(store, signal);
  const entries = chosen(await listSessions(store, { signal }), options);
  const candidates: Candidate[] = [];
  await forEachAtOnce(entries, READS_AT_ONCE, async (entry) => {
    if (entry.summary !== null) candidates.push(candidateOf(entry, await isHeld(store, entry, signal)));
  });
  const refusals = new Map<Candidate, { reason: string; refusal: Refusal }>();
  const sound = new Set<Candidate>();
  for (;;) {
    const plan = planRetention(candidates, policy, clock.now());
    const before = refusals.size;
    for (const { of, reason } of plan) {
      if (sound.has(of)) continue;
      options.onProgress?.(sound.size + before, plan.length + before);
      const refusal = await whyNot(store, of, clock, signal);
      if (refusal === null) {
        sound.add(of);
        continue;
      }
      refusals.set(of, { reason, refusal });
      // It goes on counting for the limits, so that a younger one may have to go in its place.
      of.isFixed = true;
      break;
    }
    if (refusals.size > before) continue;
    return {
      remove: plan.map(({ of, reason }) => ({ ...named(of), reason })),
      refused: [...refusals].map(([of, why]) => ({ ...named(of), ...why })),
      unfinished,
    };
  }
}

function chosen(
  entries: readonly CatalogueEntry[],
  { handles, mayBeNobody = false }: PruneOptions,
): CatalogueEntry[] {
  for (const handle of mayBeNobody ? [] : handles) {
    if (ofCreators(entries, [handle]).length > 0) continue;
    throw new LivestowError('NOT_FOUND', `the archive has no session of @${handle}`, {
      hint: '`livestow ls` lists what there is',
    });
  }
  return handles.length === 0 ? [...entries] : ofCreators(entries, handles);
}

function candidateOf({ handle, session, summary }: CatalogueEntry, held: boolean): Candidate {
  const isSealed = summary?.sealedAt != null;
  return {
    handle,
    session,
    creator: summary?.platformUserId ?? `@${handle}`,
    endedAtMs: Date.parse(summary?.endedAt ?? summary?.foundAt ?? ''),
    bytes: summary?.bytes ?? 0,
    isSealed,
    isFixed: held || !isSealed,
  };
}

const named = ({ handle, session, bytes }: Candidate): SessionRef & { bytes: number } => ({
  handle,
  session,
  bytes,
});

/** Compared by listing, and the journals with the manifest: nothing of the media is read. */
async function whyNot(
  store: Store,
  ref: SessionRef,
  clock: Clock,
  signal: AbortSignal,
): Promise<Refusal | null> {
  const { findings } = await verifySession(store, ref, { depth: 'sizes', ffmpeg: '', signal });
  const [damage, ...more] = findings.filter((found) => found.damage);
  if (damage) {
    const others = more.length === 0 ? '' : ` (and ${more.length} more)`;
    return { kind: 'damaged', detail: `damaged: ${damage.kind} ${damage.key}${others}` };
  }
  return refusalOf(store, ref, { clock, signal });
}
