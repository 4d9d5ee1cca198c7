/** Whole sessions with real media in a real directory store, laid out as the layout's own code says. */
import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { foldSession } from '../../src/layout/fold.ts';
import { encodeJournalEntry } from '../../src/layout/journal.ts';
import { contentTypeOf, indexKey, sessionIdOf, sessionKeys, sessionPrefix } from '../../src/layout/keys.ts';
import { encodeManifest, encodeSummary, summaryOf } from '../../src/layout/manifest.ts';
import { epochPlaylist, sessionPlaylist } from '../../src/layout/playlist.ts';
import { FORMAT, type Epoch, type JournalEntry, type Manifest } from '../../src/model/manifest.ts';
import { openStore } from '../../src/store/open-store.ts';
import type { Store } from '../../src/store/store.ts';
import { makeEpoch, type EpochSpec } from './media.ts';

export interface TempStore extends AsyncDisposable {
  store: Store;
  /** Where the objects lie, as files. */
  root: string;
}

export async function tempStore(): Promise<TempStore> {
  const root = await mkdtemp(join(tmpdir(), 'livestow-archive-'));
  const store = openStore(root);
  return {
    store,
    root,
    [Symbol.asyncDispose]: async () => {
      store.close();
      await rm(root, { recursive: true, force: true });
    },
  };
}

type Size = Pick<EpochSpec, 'width' | 'height' | 'seconds' | 'numbered'> & {
  codec?: EpochSpec['codec'];
  /** So much is missing before it. */
  missingMs?: number;
};

export const PORTRAIT: Size = { width: 180, height: 320, seconds: 6 };
export const LANDSCAPE: Size = { width: 320, height: 180, seconds: 4 };

export interface SessionSpec {
  handle?: string;
  platformUserId?: string | null;
  roomId?: string;
  foundAtMs?: number;
  title?: string | null;
  epochs?: Size[];
  /** As the first epoch's codec has it, unless told. */
  container?: EpochSpec['container'];
  /** Unsealed as a recorder leaves it that is still at work, or as one that crashed before its first manifest. */
  state?: 'sealed' | 'recording' | 'crashed';
  /** Of the manifest's creator, when it has another name by now. */
  handleNow?: string;
  /** Makes other bytes of a segment before it is stored, hashed and journaled. */
  spoil?: (key: string, bytes: Buffer) => Buffer;
}

export interface BuiltSession {
  handle: string;
  session: string;
  prefix: string;
  manifest: Manifest;
}

const FOUND_AT = Date.UTC(2026, 10, 22, 14, 3, 7);
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

export async function buildSession(store: Store, spec: SessionSpec = {}): Promise<BuiltSession> {
  const { handle = 'alice', roomId = '7412', foundAtMs = FOUND_AT, state = 'sealed' } = spec;
  const session = sessionIdOf(foundAtMs, roomId);
  const prefix = sessionPrefix(handle, session);
  const put = (key: string, text: string | Uint8Array): Promise<unknown> =>
    store.put(prefix + key, { bytes: Buffer.from(text) }, { contentType: contentTypeOf(key) });
  const at = (ms: number): string => new Date(foundAtMs + ms).toISOString();

  const entries: JournalEntry[] = [
    {
      type: 'term',
      at: at(0),
      format: FORMAT,
      writer: { name: 'livestow', version: '0.1.0' },
      session,
      term: 1,
      creator: {
        handle: spec.handleNow ?? handle,
        platformUserId: spec.platformUserId === undefined ? `id-of-${handle}` : spec.platformUserId,
        displayName: 'Alice',
      },
      room: { roomId, title: spec.title === undefined ? 'Tea & talk' : spec.title, startedAt: at(-2000) },
      foundAt: at(0),
    },
    {
      type: 'gap',
      at: at(0),
      gap: { after: null, from: at(-2000), to: at(0), ms: 2000, cause: 'found-late' },
    },
    { type: 'credits', at: at(0), charged: 2, lookups: 2 },
  ];
  let journals = 0;
  const shipJournal = async (): Promise<void> => {
    journals += 1;
    await put(sessionKeys.journal(1, journals), entries.slice(shipped).map(encodeJournalEntry).join(''));
    shipped = entries.length;
  };
  let shipped = 0;
  let startMs = 0;
  let missingMs = 0;
  let lastKey: string | null = null;
  const epochs = spec.epochs ?? [PORTRAIT, LANDSCAPE];
  const container = spec.container ?? (epochs[0]?.codec === 'h265' ? 'fmp4' : 'mpegts');
  for (const [i, size] of epochs.entries()) {
    const number = i + 1;
    const { codec = 'h264', missingMs: missingBefore = 0, ...picture } = size;
    if (missingBefore > 0) {
      const [from, to] = [at(startMs + missingMs), at(startMs + missingMs + missingBefore)];
      entries.push({
        type: 'gap',
        at: to,
        gap: { after: lastKey, from, to, ms: missingBefore, cause: 'stall' },
      });
      missingMs += missingBefore;
    }
    const made = await makeEpoch({ codec, ...picture, startMs, container });
    const epoch: Epoch = {
      term: 1,
      epoch: number,
      codec,
      width: size.width,
      height: size.height,
      init: made.init ? sessionKeys.init(1, number) : null,
      initBytes: made.init?.length ?? null,
      initSha256: made.init ? sha256(made.init) : null,
      variant: { codecFamily: codec, source: 'primary', qualityKey: 'origin', protocol: 'flv' },
    };
    if (epoch.init && made.init) await put(epoch.init, made.init);
    entries.push({ type: 'epoch', at: at(startMs), container, epoch });
    for (const [j, { bytes: whole, ...measured }] of made.segments.entries()) {
      const key = sessionKeys.segment(1, number, j + 1, container);
      const bytes = spec.spoil?.(key, whole) ?? whole;
      await put(key, bytes);
      entries.push({
        type: 'segment',
        at: at(startMs),
        segment: {
          ...measured,
          key,
          term: 1,
          epoch: number,
          bytes: bytes.length,
          sha256: sha256(bytes),
          startsAt: at(startMs + missingMs + measured.firstDtsMs - (made.segments[0]?.firstDtsMs ?? 0)),
        },
      });
      lastKey = key;
    }
    startMs += size.seconds * 1000;
    await shipJournal();
  }

  if (state === 'sealed') {
    const room = Buffer.from(`${JSON.stringify({ roomId, title: spec.title ?? null })}\n`);
    await put(sessionKeys.room, room);
    entries.push({
      type: 'file',
      at: at(startMs),
      file: { key: sessionKeys.room, bytes: room.length, sha256: sha256(room) },
    });
    entries.push({ type: 'end', at: at(startMs), endedAt: at(startMs), endCause: 'room-ended' });
    await shipJournal();
  }
  const folded = foldSession(entries, 3).manifest;
  const manifest = state === 'sealed' ? { ...folded, sealedAt: at(startMs + 1000) } : folded;
  if (state !== 'crashed') await publish(store, { handle, session, prefix, manifest });
  return { handle, session, prefix, manifest };
}

/** Everything that is derived of a manifest, and itself. */
export async function publish(
  store: Store,
  { handle, session, prefix, manifest }: BuiltSession,
): Promise<void> {
  const complete = manifest.sealedAt !== null;
  const put = (key: string, text: string): Promise<unknown> => store.put(key, { bytes: Buffer.from(text) });
  const summary = encodeSummary(summaryOf(manifest));
  await put(prefix + sessionKeys.manifest, encodeManifest(manifest));
  await put(prefix + sessionKeys.playlist, sessionPlaylist(manifest, complete));
  for (const epoch of manifest.epochs) {
    await put(
      prefix + sessionKeys.epochPlaylist(epoch.term, epoch.epoch),
      epochPlaylist(manifest, epoch, complete),
    );
  }
  await put(prefix + sessionKeys.summary, summary);
  await put(indexKey(session, handle), summary);
}
