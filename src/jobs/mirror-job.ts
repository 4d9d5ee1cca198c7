/**
 * Copies sealed sessions to a second store. What the mirror holds is asked of the mirror, never remembered: a session is
 * there when its summary is, which goes last. What a broken-off run left is compared by reading it, and gone on with.
 * Nothing there is ever written over, and nothing removed: another object under a session's key is told, and left alone.
 * What was removed from the mirror (its tombstone stays) is not copied again.
 *
 * Each object is compared with the manifest on its way, so that damage is not copied, and put as every store puts: done
 * only when the store has said something that only one with the right bytes can say.
 */
import { noteChange } from '../archive/change-notes.ts';
import { readText } from '../archive/read-text.ts';
import { keyIn, readManifest } from '../archive/session-reader.ts';
import { compareObject } from '../archive/verify-object.ts';
import { counted } from '../kernel/amounts.ts';
import { forEachAtOnce } from '../kernel/at-once.ts';
import { formatBytes } from '../kernel/byte-size.ts';
import type { Clock } from '../kernel/clock.ts';
import { isLivestowError, LivestowError } from '../kernel/errors.ts';
import { avatarFile, contentTypeOf, creatorFile, indexKey, sessionKeys } from '../layout/keys.ts';
import { decodeSummary } from '../layout/manifest.ts';
import { objectsOf } from '../layout/objects.ts';
import type { ArchivedFile, Manifest } from '../model/manifest.ts';
import { readDigest, sha256Of } from '../store/body.ts';
import type { Store } from '../store/store.ts';
import { nameOf, type SealedSession } from './job-archives.ts';
import type { JobReport, RunContext } from './job-run.ts';

const COPIES_AT_ONCE = 4;
const LOOKS_AT_ONCE = 16;

export interface MirrorJobDeps {
  sessions: readonly SealedSession[];
  target: Store;
  clock: Pick<Clock, 'now'>;
}

export async function mirrorJob(
  { signal, progress, tell }: RunContext,
  { sessions, target, clock }: MirrorJobDeps,
): Promise<JobReport> {
  const problems: string[] = [];
  const missing = await notThere(sessions, target, signal);
  await using noted = new AsyncDisposableStack();
  let copied = 0;
  let bytes = 0;
  for (const [index, session] of missing.entries()) {
    const onBytes = (done: number): void => {
      bytes += done;
    };
    progress(index / missing.length, nameOf(session));
    try {
      const outcome = await new Copy(session, target, onBytes, signal).run();
      if (outcome === 'removed') continue;
      // They were found long ago, most of them: whoever keeps a list of the mirror does not look there.
      // Without the note it learns of them some hours later.
      if (copied === 0) noted.defer(() => noteChange(target, null, clock.now()).catch(() => {}));
      copied += 1;
      tell(`${nameOf(session)}: ${outcome}`);
    } catch (error) {
      // Of this session alone; what the stores themselves suffer from ends the run.
      if (!(error instanceof NotCopied) && !isLivestowError(error, 'MANIFEST')) throw error;
      if (!(await isRemoved(session, signal))) problems.push(`${nameOf(session)}: ${error.message}`);
    }
  }
  return { message: `${counted(copied, 'session')} copied, ${formatBytes(bytes)}`, problems };
}

class NotCopied extends Error {}

/** While it was being copied, say. */
async function isRemoved(session: SealedSession, signal: AbortSignal): Promise<boolean> {
  try {
    const { manifest } = await readManifest(session.store, session, signal);
    return manifest?.deletedAt != null;
  } catch (error) {
    if (isLivestowError(error, 'MANIFEST')) return false;
    throw error;
  }
}

/** Those of which the mirror has no summary that says the same seal. */
async function notThere(
  sessions: readonly SealedSession[],
  target: Store,
  signal: AbortSignal,
): Promise<SealedSession[]> {
  const missing = new Set(sessions);
  await forEachAtOnce(sessions, LOOKS_AT_ONCE, async (session) => {
    const text = await readText(target, keyIn(session, sessionKeys.summary), signal);
    if (text !== undefined && sealOf(text) === session.summary.sealedAt) missing.delete(session);
  });
  return sessions.filter((session) => missing.has(session));
}

function sealOf(summary: string): string | null {
  try {
    return decodeSummary(summary, sessionKeys.summary).sealedAt;
  } catch (error) {
    if (isLivestowError(error, 'MANIFEST')) return null;
    throw error;
  }
}

class Copy {
  readonly #session: SealedSession;
  readonly #target: Store;
  readonly #onBytes: (bytes: number) => void;
  readonly #signal: AbortSignal;
  /** What the mirror had of the session when this began. */
  readonly #there = new Set<string>();

  constructor(session: SealedSession, target: Store, onBytes: (bytes: number) => void, signal: AbortSignal) {
    this.#session = session;
    this.#target = target;
    this.#onBytes = onBytes;
    this.#signal = signal;
  }

  /** @throws NotCopied */
  async run(): Promise<'copied' | 'removed'> {
    const session = this.#session;
    const { store } = session;
    const { manifest } = await readManifest(store, session, this.#signal);
    if (manifest === undefined)
      throw new NotCopied('it has no manifest that can be read: `reindex` mends that');
    // Since it was listed.
    if (manifest.deletedAt !== null) return 'removed';
    if (await this.#isRemovedThere()) return 'removed';
    for await (const { key } of this.#target.list(keyIn(session, ''), { signal: this.#signal }))
      this.#there.add(key);

    for (const key of [creatorFile(session.handle), avatarFile(session.handle)]) await this.#copyOnce(key);
    const named = new Set<string>();
    await forEachAtOnce(objectsOf(manifest), COPIES_AT_ONCE, async (said) => {
      named.add(said.key);
      await this.#copyObject(said);
    });
    const records = await this.#records(manifest);
    await forEachAtOnce(
      records.filter((key) => !named.has(key)),
      COPIES_AT_ONCE,
      (key) => this.#copyText(keyIn(session, key)),
    );
    await this.#copyText(keyIn(session, sessionKeys.manifest));
    await this.#copyText(indexKey(session.session, session.handle));
    await this.#copyText(keyIn(session, sessionKeys.summary));
    return 'copied';
  }

  async #isRemovedThere(): Promise<boolean> {
    const { manifest, problem } = await readManifest(this.#target, this.#session, this.#signal);
    if (problem !== null) throw new NotCopied(`what the mirror has of it cannot be read: ${problem}`);
    return manifest?.deletedAt != null;
  }

  /** Journals and playlists. A hold is a matter of each store. */
  async #records({ epochs }: Manifest): Promise<string[]> {
    const prefix = keyIn(this.#session, '');
    const playlists = new Set<string>([
      sessionKeys.playlist,
      ...epochs.map(({ term, epoch }) => sessionKeys.epochPlaylist(term, epoch)),
    ]);
    const keys: string[] = [];
    for await (const { key } of this.#session.store.list(prefix, { signal: this.#signal })) {
      const own = key.slice(prefix.length);
      if (own.startsWith('journal/') || playlists.has(own)) keys.push(own);
    }
    return keys;
  }

  async #copyObject(said: ArchivedFile): Promise<void> {
    const prefix = keyIn(this.#session, '');
    const { store } = this.#session;
    if (this.#there.has(prefix + said.key)) return this.#compare(prefix + said.key, said.sha256);
    const { finding, bytes } = await compareObject(store, prefix, said, {
      onBytes: () => {},
      keep: true,
      signal: this.#signal,
    });
    if (finding) throw new NotCopied(`damaged: ${finding.kind} ${finding.key}: ${finding.detail}`);
    await this.#put(prefix + said.key, bytes, said.sha256);
  }

  async #copyText(key: string): Promise<void> {
    const text = await readText(this.#session.store, key, this.#signal);
    // What is derived may be missing.
    if (text === undefined) return;
    const bytes = Buffer.from(text);
    if (this.#there.has(key)) await this.#compare(key, sha256Of(bytes));
    else await this.#put(key, bytes, sha256Of(bytes));
  }

  /** What the mirror has of it stays, whatever that is. */
  async #copyOnce(key: string): Promise<void> {
    if (await this.#target.head(key, this.#signal)) return;
    const parts: Buffer[] = [];
    try {
      const options = { signal: this.#signal };
      for await (const part of await this.#session.store.get(key, options)) parts.push(part as Buffer);
    } catch (error) {
      if (isLivestowError(error, 'STORE_NOT_FOUND')) return;
      throw error;
    }
    const bytes = Buffer.concat(parts);
    await this.#put(key, bytes, sha256Of(bytes)).catch((error: unknown) => {
      if (!(error instanceof NotCopied)) throw error;
    });
  }

  async #put(key: string, bytes: Buffer, sha256: string): Promise<void> {
    const options = { sha256, contentType: contentTypeOf(key), ifAbsent: true, signal: this.#signal };
    try {
      await this.#target.put(key, { bytes }, options);
      this.#onBytes(bytes.length);
    } catch (error) {
      if (!isLivestowError(error, 'STORE_EXISTS')) throw error;
      await this.#compare(key, sha256);
    }
  }

  /** By reading what is there. */
  async #compare(key: string, sha256: string): Promise<void> {
    const there = await readDigest(this.#target, key, this.#signal);
    if (there?.sha256 === sha256) return;
    throw new NotCopied(`the mirror has another object under ${key}: it is left as it is`);
  }
}

/** @throws CONFIG when a mirror is what it mirrors */
export function requireOther(to: string, locations: readonly string[]): void {
  if (!locations.includes(to)) return;
  throw new LivestowError('CONFIG', 'the mirror is the archive itself', {
    hint: 'name another store as `to`',
  });
}
