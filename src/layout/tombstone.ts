/**
 * How a session is removed, pure: the manifest that says so while its objects go, the small one that stays for good, and
 * the order in which objects go, which is that of their writing, turned round.
 */
import type { Deletion, Manifest } from '../model/manifest.ts';
import { parseJournalKey, sessionKeys } from './keys.ts';

/** Says that the session is gone; it still names what it had, for as long as that may be there. */
export function tombstoneOf(manifest: Manifest, deletedAt: string, reason: string): Manifest {
  const bytes = manifest.segments.reduce((sum, segment) => sum + segment.bytes, 0);
  const deletion: Deletion = { reason, segments: manifest.segments.length, bytes, finishedAt: null };
  return { ...manifest, revision: manifest.revision + 1, deletedAt, deletion };
}

/** What stays: who was recorded, when, how much of it, and why it is not there any more. */
export function finishedTombstone(tombstone: Manifest, finishedAt: string): Manifest {
  const deletion = tombstone.deletion ?? { reason: '', segments: 0, bytes: 0, finishedAt };
  return {
    ...tombstone,
    revision: tombstone.revision + 1,
    epochs: [],
    segments: [],
    gaps: [],
    files: [],
    deletion: { ...deletion, finishedAt },
  };
}

export const isUnfinished = ({ deletedAt, deletion }: Manifest): boolean =>
  deletedAt !== null && (deletion?.finishedAt ?? null) === null;

function rank(key: string): number {
  if (key === sessionKeys.summary) return 0;
  if (key.endsWith('.m3u8')) return 1;
  if (parseJournalKey(key) !== undefined) return 3;
  return key.startsWith('segments/') ? 4 : 2;
}

/**
 * A session's objects but for its manifest, in steps: each is to be gone before the next begins.
 * @param keys within the session's folder
 */
export function removalSteps(keys: readonly string[]): string[][] {
  const steps = Map.groupBy(
    keys.filter((key) => key !== sessionKeys.manifest),
    rank,
  );
  return [...steps].sort(([a], [b]) => a - b).map(([, step]) => step.sort().reverse());
}
