/** An archive that has grown for years, as far as a start looks at it: what lists and plans are made from, without media. */
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { indexKey, sessionIdOf, sessionKeys, sessionPrefix } from '../../src/layout/keys.ts';
import { encodeManifest, encodeSummary, summaryOf } from '../../src/layout/manifest.ts';
import { FORMAT, type Manifest } from '../../src/model/manifest.ts';

const HOUR_MS = 3_600_000;
const FILES_AT_ONCE = 32;

/** Sealed sessions, shared out evenly, the newest some hours old. */
export async function writeOldSessions(
  folder: string,
  handles: readonly string[],
  count: number,
): Promise<void> {
  const nowMs = Date.now();
  let at = 0;
  const writer = async (): Promise<void> => {
    while (at < count) {
      const n = at;
      at += 1;
      const handle = handles[n % handles.length] ?? 'nobody';
      const manifest = sealed(handle, nowMs - (n + 5) * HOUR_MS, `71${String(n).padStart(17, '0')}`);
      const summary = encodeSummary(summaryOf(manifest));
      const prefix = sessionPrefix(handle, manifest.session);
      await put(join(folder, `${prefix}${sessionKeys.manifest}`), encodeManifest(manifest));
      await put(join(folder, `${prefix}${sessionKeys.summary}`), summary);
      await put(join(folder, indexKey(manifest.session, handle)), summary);
    }
  };
  await Promise.all(Array.from({ length: FILES_AT_ONCE }, writer));
}

async function put(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, text);
}

function sealed(handle: string, foundAtMs: number, roomId: string): Manifest {
  const foundAt = new Date(foundAtMs).toISOString();
  return {
    format: FORMAT,
    writer: { name: 'livestow', version: '0.1.0' },
    revision: 1,
    session: sessionIdOf(foundAtMs, roomId),
    sealedAt: foundAt,
    deletedAt: null,
    creator: { handle, platformUserId: null, displayName: handle },
    room: { roomId, title: 'Tea', startedAt: foundAt },
    foundAt,
    endedAt: foundAt,
    endCause: 'room-ended',
    container: null,
    epochs: [],
    segments: [],
    gaps: [],
    coverage: { liveMs: 0, recordedMs: 0, ratio: 0 },
    credits: { charged: 1, lookups: 1 },
    files: [],
  };
}
