/**
 * Hundreds of creators for days, in minutes: the daemon with everything below it is real, but for the looks and the
 * connections (scripts), the engine (plain files) and time, which goes from timer to timer.
 */
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import type { Config } from '../../src/config/schema.ts';
import type { ComposeOptions, Recorder } from '../../src/daemon/compose.ts';
import type { RoomDeps } from '../../src/daemon/record-room.ts';
import { SessionPictures } from '../../src/daemon/session-pictures.ts';
import type { SourceEnd, SourceItem } from '../../src/ingest/source.ts';
import { silentLogger } from '../../src/kernel/logger.ts';
import { CreditLedger } from '../../src/lookup/credit-ledger.ts';
import type { MediaUnit } from '../../src/media/packet.ts';
import type { Look } from '../../src/model/look.ts';
import { Uploads } from '../../src/ship/uploads.ts';
import { DiskGuard } from '../../src/spool/disk-guard.ts';
import { DirectoryStore } from '../../src/store/directory-store.ts';
import type { ManualClock } from '../manual-clock.ts';
import { diskAtRest } from '../record/disk-at-rest.ts';
import { PlainEngine } from '../record/plain-engine.ts';
import { video } from '../spool/numbered-media.ts';
import { variant } from './house.ts';

/** Few pictures are enough to see what is there. */
const FRAME_MS = 200;
const GOP_PICTURES = 10;
const READ_MS = 2_000;

export interface TownBroadcast {
  roomId: string;
  fromMs: number;
  toMs: number;
}

export class Town {
  readonly root: string;
  readonly clock: ManualClock;
  readonly engine = new PlainEngine();
  /** By handle, in order; times since the clock began. */
  readonly broadcasts = new Map<string, TownBroadcast[]>();
  /** What a look fails with now. */
  refusal: (() => Error) | null = null;
  /** Answered looks, by day. */
  readonly looksByDay: number[] = [];
  failedLooks = 0;

  constructor(root: string, clock: ManualClock) {
    this.root = root;
    this.clock = clock;
  }

  get store(): DirectoryStore {
    return new DirectoryStore(join(this.root, 'archive'));
  }

  onAir(handle: string): TownBroadcast | undefined {
    const nowMs = this.clock.monotonic();
    return this.broadcasts.get(handle)?.find(({ fromMs, toMs }) => fromMs <= nowMs && nowMs < toMs);
  }

  #look(handle: string): Look {
    if (this.refusal) {
      this.failedLooks += 1;
      throw this.refusal();
    }
    const day = Math.floor(this.clock.monotonic() / 86_400_000);
    this.looksByDay[day] = (this.looksByDay[day] ?? 0) + 1;
    const meta = { requestId: 'r', creditsCharged: 1, cached: false };
    const profile = { handle, platformUserId: handle, displayName: null, avatarUrl: null };
    const on = this.onAir(handle);
    if (!on) return { status: 'offline', profile, meta };
    const startedAt = new Date(this.clock.now() - this.clock.monotonic() + on.fromMs).toISOString();
    const room = { roomId: on.roomId, title: null, coverUrl: null, startedAt, viewerCount: 1, enterCount: 1 };
    return { status: 'live', profile, meta, room: { ...room, streams: [] } };
  }

  async *#connection(handle: string, signal: AbortSignal): AsyncGenerator<SourceItem, SourceEnd, undefined> {
    const on = this.onAir(handle);
    let head: MediaUnit[] = [video];
    let picture =
      Math.ceil((this.clock.monotonic() - (on?.fromMs ?? 0)) / FRAME_MS / GOP_PICTURES) * GOP_PICTURES;
    if (!on) return { reason: 'closed' };
    while (this.onAir(handle) === on) {
      const units = head;
      const goneMs = this.clock.monotonic() - on.fromMs;
      for (; picture * FRAME_MS < goneMs; picture += 1) {
        const key = picture % GOP_PICTURES === 0;
        const dtsMs = 60_000 + picture * FRAME_MS;
        units.push({
          kind: 'video',
          dtsMs,
          compositionMs: 0,
          key,
          data: Buffer.alloc(64, `picture ${picture} `),
        });
      }
      head = [];
      if (units.length > 1 || (units.length === 1 && units[0] !== video)) {
        yield { kind: 'media', units, arrivedAtMs: this.clock.monotonic(), bytes: 1 };
      } else head = units;
      await this.clock.delay(READ_MS, signal);
    }
    return { reason: 'closed' };
  }

  /** In place of `composeRecorder`. */
  readonly compose = (options: ComposeOptions): Promise<Recorder> => {
    const { clock, engine } = this;
    const { config } = options;
    const log = silentLogger();
    const giveUp = new AbortController();
    const { store } = this;
    const look = async (handle: string, signal: AbortSignal): Promise<Look> => {
      await clock.delay(50, signal);
      const seen = this.#look(handle);
      options.onLookEnd?.(handle, seen);
      return seen;
    };
    const uploads = new Uploads({ atOnce: 8, clock, log });
    const disk = new DiskGuard({ folder: this.root, reserveBytes: 0, clock, log });
    const pictures = new SessionPictures({
      store,
      clock,
      read: () => Promise.reject(new Error('no pictures here')),
      makePoster: () => Promise.reject(new Error('no posters here')),
      makeStoryboard: () => Promise.resolve(undefined),
      signal: giveUp.signal,
    });
    const deps = (settings: Partial<RoomDeps['settings']>): Omit<RoomDeps, 'openSource'> => ({
      spoolRoot: config.spool,
      store,
      uploads,
      disk,
      clock,
      log,
      writer: { name: 'livestow', version: '0.0.0' },
      settings: {
        maxHoldMs: 60_000,
        sampleIntervalMs: 3_600_000,
        segmentDurationMs: 20_000,
        stallTimeoutMs: 10_000,
        maxDurationMs: null,
        priority: 0,
        ...settings,
      },
      look,
      rank: () => [variant],
      engineFor: () => engine,
      pictures,
      giveUp: giveUp.signal,
      ...(options.onGap ? { onGap: options.onGap } : {}),
    });
    const openSource =
      (handle: string): RoomDeps['openSource'] =>
      (_variant, signal) =>
        this.#connection(handle, signal);
    return Promise.resolve({
      deps: { ...deps({}), openSource: openSource('nobody') },
      depsFor: ({ handle, priority }) => ({ ...deps({ priority }), openSource: openSource(handle) }),
      storeAt: () => store,
      ledger: new CreditLedger(),
      store,
      look,
      rank: () => [],
      useKey: () => {},
      giveUp: () => giveUp.abort(),
      close: () => Promise.resolve(giveUp.abort()),
    });
  };

  /** From timer to timer. */
  async pass(untilMs: number, until?: AbortSignal): Promise<void> {
    for (;;) {
      if (until?.aborted === true) return;
      const nextMs = this.clock.nextMs;
      const leftMs = untilMs - this.clock.monotonic();
      if (leftMs <= 0) return;
      await this.clock.advance(Math.min(nextMs ?? leftMs, leftMs));
      await turn();
      if (process.getActiveResourcesInfo().some((name) => name.startsWith('FSReq'))) await diskAtRest();
    }
  }
}

export const spoolOf = (town: Town): Pick<Config, 'spool' | 'store'> => ({
  spool: join(town.root, 'spool'),
  store: join(town.root, 'archive'),
});
