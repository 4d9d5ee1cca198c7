/**
 * Reads a session back from the store and compares it with its manifest. Nothing is changed. Of an unsealed session
 * what its journals know so far is verified; what is newer than they are is no finding.
 */
import { isLivestowError, messageOf, type LivestowError } from '../kernel/errors.ts';
import { parseJournalKey, parseSegmentKey, sessionKeys } from '../layout/keys.ts';
import { objectsOf } from '../layout/objects.ts';
import type { Manifest } from '../model/manifest.ts';
import type { Store } from '../store/store.ts';
import { finding, type Finding } from './finding.ts';
import { foldJournals, keyIn, openSession, type OpenedSession, type SessionRef } from './session-reader.ts';
import { verifyEpoch } from './verify-epoch.ts';
import { compareObject, compareSize } from './verify-object.ts';

export interface VerifyOptions {
  /** `sizes` asks the store for a listing and reads nothing; `hashes` reads; `decode` decodes what was read as well. */
  depth: 'sizes' | 'hashes' | 'decode';
  /** The ffmpeg executable, for `decode`. */
  ffmpeg: string;
  onProgress?: (doneBytes: number, totalBytes: number) => void;
  signal?: AbortSignal | undefined;
}

export interface Verification extends SessionRef {
  sealed: boolean;
  depth: VerifyOptions['depth'];
  segments: number;
  pictures: number;
  bytes: number;
  /** Nothing that was recorded is damaged. */
  ok: boolean;
  findings: Finding[];
}

/**
 * Throws NOT_FOUND, FFMPEG_MISSING, what the store throws, and the signal's reason.
 */
export async function verifySession(
  store: Store,
  ref: SessionRef,
  options: VerifyOptions,
): Promise<Verification> {
  try {
    return await verify(store, ref, options);
  } catch (error) {
    // Streams and processes give errors of their own when they are ended in the middle.
    options.signal?.throwIfAborted();
    throw error;
  }
}

async function verify(store: Store, ref: SessionRef, options: VerifyOptions): Promise<Verification> {
  const { depth, signal } = options;
  const opened = await openSession(store, ref, { signal }).catch((error: unknown) => {
    if (isLivestowError(error, 'MANIFEST')) return error;
    throw error;
  });
  // Listed after that: of a session that grows, everything that the journals know is there by now.
  const listed = await listSession(store, ref, signal);
  if (opened instanceof Error) {
    const nothing = { sealed: false, segments: 0, pictures: 0, bytes: 0 };
    const found = unreadable(opened, listed);
    return { ...ref, ...nothing, depth, ok: !found.damage, findings: [found] };
  }
  const { manifest } = opened;
  const findings = [
    ...(await verifyRecords(store, opened, signal)),
    ...(depth === 'sizes'
      ? objectsOf(manifest).map((said) => compareSize(said, listed.get(said.key)))
      : await verifyContents(store, ref, manifest, options)),
    ...derivedMissing(manifest, listed),
    ...strays(manifest, listed),
  ].filter((found) => found !== null);
  return {
    ...ref,
    sealed: manifest.sealedAt !== null,
    depth,
    segments: manifest.segments.length,
    pictures: manifest.segments.reduce((sum, segment) => sum + segment.pictures, 0),
    bytes: totalBytes(manifest),
    ok: !findings.some(({ damage }) => damage),
    findings,
  };
}

/** Nothing says what should be there: no wonder in the first seconds of a recording. */
function unreadable(error: LivestowError, listed: ReadonlyMap<string, number>): Finding {
  const isRecorded = [...listed.keys()].some(
    (key) => key === sessionKeys.manifest || key.startsWith('journal/'),
  );
  return isRecorded
    ? finding('manifest', sessionKeys.manifest, error.message)
    : finding('begun', sessionKeys.manifest);
}

/** Sizes by key within the session. */
async function listSession(
  store: Store,
  ref: SessionRef,
  signal?: AbortSignal,
): Promise<Map<string, number>> {
  const prefix = keyIn(ref, '');
  const listed = new Map<string, number>();
  for await (const { key, bytes } of store.list(prefix, signal ? { signal } : {})) {
    listed.set(key.slice(prefix.length), bytes);
  }
  return listed;
}

const totalBytes = (manifest: Manifest): number =>
  objectsOf(manifest).reduce((sum, { bytes }) => sum + bytes, 0);

async function verifyContents(
  store: Store,
  ref: SessionRef,
  manifest: Manifest,
  { depth, ffmpeg, onProgress, signal }: VerifyOptions,
): Promise<(Finding | null)[]> {
  const prefix = keyIn(ref, '');
  const total = totalBytes(manifest);
  let done = 0;
  const onBytes = (bytes: number): void => {
    done += bytes;
    onProgress?.(Math.min(done, total), total);
  };
  const findings: (Finding | null)[] = [];
  for (const said of manifest.files) {
    findings.push((await compareObject(store, prefix, said, { onBytes, keep: false, signal })).finding);
  }
  const { container } = manifest;
  for (const epoch of container === null ? [] : manifest.epochs) {
    const segments = manifest.segments.filter(
      ({ term, epoch: n }) => term === epoch.term && n === epoch.epoch,
    );
    const check = { store, prefix, container: container ?? 'mpegts', epoch, segments, onBytes, signal };
    findings.push(...(await verifyEpoch({ ...check, ffmpeg: depth === 'decode' ? ffmpeg : null })));
  }
  return findings;
}

/** The manifest and the journals against each other: neither has a hash elsewhere. */
async function verifyRecords(store: Store, opened: OpenedSession, signal?: AbortSignal): Promise<Finding[]> {
  const { ref, manifest, source, manifestProblem } = opened;
  if (manifestProblem !== null) return [finding('manifest', sessionKeys.manifest, manifestProblem)];
  if (source === 'journals') return [];
  try {
    const folded = await foldJournals(store, ref, manifest.revision, signal);
    if (folded === undefined) return [finding('journals', 'journal/', 'there are none')];
    return contradictions(manifest, folded);
  } catch (error) {
    if (isLivestowError(error, 'MANIFEST')) return [finding('journals', 'journal/', messageOf(error))];
    throw error;
  }
}

function contradictions(manifest: Manifest, folded: Manifest): Finding[] {
  const saidBy = ({ segments }: Manifest): Map<string, string> =>
    new Map(
      segments.map((segment) => [
        segment.key,
        JSON.stringify([segment.bytes, segment.sha256, segment.pictures]),
      ]),
    );
  const [sealed, journaled] = [saidBy(manifest), saidBy(folded)];
  const differing = [...new Set([...sealed.keys(), ...journaled.keys()])].filter(
    (key) => sealed.get(key) !== journaled.get(key),
  );
  return differing.map((key) => {
    if (!journaled.has(key)) return finding('journals', key, 'the manifest names it and no journal does');
    if (!sealed.has(key))
      return finding('journals', key, 'the journals name it and the sealed manifest does not');
    return finding('journals', key, 'the journals and the sealed manifest say different things of it');
  });
}

/** What every session has, as soon as it has anything, and what can be made anew of the rest. */
function derivedMissing(manifest: Manifest, listed: ReadonlyMap<string, number>): Finding[] {
  if (manifest.sealedAt === null) return [];
  const expected = [
    sessionKeys.summary,
    sessionKeys.playlist,
    ...manifest.epochs.map(({ term, epoch }) => sessionKeys.epochPlaylist(term, epoch)),
  ];
  return expected.filter((key) => !listed.has(key)).map((key) => finding('derived', key));
}

const EPOCH_PLAYLIST = /^epoch-\d{4,}-\d{4,}\.m3u8$/;

function strays(manifest: Manifest, listed: ReadonlyMap<string, number>): Finding[] {
  const known = new Set<string>([
    sessionKeys.manifest,
    sessionKeys.summary,
    sessionKeys.playlist,
    sessionKeys.hold,
    ...objectsOf(manifest).map(({ key }) => key),
  ]);
  const isUnsealed = manifest.sealedAt === null;
  const isComing = (key: string): boolean =>
    isUnsealed && (parseSegmentKey(key) !== undefined || !key.includes('/'));
  return [...listed.keys()]
    .filter((key) => !known.has(key) && !EPOCH_PLAYLIST.test(key) && parseJournalKey(key) === undefined)
    .filter((key) => !isComing(key) && !(isUnsealed && key.endsWith('-init.mp4')))
    .map((key) => finding('stray', key));
}
