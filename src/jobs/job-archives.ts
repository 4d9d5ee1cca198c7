/** Which sessions a job is about: those of everybody, or of the creators and groups that it names, wherever they lie. */
import { listSessions, ofCreators, type CatalogueEntry } from '../archive/catalogue.ts';
import type { SessionRef } from '../archive/session-reader.ts';
import type { JobSettings } from '../config/jobs.ts';
import type { Summary } from '../model/manifest.ts';
import type { Store } from '../store/store.ts';

/** A creator that is watched, as far as it matters here. */
export interface WatchedCreator {
  handle: string;
  group: string | null;
  /** Where its archive lies. */
  store: string;
}

export interface JobArchive {
  location: string;
  /** Null: of everybody. Never empty. */
  handles: readonly string[] | null;
}

/** @param commonStore where the archive of those lies who have none of their own */
export function archivesOf(
  job: JobSettings,
  commonStore: string,
  watched: readonly WatchedCreator[],
): JobArchive[] {
  const locations = [...new Set([commonStore, ...watched.map(({ store }) => store)])];
  const { creators, groups } = 'creators' in job || 'groups' in job ? job : {};
  if (creators === undefined && groups === undefined)
    return locations.map((location) => ({ location, handles: null }));
  const members = watched.filter(({ group }) => group !== null && groups?.includes(group));
  const handles = [...new Set([...(creators ?? []), ...members.map(({ handle }) => handle)])];
  // A creator's archive may have lain elsewhere before.
  return handles.length === 0 ? [] : locations.map((location) => ({ location, handles }));
}

export interface SealedSession extends SessionRef {
  summary: Summary & { sealedAt: string };
  store: Store;
  /** Where it lies. */
  location: string;
}

/** Oldest first. */
export async function sealedSessions(
  archives: readonly JobArchive[],
  storeAt: (location: string) => Store,
  signal: AbortSignal,
): Promise<SealedSession[]> {
  const found: SealedSession[] = [];
  for (const { location, handles } of archives) {
    const store = storeAt(location);
    const entries = await listSessions(store, { signal });
    const chosen = handles === null ? entries : ofCreators(entries, handles);
    found.push(...chosen.flatMap((entry) => sealed(entry, store, location)));
  }
  return found.sort((a, b) => (a.session < b.session ? -1 : a.session > b.session ? 1 : 0));
}

function sealed(
  { handle, session, summary }: CatalogueEntry,
  store: Store,
  location: string,
): SealedSession[] {
  if (summary === null || summary.sealedAt === null) return [];
  return [{ handle, session, store, location, summary: { ...summary, sealedAt: summary.sealedAt } }];
}

export const nameOf = ({ handle, session }: SessionRef): string => `@${handle} ${session}`;
/** In the ledger. */
export const itemOf = ({ handle, session }: SessionRef): string => `${handle}/${session}`;
