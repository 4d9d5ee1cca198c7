/**
 * What an earlier process left of a session is put right before anybody works on it: torn ends of journals are cut off,
 * and what cannot be used goes aside. Looks at everything first, and touches nothing of a session that is not this
 * version's to touch.
 */
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { LivestowError } from '../kernel/errors.ts';
import { isMissing } from '../kernel/files.ts';
import { journaledObjects } from '../layout/objects.ts';
import type { JournalEntry } from '../model/manifest.ts';
import { findJournal, listJournals, mendJournal, type FoundJournal } from './journal-file.ts';
import { copyAside, moveAside } from './set-aside.ts';
import { strangersIn } from './strangers.ts';
import { isTailDamaged, isTailFile } from './tail.ts';

/** Told of each thing that was set aside. */
export type OnSetAside = (found: { path: string; why: string; now: string }) => void;

/** @throws MANIFEST before anything was touched */
export async function takeStock(folder: string, session: string, onSetAside: OnSetAside): Promise<void> {
  const found: FoundJournal[] = [];
  for (const ref of await listJournals(folder)) found.push(await findJournal(folder, ref));
  const { own, foreign } = sorted(found, session);
  const entries = own.flatMap((journal) => journal.entries);
  requireBeginning(entries, [...own, ...foreign], session);

  const aside = async (path: string, why: string, how = moveAside): Promise<void> => {
    const now = await how(folder, path);
    if (now !== undefined) onSetAside({ path: join(folder, path), why, now });
  };
  for (const { ref } of foreign) await aside(ref.key, 'a journal of something else');
  for (const journal of own) {
    if (journal.isDamaged)
      await aside(journal.ref.key, 'a journal with lines that cannot be read', copyAside);
    await mendJournal(folder, journal);
  }
  for (const path of await strangersIn(folder)) await aside(path, 'nothing that livestow writes there');
  const damaged = await damagedTail(folder);
  for (const path of damaged)
    await aside(path, 'a file of the tail with more than can be read of it', copyAside);
  const named = new Set(journaledObjects(entries).map(({ key }) => key));
  for (const path of await namesIn(folder, 'segments')) {
    // Killed before it was journaled; its media is in the tail, unless a power cut took that.
    if (named.has(path) || (damaged.length === 0 && (await tailReaches(folder, path)))) continue;
    await aside(path, 'a segment that no journal names');
  }
}

/** A journal that was copied from elsewhere says so where a term begins, or says what another says. */
function sorted(
  found: readonly FoundJournal[],
  session: string,
): { own: FoundJournal[]; foreign: FoundJournal[] } {
  const own: FoundJournal[] = [];
  const foreign: FoundJournal[] = [];
  for (const journal of found) {
    const { ref, entries, whole } = journal;
    const terms = entries.filter((entry) => entry.type === 'term');
    const isOther = terms.some((entry) => entry.session !== session || entry.term !== ref.term);
    const isCopy = whole.length > 0 && own.some((each) => each.whole.equals(whole));
    (isOther || isCopy ? foreign : own).push(journal);
  }
  return { own, foreign };
}

/** Nothing can be made of a session without it; one in which nothing was ever written has none. */
function requireBeginning(
  entries: readonly JournalEntry[],
  journals: readonly FoundJournal[],
  session: string,
): void {
  if (entries.some(({ type }) => type === 'term')) return;
  const other = journals.flatMap((journal) => journal.entries).find((entry) => entry.type === 'term');
  if (other) {
    throw new LivestowError('MANIFEST', `the folder ${session} holds another session: ${other.session}`, {
      hint: 'it was copied or renamed; move it away, or give it its name back',
    });
  }
  if (entries.length === 0 && !journals.some(({ isDamaged }) => isDamaged)) return;
  throw new LivestowError('MANIFEST', `nothing in the journals of ${session} says what it is`, {
    hint: 'its first journal is damaged or missing: restore it from the bucket if it is there, or move the folder away',
  });
}

async function namesIn(folder: string, name: string): Promise<string[]> {
  const entries = await readdir(join(folder, name), { withFileTypes: true }).catch((error: unknown) => {
    if (isMissing(error)) return [];
    throw error;
  });
  return entries.filter((entry) => entry.isFile()).map((entry) => `${name}/${entry.name}`);
}

async function damagedTail(folder: string): Promise<string[]> {
  const damaged: string[] = [];
  for (const path of await tailOf(folder)) if (await isTailDamaged(join(folder, path))) damaged.push(path);
  return damaged;
}

const tailOf = async (folder: string): Promise<string[]> =>
  (await namesIn(folder, 'tail')).filter((path) => isTailFile(path.slice('tail/'.length)));

/** Whether there is a tail of the term that this segment is from; or nothing is in the segment. */
async function tailReaches(folder: string, segment: string): Promise<boolean> {
  const term = segment.slice('segments/'.length).split('-')[0] ?? '';
  const tail = await tailOf(folder);
  return (
    tail.some((path) => path.startsWith(`tail/${term}-`)) || (await stat(join(folder, segment))).size === 0
  );
}
