/** A session as a recorder leaves it that was killed while the store was away: so many closed segments wait. */
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { isoUtc } from '../../src/kernel/clock.ts';
import { encodeJournalEntry } from '../../src/layout/journal.ts';
import { sessionIdOf, sessionKeys } from '../../src/layout/keys.ts';
import { FORMAT, type JournalEntry } from '../../src/model/manifest.ts';
import { sha256Of } from '../../src/store/body.ts';

const SEGMENT_MS = 4_000;
const SEGMENTS_PER_JOURNAL = 8;

/** Gives the session's name. The broadcast began at `fromMs`. */
export async function leaveBehind(
  spoolRoot: string,
  handle: string,
  room: { roomId: string; fromMs: number },
  segments: number,
): Promise<string> {
  const session = sessionIdOf(room.fromMs, room.roomId);
  const folder = join(spoolRoot, handle, session);
  const write = async (key: string, content: string): Promise<void> => {
    await mkdir(dirname(join(folder, key)), { recursive: true });
    await writeFile(join(folder, key), content);
  };
  const at = isoUtc(room.fromMs);
  let entries: JournalEntry[] = [
    {
      type: 'term',
      at,
      format: FORMAT,
      writer: { name: 'livestow', version: '0.0.0' },
      session,
      term: 1,
      creator: { handle, platformUserId: null, displayName: null },
      room: { roomId: room.roomId, title: null, startedAt: at },
      foundAt: at,
    },
    {
      type: 'epoch',
      at,
      container: 'mpegts',
      epoch: {
        term: 1,
        epoch: 1,
        codec: 'h264',
        width: 640,
        height: 360,
        init: null,
        initBytes: null,
        initSha256: null,
        variant: { codecFamily: 'h264', source: 'primary', qualityKey: 'origin', protocol: 'flv' },
      },
    },
  ];
  for (let n = 1; n <= segments; n += 1) {
    const key = sessionKeys.segment(1, 1, n, 'mpegts');
    const words = `segment ${n} of ${session}`;
    await write(key, words);
    const firstDtsMs = (n - 1) * SEGMENT_MS;
    entries.push({
      type: 'segment',
      at,
      segment: {
        key,
        term: 1,
        epoch: 1,
        bytes: words.length,
        sha256: sha256Of(Buffer.from(words)),
        durationMs: SEGMENT_MS,
        startsAt: isoUtc(room.fromMs + firstDtsMs),
        pictures: 100,
        audioFrames: 170,
        firstDtsMs,
        lastDtsMs: firstDtsMs + SEGMENT_MS - 40,
      },
    });
    if (n % SEGMENTS_PER_JOURNAL !== 0 && n !== segments) continue;
    await write(
      sessionKeys.journal(1, Math.ceil(n / SEGMENTS_PER_JOURNAL)),
      entries.map(encodeJournalEntry).join(''),
    );
    entries = [];
  }
  return session;
}
