/**
 * A house with a spool and a store in which recorders come and go: everything between the looks and the archive is real,
 * but for the connections (scripts), the engine (plain files) and time (stepped).
 */
import { cp, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { recordCreator, type CreatorOptions, type CreatorOutcome } from '../../src/daemon/record-creator.ts';
import type { RoomDeps } from '../../src/daemon/record-room.ts';
import { SessionPictures } from '../../src/daemon/session-pictures.ts';
import type { SourceEnd, SourceItem } from '../../src/ingest/source.ts';
import { silentLogger } from '../../src/kernel/logger.ts';
import { StopRequest } from '../../src/kernel/stop-request.ts';
import { sessionPrefix } from '../../src/layout/keys.ts';
import { decodeManifest } from '../../src/layout/manifest.ts';
import type { MediaUnit } from '../../src/media/packet.ts';
import type { Look } from '../../src/model/look.ts';
import type { Manifest } from '../../src/model/manifest.ts';
import type { Variant } from '../../src/model/variant.ts';
import { Uploads } from '../../src/ship/uploads.ts';
import { fixedCadence } from '../../src/watch/cadence.ts';
import { DiskGuard } from '../../src/spool/disk-guard.ts';
import { ManualClock } from '../manual-clock.ts';
import { diskAtRest, passInSteps } from '../record/disk-at-rest.ts';
import { PlainEngine } from '../record/plain-engine.ts';
import { digest } from '../ship/session-bench.ts';
import { TellingStore } from '../ship/telling-store.ts';
import { audio, GOP_MS, media, video } from '../spool/numbered-media.ts';
import { scratchFolder } from '../spool/scratch.ts';

const READ_MS = 200;
const PICTURE_BYTES = 200;
const meta = { requestId: 'r', creditsCharged: 1, cached: false };

/** What is offered of each broadcast. */
export const variant: Variant = {
  id: 'h264/origin/flv',
  codecFamily: 'h264',
  source: 'primary',
  qualityKey: 'origin',
  qualityLabel: null,
  protocol: 'flv',
  url: 'https://cdn.example/a',
  width: null,
  height: null,
  bitrateBps: null,
  audioOnly: false,
};

/** One broadcast after the other, each with its room; null: nothing is on. */
export interface Broadcast {
  roomId: string;
  fromMs: number;
  toMs: number;
}

export class House {
  readonly handle: string;
  readonly root: string;
  readonly clock: ManualClock;
  readonly store: TellingStore;
  readonly engine = new PlainEngine();
  broadcasts: Broadcast[] = [];
  /** The CDN gives nothing, though the room is listed. */
  isCdnDown = false;
  /** What a look fails with. */
  refusal: Error | null = null;
  looks = 0;
  /** Numbers of the pictures that were sent, by room. */
  readonly sent = new Map<string, Set<number>>();

  private constructor(root: string, clock: ManualClock, handle: string) {
    this.root = root;
    this.handle = handle;
    this.clock = clock;
    this.store = new TellingStore(join(root, 'store'));
  }

  static async open({ clock = new ManualClock(), handle = 'alice' } = {}): Promise<House> {
    return new House(await scratchFolder(), clock, handle);
  }

  /** As a crash leaves it now: what is on the disk and in the store, and nothing else. */
  async asLeftByCrash(): Promise<House> {
    await diskAtRest();
    const copy = new House(`${this.root}-copy-${this.clock.monotonic()}`, this.clock, this.handle);
    onTestFinished(() => rm(copy.root, { recursive: true, force: true }));
    await cp(this.root, copy.root, { recursive: true });
    copy.broadcasts = this.broadcasts;
    for (const [room, pictures] of this.sent) copy.sent.set(room, new Set(pictures));
    return copy;
  }

  get onAir(): Broadcast | undefined {
    const nowMs = this.clock.monotonic();
    return this.broadcasts.find(({ fromMs, toMs }) => fromMs <= nowMs && nowMs < toMs);
  }

  look(): Look {
    this.looks += 1;
    if (this.refusal) throw this.refusal;
    const profile = { handle: this.handle, platformUserId: '1', displayName: null, avatarUrl: null };
    const on = this.onAir;
    if (!on) return { status: 'offline', profile, meta };
    const startedAt = new Date(this.clock.now() - this.clock.monotonic() + on.fromMs).toISOString();
    const room = {
      roomId: on.roomId,
      title: null,
      coverUrl: null,
      startedAt,
      viewerCount: 1,
      enterCount: 1,
      streams: [],
    };
    return { status: 'live', profile, meta, room };
  }

  /** The last GOP at once, then what comes. */
  async *#connection(signal: AbortSignal): AsyncGenerator<SourceItem, SourceEnd, undefined> {
    const on = this.onAir;
    if (!on || this.isCdnDown) {
      await this.clock.delay(50, signal);
      return { reason: 'closed' };
    }
    let atMs = Math.max(on.fromMs, Math.floor(this.clock.monotonic() / GOP_MS) * GOP_MS);
    let head: MediaUnit[] = [video, audio];
    while (this.onAir === on && !this.isCdnDown) {
      const toMs = this.clock.monotonic();
      const packets = media(atMs, toMs);
      atMs = toMs;
      if (head.length + packets.length > 0) {
        for (const packet of packets)
          if (packet.kind === 'video') this.#note(on.roomId, (packet.dtsMs - 60_000) / 40);
        const units = [...head, ...packets];
        head = [];
        yield { kind: 'media', units, arrivedAtMs: this.clock.monotonic(), bytes: 1 };
      }
      await this.clock.delay(READ_MS, signal);
    }
    return { reason: 'closed' };
  }

  #note(roomId: string, picture: number): void {
    const pictures = this.sent.get(roomId) ?? new Set();
    this.sent.set(roomId, pictures.add(picture));
  }

  deps(giveUp: AbortSignal): RoomDeps {
    const { store, clock, engine } = this;
    return {
      spoolRoot: join(this.root, 'spool'),
      store,
      uploads: new Uploads({ atOnce: 4, clock, log: silentLogger() }),
      disk: new DiskGuard({ folder: this.root, reserveBytes: 0, clock, log: silentLogger() }),
      clock,
      log: silentLogger(),
      writer: { name: 'livestow', version: '0.0.0' },
      settings: {
        maxHoldMs: 60_000,
        sampleIntervalMs: 300_000,
        segmentDurationMs: 4_000,
        stallTimeoutMs: 4_000,
        maxDurationMs: null,
        priority: 0,
      },
      openSource: (_variant, signal) => this.#connection(signal),
      look: async (_handle, signal) => {
        await clock.delay(20, signal);
        return this.look();
      },
      rank: () => [variant],
      engineFor: () => engine,
      pictures: new SessionPictures({
        store,
        clock,
        read: () => Promise.reject(new Error('no pictures here')),
        makePoster: () => Promise.reject(new Error('no posters here')),
        makeStoryboard: () => Promise.resolve(undefined),
        signal: giveUp,
      }),
      giveUp,
    };
  }

  /** A recorder of alice comes. */
  recorder(options: Partial<CreatorOptions> = {}): RunningRecorder {
    return new RunningRecorder(this, options);
  }

  /** Time passes, each step with time for what it sets off. */
  pass(ms: number, until?: AbortSignal): Promise<void> {
    return passInSteps(this.clock, READ_MS, ms, until);
  }

  async sessions(): Promise<string[]> {
    const sessions: string[] = [];
    for await (const folder of this.store.folders(`creators/${this.handle}/`))
      sessions.push(folder.split('/').at(-2) ?? '');
    return sessions;
  }

  async text(session: string, key: string): Promise<string> {
    return readFile(join(this.root, 'store', sessionPrefix(this.handle, session), key), 'utf8');
  }

  async manifest(session: string): Promise<Manifest> {
    return decodeManifest(await this.text(session, 'manifest.json'), 'manifest.json');
  }

  /** What is wrong with a session in the store; numbers of its pictures, in order. */
  async account(
    session: string,
  ): Promise<{ manifest: Manifest; untrue: string[]; pictures: number[]; frames: number[] }> {
    const manifest = await this.manifest(session);
    const untrue: string[] = [];
    const pictures: number[] = [];
    const frames: number[] = [];
    for (const { key, bytes, sha256 } of [...manifest.segments, ...manifest.files]) {
      const stored = await readFile(join(this.root, 'store', sessionPrefix(this.handle, session), key)).catch(
        () => Buffer.alloc(0),
      );
      if (stored.length !== bytes || digest(stored) !== sha256) untrue.push(key);
      if (key.startsWith('segments/')) readNumbers(stored.toString('latin1'), pictures, frames);
    }
    return { manifest, untrue, pictures, frames };
  }
}

function readNumbers(text: string, pictures: number[], frames: number[]): void {
  for (let at = 0; at < text.length;) {
    const [whole = ' ', kind, number] = /^(picture|frame) (\d+)/.exec(text.slice(at, at + 24)) ?? [];
    if (kind === 'picture') {
      pictures.push(Number(number));
      at += PICTURE_BYTES;
    } else {
      frames.push(Number(number));
      at += whole.length;
    }
  }
}

export class RunningRecorder {
  readonly stop = new AbortController();
  readonly giveUp = new AbortController();
  readonly sealed: string[] = [];
  outcome: CreatorOutcome | undefined;
  error: Error | undefined;
  readonly #house: House;
  readonly #over = new AbortController();

  constructor(house: House, options: Partial<CreatorOptions>) {
    this.#house = house;
    recordCreator(
      {
        handle: house.handle,
        once: false,
        noWait: false,
        cadence: fixedCadence(2_000),
        onSealed: ({ session }) => this.sealed.push(session),
        ...options,
      },
      house.deps(this.giveUp.signal),
      this.stop.signal,
    )
      .then((outcome) => {
        this.outcome = outcome;
      })
      .catch((error: unknown) => {
        this.error = error instanceof Error ? error : new Error(String(error));
      })
      .finally(() => this.#over.abort());
  }

  get isOver(): boolean {
    return this.#over.signal.aborted;
  }

  /** Time passes until it is over. */
  async over(withinMs = 600_000): Promise<void> {
    await this.#house.pass(withinMs, this.#over.signal);
    if (!this.isOver) throw new Error('the recorder goes on');
    if (this.error) throw this.error;
  }

  async stopAs(kind: 'interrupt' | 'drain'): Promise<void> {
    this.stop.abort(new StopRequest(kind));
    await this.over();
  }
}
