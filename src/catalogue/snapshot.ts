/**
 * `index/catalogue.ndjson.gz`: what the index says of its sealed sessions, in one object, so that the first list of a big
 * bucket needs one request and not one for each session. Each line bears size and time of the index object that it copies;
 * a reader takes it only where its own listing says the same, so a stale, torn or foreign snapshot costs nothing but time.
 */
import { pipeline, Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { createGunzip, createGzip } from 'node:zlib';
import { z } from 'zod';
import type { SessionRef } from '../archive/session-reader.ts';
import { isoUtc } from '../kernel/clock.ts';
import { isLivestowError } from '../kernel/errors.ts';
import type { Logger } from '../kernel/logger.ts';
import { contentTypeOf, isSessionId, SNAPSHOT } from '../layout/keys.ts';
import { formatOf, requireReadableFormat } from '../layout/format.ts';
import { FORMAT, summarySchema, type Summary } from '../model/manifest.ts';
import { parseHandle } from '../model/handle.ts';
import type { Store } from '../store/store.ts';
import type { CatalogueFile } from './catalogue-file.ts';
import type { IndexStamp } from './session-rows.ts';

/** With fewer, reading them is quick enough. */
export const SNAPSHOT_LEAST = 500;
const PAGE = 1000;
/** Of text: a summary has 4 KiB at most, and lines have little more. */
const LINE_CHARS = 8 * 1024;
/** What may be there of sessions that were removed since. */
const SLACK_LINES = 100_000;

const lineSchema = z.object({
  handle: z.string(),
  bytes: z.number().int(),
  modifiedAt: z.iso.datetime(),
  summary: summarySchema,
});

export interface SnapshotEntry extends SessionRef {
  summary: Summary;
  index: IndexStamp;
}

/** Removes it where there are too few sessions for one. @returns how many are in it */
export async function writeSnapshot(
  file: CatalogueFile,
  store: Store,
  nowMs: number,
  signal?: AbortSignal,
): Promise<number> {
  let count = 0;
  const lines = function* (): Generator<string> {
    yield `${JSON.stringify({ format: FORMAT, madeAt: isoUtc(nowMs) })}\n`;
    for (const line of snapshotLines(file)) {
      signal?.throwIfAborted();
      count += 1;
      yield line;
    }
  };
  const bytes = await buffer(Readable.from(lines()).pipe(createGzip()));
  if (count < SNAPSHOT_LEAST) {
    await store.delete(SNAPSHOT, signal);
    return 0;
  }
  await store.put(
    SNAPSHOT,
    { bytes },
    { contentType: contentTypeOf(SNAPSHOT), ...(signal ? { signal } : {}) },
  );
  return count;
}

function* snapshotLines(file: CatalogueFile): Generator<string> {
  for (let last = Number.MIN_SAFE_INTEGER; ;) {
    const rows = file.rows(
      `SELECT id, handle, index_bytes, index_ms, summary FROM name JOIN document USING (id)
       WHERE id > ? AND is_sealed = 1 AND index_bytes IS NOT NULL ORDER BY id LIMIT ?`,
      last,
      PAGE,
    );
    for (const { id, handle, index_bytes, index_ms, summary } of rows) {
      last = Number(id);
      const said = { handle, bytes: index_bytes, modifiedAt: isoUtc(Number(index_ms)) };
      yield `${JSON.stringify(said).slice(0, -1)},"summary":${String(summary)}}\n`;
    }
    if (rows.length < PAGE) return;
  }
}

/**
 * What can be read of it, whatever comes; nothing where there is none.
 * @param wanted how many sessions are looked for: one of very many more is not read to its end
 */
export async function* readSnapshot(
  store: Store,
  wanted: number,
  log: Logger,
  signal?: AbortSignal,
): AsyncGenerator<SnapshotEntry> {
  try {
    const body = await store.get(SNAPSHOT, signal ? { signal } : {});
    // Whatever happens to one of them ends the other, and comes out of what is read.
    const unpacked = pipeline(body, createGunzip(), () => {});
    yield* entriesOf(unpacked.setEncoding('utf8') as AsyncIterable<string>, wanted + SLACK_LINES);
  } catch (error) {
    signal?.throwIfAborted();
    if (isLivestowError(error, 'STORE_NOT_FOUND')) return;
    log.debug({ err: error }, 'the snapshot of the index cannot be used');
  }
}

async function* entriesOf(text: AsyncIterable<string>, mostLines: number): AsyncGenerator<SnapshotEntry> {
  let rest = '';
  let lines = 0;
  for await (const part of text) {
    const [...whole] = (rest + part).split('\n');
    rest = whole.pop() ?? '';
    if (rest.length > LINE_CHARS) throw new Error('a line of it is too long');
    for (const line of whole) {
      lines += 1;
      if (line.length > LINE_CHARS || lines > mostLines) throw new Error('it is too long');
      const value: unknown = JSON.parse(line);
      if (lines === 1) requireReadableFormat(formatOf(value), SNAPSHOT);
      else yield entryOf(value);
    }
  }
}

function entryOf(value: unknown): SnapshotEntry {
  const { handle, bytes, modifiedAt, summary } = lineSchema.parse(value);
  if (parseHandle(handle) !== handle || !isSessionId(summary.session) || summary.deletedAt !== null)
    throw new Error('a line of it is of no session');
  return { session: summary.session, handle, summary, index: { bytes, modifiedMs: Date.parse(modifiedAt) } };
}
