/** Archives without media, written as recorders write them, and catalogues of them. */
import { join } from 'node:path';
import { Catalogue } from '../../src/catalogue/catalogue.ts';
import { silentLogger } from '../../src/kernel/logger.ts';
import { sessionIdOf } from '../../src/layout/keys.ts';
import { FORMAT, type Manifest } from '../../src/model/manifest.ts';
import { Publisher } from '../../src/ship/publish.ts';
import { DirectoryStore } from '../../src/store/directory-store.ts';
import type { ObjectInfo, Store } from '../../src/store/store.ts';
import { ManualClock } from '../manual-clock.ts';
import { epochOf, segmentOf } from '../layout/sample.ts';

export const HOUR = 3_600_000;
export const DAY = 24 * HOUR;
/** As files are written now, so that their times and the clock's agree. */
export const NOW = Date.now();

export interface SessionSpec {
  handle?: string;
  foundAtMs?: number;
  roomId?: string;
  title?: string | null;
  displayName?: string | null;
  account?: string | null;
  /** Where it is not that of the folder. */
  handleNow?: string;
  recordedMs?: number;
  bytes?: number;
  gaps?: number;
  codecs?: ('h264' | 'h265')[];
  isSealed?: boolean;
}

export function manifestOf(spec: SessionSpec = {}): Manifest {
  const { handle = 'alice', foundAtMs = NOW - HOUR, roomId = '1', recordedMs = 60_000, gaps = 0 } = spec;
  const at = (ms: number): string => new Date(foundAtMs + ms).toISOString();
  const liveMs = recordedMs + gaps * 1000;
  const segment = segmentOf(1, 1, 1, { durationMs: recordedMs, bytes: spec.bytes ?? 1000 });
  return {
    format: FORMAT,
    writer: { name: 'livestow', version: '0.1.0' },
    revision: 1,
    session: sessionIdOf(foundAtMs, roomId),
    sealedAt: spec.isSealed === false ? null : at(recordedMs),
    deletedAt: null,
    creator: {
      handle: spec.handleNow ?? handle,
      platformUserId: spec.account === undefined ? `id-of-${handle}` : spec.account,
      displayName: spec.displayName === undefined ? `Name of ${handle}` : spec.displayName,
    },
    room: { roomId, title: spec.title === undefined ? 'Tea' : spec.title, startedAt: at(0) },
    foundAt: at(0),
    endedAt: spec.isSealed === false ? null : at(recordedMs),
    endCause: spec.isSealed === false ? null : 'room-ended',
    container: 'mpegts',
    epochs: (spec.codecs ?? ['h264']).map((codec, index) => epochOf(1, index + 1, { codec })),
    segments: [segment],
    gaps: Array.from({ length: gaps }, () => ({
      after: segment.key,
      from: at(0),
      to: at(1000),
      ms: 1000,
      cause: 'stall' as const,
    })),
    coverage: {
      liveMs,
      recordedMs,
      ratio: liveMs === 0 ? 0 : Math.floor((10_000 * recordedMs) / liveMs) / 10_000,
    },
    credits: { charged: 1, lookups: 1 },
    files: [],
  };
}

export interface Written {
  handle: string;
  session: string;
}

/** Everything that is derived of it, as a recorder puts it. */
export async function write(store: Store, spec: SessionSpec = {}): Promise<Written> {
  const { handle = 'alice' } = spec;
  const manifest = manifestOf(spec);
  await new Publisher(store, handle).publish(manifest);
  return { handle, session: manifest.session };
}

/** A folder store that counts what it is asked. */
export class CountingStore extends DirectoryStore {
  gets = 0;
  listed: string[] = [];

  override get(...args: Parameters<DirectoryStore['get']>): ReturnType<DirectoryStore['get']> {
    this.gets += 1;
    return super.get(...args);
  }

  override list(...[prefix, options]: Parameters<DirectoryStore['list']>): AsyncGenerator<ObjectInfo> {
    this.listed.push(`${prefix} after ${options?.startAfter ?? ''}`);
    return super.list(prefix, options);
  }
}

export interface OpenCatalogue extends AsyncDisposable {
  catalogue: Catalogue;
  clock: ManualClock;
}

/** @param folder of the cache; null: in memory */
export function open(
  store: Store,
  folder: string | null = null,
  clock = new ManualClock(NOW),
): OpenCatalogue {
  const path = folder === null ? null : join(folder, 'catalogue.sqlite');
  const catalogue = Catalogue.open(store, { path, clock, log: silentLogger() });
  return { catalogue, clock, [Symbol.asyncDispose]: () => catalogue.close() };
}

export const idsOf = ({ catalogue }: OpenCatalogue, limit = 1000): string[] =>
  catalogue.search({ limit }).entries.map(({ handle, session }) => `${handle}/${session}`);
export const nameOf = ({ handle, session }: Written): string => `${handle}/${session}`;
