/**
 * The composition root: makes every stage from the settings and hands it what it needs. The only place, with `cli/`, that
 * knows all of them.
 */
import PQueue from 'p-queue';
import { storyboardOf } from '../archive/storyboard.ts';
import type { CreatorInForce } from '../config/creator-in-force.ts';
import type { Config } from '../config/schema.ts';
import type { Clock } from '../kernel/clock.ts';
import { isLivestowError, LivestowError } from '../kernel/errors.ts';
import type { Logger } from '../kernel/logger.ts';
import type { Secret } from '../kernel/secret.ts';
import { makePoster } from '../ffmpeg/jobs.ts';
import { Beat } from '../ingest/beat.ts';
import { openSource } from '../ingest/open-source.ts';
import type { CreditLedger } from '../lookup/credit-ledger.ts';
import { LookupClient } from '../lookup/lookup-client.ts';
import type { LiveRoom, Look } from '../model/look.ts';
import type { Gap } from '../model/manifest.ts';
import { createNet } from '../net/net.ts';
import { Uploads } from '../ship/uploads.ts';
import { DiskGuard, type DiskLevel } from '../spool/disk-guard.ts';
import { answering } from '../store/answering.ts';
import { openStore } from '../store/open-store.ts';
import type { Store } from '../store/store.ts';
import { preferringCodec, type Preferences } from '../variant/preferences.ts';
import { rankVariants, type RankedVariant } from '../variant/rank.ts';
import { variantsOf } from '../variant/variants-of.ts';
import { countedSource } from './counted-source.ts';
import { chooseEngines } from './engine-choice.ts';
import { FollowedHandles } from './followed-handle.ts';
import type { RoomDeps } from './record-room.ts';
import { SessionPictures } from './session-pictures.ts';

/** Whatever else wants the processor goes before a storyboard. */
const STORYBOARD_NICENESS = 19;

export interface Recorder {
  deps: RoomDeps;
  /** With what is a creator's own in place of what holds for all. */
  depsFor(creator: CreatorInForce): RoomDeps;
  /** One for each location. */
  storeAt(location: string): Store;
  ledger: CreditLedger;
  store: Store;
  look: (handle: string, signal: AbortSignal) => Promise<Look>;
  /** For looks from now on. */
  useKey: (apiKey: Secret | null) => void;
  rank: (room: LiveRoom) => RankedVariant[];
  /** Ends all shipping; what is left stays in the spool. */
  giveUp: () => void;
  close(): Promise<void>;
}

/** What hangs on the store that a creator is archived in. */
type AtStore = Pick<RoomDeps, 'store' | 'pictures' | 'look'>;

export interface ComposeOptions {
  config: Config;
  clock: Clock;
  log: Logger;
  version: string;
  maxDurationMs?: number | null;
  onShipped?: (key: string, tookMs: number, bytes: number) => void;
  /** Told of the bytes of all media, as they come. */
  onReceived?: (bytes: number) => void;
  /** Told of every look's end. */
  onLookEnd?: (handle: string, outcome: Look | Error) => void;
  /** Told whenever the store at this location answers. */
  onAnswer?: (location: string) => void;
  onGap?: (handle: string, session: string, gap: Gap) => void;
  onDiskLevel?: (level: DiskLevel, freeBytes: number) => void;
}

export async function composeRecorder({
  config,
  clock,
  log,
  version,
  ...options
}: ComposeOptions): Promise<Recorder> {
  const { engineFor, canRecord, ffmpegPath } = await chooseEngines({
    engine: config.engine,
    clock,
    logger: log,
  });
  const net = createNet({ mediaHosts: config.mediaHosts, proxy: config.proxy?.reveal() ?? null });
  const stores = new Map<string, AtStore>();
  const at = (location: string): AtStore => {
    const known = stores.get(location);
    if (known) return known;
    const adapter = openStore(location, { logger: log, clock, putsAtOnce: config.uploads });
    const store = answering(adapter, () => options.onAnswer?.(location));
    const followed = new FollowedHandles({ store, clock, ask, log });
    const opened: AtStore = {
      store,
      pictures: picturesIn(store),
      look: (handle, signal) => followed.look(handle, signal),
    };
    stores.set(location, opened);
    return opened;
  };
  const lookup = new LookupClient({
    apiKey: config.apiKey?.reveal(),
    baseUrl: config.apiUrl,
    dispatcher: net.api,
    logger: log,
    clock,
  });
  const beat = new Beat(clock);
  const giveUp = new AbortController();
  const rank = (room: LiveRoom, preferences = config.ranking): RankedVariant[] =>
    rankVariants(variantsOf(room.streams), preferences, { canRecord });
  const ask = async (handle: string, calledNow: string, signal: AbortSignal): Promise<Look> => {
    try {
      const seen = await lookup.look(calledNow, { signal, fresh: true });
      options.onLookEnd?.(handle, seen);
      return seen;
    } catch (error) {
      if (isLivestowError(error)) options.onLookEnd?.(handle, error);
      throw error;
    }
  };

  // Of all recordings: sealing many at once takes no more of the machine than sealing one.
  const storyboards = new PQueue({ concurrency: 1 });
  const picturesIn = (store: Store): SessionPictures =>
    new SessionPictures({
      store,
      clock,
      read: (url, read) => net.media.read(url, read),
      makePoster: async (source, out, signal) => {
        if (ffmpegPath !== undefined) await makePoster(source, out, { ffmpegPath, signal });
      },
      makeStoryboard: async (ref, manifest, signal) => {
        if (ffmpegPath === undefined) return undefined;
        const options = { ffmpegPath, niceness: STORYBOARD_NICENESS, signal };
        return storyboards.add(() => storyboardOf(store, ref, manifest, options), { signal });
      },
      signal: giveUp.signal,
    });
  const rankBy =
    (preferences: Preferences): RoomDeps['rank'] =>
    (room, codec) =>
      rank(room, codec === null ? preferences : preferringCodec(preferences, codec))
        .filter(({ verdict }) => verdict === 'ranked')
        .map(({ variant }) => variant);
  const common = at(config.store);

  const deps: RoomDeps = {
    spoolRoot: config.spool,
    ...common,
    uploads: new Uploads({
      atOnce: config.uploads,
      bytesPerSecond: config.uploadBytesPerSecond,
      clock,
      log,
    }),
    disk: new DiskGuard({
      folder: config.spool,
      reserveBytes: config.diskReserveBytes,
      clock,
      log,
      ...(options.onDiskLevel ? { onLevel: options.onDiskLevel } : {}),
    }),
    clock,
    log,
    writer: { name: 'livestow', version },
    settings: {
      maxHoldMs: config.maxHoldMs,
      sampleIntervalMs: config.sampleIntervalMs,
      segmentDurationMs: config.segmentDurationMs,
      stallTimeoutMs: config.stallTimeoutMs,
      maxDurationMs: options.maxDurationMs ?? null,
      priority: 0,
    },
    openSource: (variant, signal) =>
      countedSource(openSource(variant, { media: net.media, clock, beat }, signal), options.onReceived),
    rank: rankBy(config.ranking),
    engineFor,
    giveUp: giveUp.signal,
    ...(options.onShipped ? { onShipped: options.onShipped } : {}),
    ...(options.onGap ? { onGap: options.onGap } : {}),
  };
  return {
    deps,
    depsFor: (creator) => ({
      ...deps,
      ...at(creator.store),
      rank: rankBy(creator.ranking),
      settings: {
        ...deps.settings,
        maxHoldMs: creator.maxHoldMs,
        sampleIntervalMs: creator.sampleIntervalMs,
        maxDurationMs: creator.maxDurationMs ?? deps.settings.maxDurationMs,
        priority: creator.priority,
      },
    }),
    storeAt: (location) => at(location).store,
    ledger: lookup.ledger,
    store: common.store,
    look: common.look,
    useKey: (apiKey) => lookup.useKey(apiKey?.reveal()),
    rank: (room) => rank(room),
    giveUp: () => giveUp.abort(gaveUp()),
    close: async () => {
      giveUp.abort(gaveUp());
      await net.close();
      for (const { store: each } of stores.values()) each.close();
    },
  };
}

const gaveUp = (): LivestowError =>
  new LivestowError('STORE_UNAVAILABLE', 'the store did not take everything in the time that there was', {
    retryable: true,
    hint: 'what is missing there lies in the spool: `livestow recover` ships it, and so does the next start',
  });
