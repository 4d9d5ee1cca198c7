/**
 * An archive that has grown for years, as far as lists and searches look at it: manifests, summaries and the index, and no
 * media. The same numbers make the same archive.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { indexKey, sessionIdOf, sessionKeys, sessionPrefix } from '../../src/layout/keys.ts';
import { encodeManifest, encodeSummary, summaryOf } from '../../src/layout/manifest.ts';
import { FORMAT, type Epoch, type Gap, type Manifest, type Segment } from '../../src/model/manifest.ts';

const MINUTE_MS = 60_000;

export interface BucketSpec {
  sessions: number;
  /** Shared out evenly. */
  handles: readonly string[];
  /** Whether the lookup API named their accounts; if so, every tenth took another handle halfway. */
  haveAccounts: boolean;
  /** Of the newest session; the others are before it, one every `everyMs`. */
  newestMs: number;
  everyMs: number;
}

interface MadeSession {
  handle: string;
  manifest: Manifest;
}

/** Into a folder, as a directory store has it. */
export function writeBucket(folder: string, spec: BucketSpec, onProgress?: (done: number) => void): void {
  const made = new Set<string>();
  const put = (key: string, text: string): void => {
    const path = join(folder, key);
    if (!made.has(dirname(path))) mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  };
  mkdirSync(join(folder, dirname(indexKey('x', 'x'))), { recursive: true });
  made.add(join(folder, dirname(indexKey('x', 'x'))));
  for (let n = 0; n < spec.sessions; n += 1) {
    const { handle, manifest } = sessionAt(n, spec);
    const summary = encodeSummary(summaryOf(manifest));
    const prefix = sessionPrefix(handle, manifest.session);
    put(prefix + sessionKeys.manifest, encodeManifest(manifest));
    put(prefix + sessionKeys.summary, summary);
    put(indexKey(manifest.session, handle), summary);
    if (n % 1000 === 0) onProgress?.(n / spec.sessions);
  }
}

/** @param n 0 is the newest */
export function sessionAt(
  n: number,
  { sessions, handles, newestMs, everyMs, haveAccounts }: BucketSpec,
): MadeSession {
  const who = n % handles.length;
  const handle = handles[who] ?? 'nobody';
  const isRenamed = haveAccounts && who % 10 === 0 && n < sessions / 2;
  const random = seeded(n);
  const foundAtMs = newestMs - n * everyMs;
  const roomId = `71${String(n).padStart(17, '0')}`;
  const at = (ms: number): string => new Date(foundAtMs + ms).toISOString();
  const lengthMs = MINUTE_MS * (5 + Math.floor(235 * random()));
  const gapMs = random() < 0.3 ? Math.floor(30_000 * random()) + 1 : 0;
  const codec = random() < 0.8 ? 'h264' : 'h265';
  const epoch: Epoch = {
    term: 1,
    epoch: 1,
    codec,
    width: 720,
    height: 1280,
    init: null,
    initBytes: null,
    initSha256: null,
    variant: { codecFamily: codec, source: 'primary', qualityKey: 'origin', protocol: 'flv' },
  };
  const segment: Segment = {
    key: sessionKeys.segment(1, 1, 1, 'mpegts'),
    term: 1,
    epoch: 1,
    bytes: lengthMs * 300,
    sha256: '0'.repeat(64),
    durationMs: lengthMs - gapMs,
    startsAt: at(0),
    pictures: Math.floor((lengthMs - gapMs) / 33),
    audioFrames: Math.floor((lengthMs - gapMs) / 23),
    firstDtsMs: 0,
    lastDtsMs: lengthMs,
  };
  const gap: Gap = {
    after: segment.key,
    from: at(lengthMs - gapMs),
    to: at(lengthMs),
    ms: gapMs,
    cause: 'stall',
  };
  const ratio = Math.floor((10_000 * (lengthMs - gapMs)) / lengthMs) / 10_000;
  return {
    handle,
    manifest: {
      format: FORMAT,
      writer: { name: 'livestow', version: '0.1.0' },
      revision: 1,
      session: sessionIdOf(foundAtMs, roomId),
      sealedAt: at(lengthMs + MINUTE_MS),
      deletedAt: null,
      creator: {
        handle: isRenamed ? `${handle}.now` : handle,
        platformUserId: haveAccounts ? `68${String(who).padStart(17, '0')}` : null,
        displayName: `${NAMES[who % NAMES.length]} ${who}`,
      },
      room: { roomId, title: titleOf(random), startedAt: at(-10_000) },
      foundAt: at(0),
      endedAt: at(lengthMs),
      endCause: 'room-ended',
      container: codec === 'h264' ? 'mpegts' : 'fmp4',
      epochs: [epoch],
      segments: [segment],
      gaps: gapMs === 0 ? [] : [gap],
      coverage: { liveMs: lengthMs, recordedMs: lengthMs - gapMs, ratio },
      credits: { charged: 1, lookups: 1 },
      files: [],
    },
  };
}

const NAMES = ['Ana', 'Böjrn', 'Chloé', 'Дмитрий', 'Emre', 'Fatima', 'Γιώργος', 'はな', 'Ingrid', 'José'];
/** Some titles have these two words, and a few have the last: what is searched for is found often or hardly ever. */
export const COMMON_WORD = 'live';
export const RARE_WORD = 'thunderstorm';
const WORDS =
  'tea talk morning evening music guitar piano cooking games dance story night sleep fire ocean market street review unboxing drawing garden kitchen café straße музыка ночь おはよう 生放送 🎸 ✨'.split(
    ' ',
  );

function titleOf(random: () => number): string {
  const words = Array.from(
    { length: 2 + Math.floor(4 * random()) },
    () => WORDS[Math.floor(random() * WORDS.length)],
  );
  if (random() < 0.5) words.push(COMMON_WORD);
  if (random() < 0.0005) words.push(RARE_WORD);
  return words.join(' ');
}

/** Mulberry32. */
function seeded(seed: number): () => number {
  let state = (seed + 1) * 0x6d2b79f5;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}
