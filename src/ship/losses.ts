/**
 * What a manifest names and the store does not have. The store's listing says what is there; where a listing may lag
 * behind (Swift's does), the object itself is asked before it is called lost.
 */
import PQueue from 'p-queue';
import { isoUtc } from '../kernel/clock.ts';
import { initOf } from '../layout/objects.ts';
import type { JournalEntry, Manifest, Segment } from '../model/manifest.ts';
import type { Store } from '../store/store.ts';
import { holds } from './ship-object.ts';

const CHECKS_AT_ONCE = 8;

export interface LossCheck {
  store: Store;
  /** Of the session, with which the keys in the store begin. */
  prefix: string;
  signal: AbortSignal;
  /** Whether the object of this key was verified in the store; else its bytes are. */
  wasVerified(key: string): boolean;
}

/** Segments that are not in the store as the manifest says, or can't be decoded for want of their init segment. */
export async function lostSegments(manifest: Manifest, check: LossCheck): Promise<Segment[]> {
  const { store, prefix, signal } = check;
  const queue = new PQueue({ concurrency: CHECKS_AT_ONCE });
  const listed = new Map<string, number>();
  for await (const { key, bytes } of store.list(`${prefix}segments/`, { signal })) {
    listed.set(key.slice(prefix.length), bytes);
  }
  const isThere = async (object: { key: string; bytes: number; sha256: string }): Promise<boolean> => {
    if (listed.get(object.key) === object.bytes && check.wasVerified(object.key)) return true;
    return queue.add(() => holds(store, { ...object, key: `${prefix}${object.key}` }, signal));
  };
  const inits = manifest.epochs.flatMap((epoch) => {
    const init = initOf(epoch);
    return init === null ? [] : [{ ...init, epoch: `${epoch.term}-${epoch.epoch}` }];
  });
  const initsThere = await Promise.all(inits.map(isThere));
  const undecodable = new Set(inits.flatMap(({ epoch }, i) => (initsThere[i] ? [] : [epoch])));
  const there = await Promise.all(manifest.segments.map(isThere));
  return manifest.segments.filter(({ term, epoch }, i) => !there[i] || undecodable.has(`${term}-${epoch}`));
}

/** A lost segment leaves the manifest for a gap. */
export function lossEntries(lost: readonly Segment[], nowMs: number): JournalEntry[] {
  const at = isoUtc(nowMs);
  return lost.flatMap(({ key, startsAt: from, durationMs: ms }): JournalEntry[] => {
    const to = isoUtc(Date.parse(from) + ms);
    return [
      { type: 'lost', at, key },
      { type: 'gap', at, gap: { after: key, from, to, ms, cause: 'lost-locally' } },
    ];
  });
}
