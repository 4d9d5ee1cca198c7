/**
 * What people write for a session: its id, an unambiguous beginning of one, `@handle` for that creator's latest, or
 * `handle/id`. The index, which is derived and may lack anything, only saves requests for a whole id; what decides is
 * the folders.
 */
import { LivestowError } from '../kernel/errors.ts';
import { indexPrefix, isSessionId, parseIndexKey } from '../layout/keys.ts';
import { parseHandle, requireHandle } from '../model/handle.ts';
import type { Store } from '../store/store.ts';
import { listRefs, listSessions } from './catalogue.ts';
import { keyIn, readManifest, type SessionRef } from './session-reader.ts';

const ID_BEGINNING = /^[A-Za-z0-9_-]+$/;
const SHOWN_CANDIDATES = 5;
const MOST_ASKED = 20;

/** Throws NOT_FOUND, AMBIGUOUS with some of the candidates in its hint, or USAGE for what can be no session. */
export async function resolveSession(store: Store, text: string, signal?: AbortSignal): Promise<SessionRef> {
  if (text.startsWith('@') && !text.includes('/')) return latestOf(store, requireHandle(text), signal);
  const slash = text.indexOf('/');
  const handle = slash < 0 ? undefined : requireHandle(text.slice(0, slash));
  const beginning = text.slice(slash + 1);
  if (!ID_BEGINNING.test(beginning)) {
    throw new LivestowError('USAGE', `not a session: ${JSON.stringify(text.slice(0, 120))}`, {
      hint: 'write a session id, the beginning of one, or @handle for the latest of a creator',
    });
  }
  const indexed = isSessionId(beginning) ? await inIndex(store, beginning, handle, signal) : undefined;
  if (indexed) return indexed;
  const fitting = (await listRefs(store, signal)).filter(
    (ref) => ref.session.startsWith(beginning) && (handle === undefined || ref.handle === handle),
  );
  const exact = fitting.filter((ref) => ref.session === beginning);
  const found = exact.length > 0 ? exact : fitting;
  return theOnly(found.length > 1 ? await unlessRemoved(store, found, signal) : found, text);
}

async function latestOf(store: Store, handle: string, signal?: AbortSignal): Promise<SessionRef> {
  const [latest] = await listSessions(store, { handle, signal });
  if (!latest) {
    throw new LivestowError('NOT_FOUND', `the archive has no session of @${handle}`, {
      hint: '`livestow ls` lists what there is',
    });
  }
  return { handle: latest.handle, session: latest.session };
}

async function inIndex(
  store: Store,
  session: string,
  handle: string | undefined,
  signal?: AbortSignal,
): Promise<SessionRef | undefined> {
  const found: SessionRef[] = [];
  for await (const { key } of store.list(`${indexPrefix(session)}~`, signal ? { signal } : {})) {
    const ref = parseIndexKey(key);
    if (ref && (handle === undefined || ref.handle === handle) && (await isThere(store, ref, signal)))
      found.push(ref);
  }
  // Two creators' of one id: the folders say so.
  return found.length === 1 ? found[0] : undefined;
}

/** What was removed makes no id ambiguous, but for so many that asking would take long. */
async function unlessRemoved(
  store: Store,
  refs: readonly SessionRef[],
  signal?: AbortSignal,
): Promise<readonly SessionRef[]> {
  if (refs.length > MOST_ASKED) return refs;
  const manifests = await Promise.all(
    refs.map((ref) => readManifest(store, ref, signal).catch(() => ({ manifest: undefined }))),
  );
  signal?.throwIfAborted();
  const there = refs.filter((_, index) => !manifests[index]?.manifest?.deletedAt);
  return there.length > 0 ? there : refs;
}

async function isThere(store: Store, ref: SessionRef, signal?: AbortSignal): Promise<boolean> {
  for await (const _ of store.list(keyIn(ref, ''), signal ? { signal } : {})) return true;
  return false;
}

function theOnly(refs: readonly SessionRef[], text: string): SessionRef {
  const [ref, ...others] = refs;
  if (!ref) {
    const isHandle = parseHandle(text) !== undefined;
    throw new LivestowError('NOT_FOUND', `no session begins with ${text}`, {
      hint: isHandle
        ? `for the latest session of a creator write @${text}`
        : '`livestow ls` lists what there is',
    });
  }
  if (others.length > 0) {
    const shown = refs.slice(0, SHOWN_CANDIDATES).map(({ handle, session }) => `${handle}/${session}`);
    const more = refs.length > SHOWN_CANDIDATES ? ` and ${refs.length - SHOWN_CANDIDATES} more` : '';
    throw new LivestowError('AMBIGUOUS', `${refs.length} sessions begin with ${text}`, {
      hint: `write more of the id: ${shown.join(', ')}${more}`,
    });
  }
  return ref;
}
