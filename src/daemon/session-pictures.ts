/**
 * The still pictures of a session: the cover that the API names, the creator's avatar, a poster made of the first
 * segment, and a storyboard made at the seal. None of them may ever delay or fail a recording: what can't be had is left
 * out. A storyboard is read back from the store, not gathered while it is recorded: so nothing of it has to survive a
 * crash, other terms' media is in it, and the one that is made on demand is the same.
 */
import { copyFile, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Storyboard } from '../archive/storyboard.ts';
import type { SessionRef } from '../archive/session-reader.ts';
import { AnySignal } from '../kernel/any-signal.ts';
import { isoUtc, type Clock } from '../kernel/clock.ts';
import { Deadline } from '../kernel/deadline.ts';
import { syncFile, syncFolder } from '../kernel/files.ts';
import type { Logger } from '../kernel/logger.ts';
import { stopKind } from '../kernel/stop-request.ts';
import { avatarFile, contentTypeOf, creatorFile, sessionKeys } from '../layout/keys.ts';
import type { Look } from '../model/look.ts';
import type { Manifest } from '../model/manifest.ts';
import type { SessionSpool, SpooledObject } from '../spool/session-spool.ts';
import { POSTER_IN_WORK, POSTER_SOURCE } from '../spool/strangers.ts';
import type { Store } from '../store/store.ts';

const PICTURE_LIMIT_BYTES = 8 * 1024 * 1024;
const FETCH_TIMEOUT_MS = 20_000;
/** A seal waits no longer for a storyboard, its turn included: one that is missing is made when somebody looks. */
const STORYBOARD_BUDGET_MS = 15_000;

export interface PictureDeps {
  store: Store;
  clock: Clock;
  /** A guarded fetch of a small body. */
  read: (
    url: string,
    options: { signal: AbortSignal; maxBytes: number; timeoutMs: number },
  ) => Promise<{ bytes: Buffer }>;
  /** Writes the first picture of a media file or image as JPEG. */
  makePoster(source: string, out: string, signal: AbortSignal): Promise<void>;
  /** Of what is in the store; undefined when there are no pictures. */
  makeStoryboard(ref: SessionRef, manifest: Manifest, signal: AbortSignal): Promise<Storyboard | undefined>;
  signal: AbortSignal;
}

export interface PicturesOfSession {
  /** Resolves with the keys of those that lie in the spool's files. */
  finished(): Promise<string[]>;
  /**
   * Makes the storyboard of a session that is being sealed, into the spool's files, unless it lies there from an
   * earlier try. Resolves with its keys, with none when it could not be had, or when a drain waits for the seal.
   */
  storyboard(sealing: Manifest, stop: AbortSignal): Promise<string[]>;
}

export class SessionPictures {
  readonly #deps: PictureDeps;

  constructor(deps: PictureDeps) {
    this.#deps = deps;
  }

  /** @param context.look null when nobody looked (a recovery): what an earlier term fetched is used */
  begin(context: {
    spool: SessionSpool;
    look: Extract<Look, { status: 'live' }> | null;
    log: Logger;
  }): PicturesOfSession {
    const { spool, look, log } = context;
    const tolerate = (what: string, work: Promise<void>): Promise<void> =>
      work.catch((error: unknown) => log.debug({ err: error }, `no ${what} for this session`));
    const works = [tolerate('poster', this.#poster(spool))];
    if (look) {
      works.push(tolerate('new storyboard', this.#forgetStoryboard(spool)));
      works.push(tolerate('cover', this.#cover(spool, look.room.coverUrl)));
      works.push(tolerate('avatar', this.#creator(spool.handle, look)));
    }
    return {
      finished: async () => {
        spool.emit('closing');
        await Promise.all(works);
        const keys: string[] = [];
        for (const key of [sessionKeys.cover, sessionKeys.poster])
          if (await exists(spool.filePath(key))) keys.push(key);
        return keys;
      },
      storyboard: async (sealing, stop) => {
        let keys: string[] = [];
        const making = async (): Promise<void> => {
          if (await this.#storyboard(spool, sealing, stop))
            keys = [sessionKeys.storyboard, sessionKeys.storyboardTrack];
        };
        await tolerate('storyboard', making());
        return keys;
      },
    };
  }

  async #storyboard(spool: SessionSpool, sealing: Manifest, stop: AbortSignal): Promise<boolean> {
    const { clock, signal } = this.#deps;
    // Made for a seal that was cut off, which may have shipped it already. The track is written last.
    if (await exists(spool.filePath(sessionKeys.storyboardTrack))) return true;
    if (stopKind(stop) === 'drain') return false;
    // Whoever asked for the end of the recording wants all of it; who asks for an end now is waiting for the seal.
    using asked = new AnySignal(signal, ...(stop.aborted ? [] : [stop]));
    using until = new Deadline(clock, STORYBOARD_BUDGET_MS, asked.signal);
    const { handle, session } = spool;
    const made = await this.#deps.makeStoryboard({ handle, session }, sealing, until.signal);
    if (!made) return false;
    await spool.writeFile(sessionKeys.storyboard, made.jpg);
    await spool.writeFile(sessionKeys.storyboardTrack, made.vtt);
    return true;
  }

  /** One that an earlier seal made lacks what is recorded from now on. */
  async #forgetStoryboard(spool: SessionSpool): Promise<void> {
    for (const key of [sessionKeys.storyboardTrack, sessionKeys.storyboard])
      await rm(spool.filePath(key), { force: true });
  }

  /** Waits for the first segment (and its init), or for the session to close without one. */
  async #poster(spool: SessionSpool): Promise<void> {
    const out = spool.filePath(sessionKeys.poster);
    const source = spool.filePath(POSTER_SOURCE);
    const made = spool.filePath(POSTER_IN_WORK);
    try {
      // Listens from now on: a session may close before anything else was asked.
      const copied = await firstMedia(spool, source);
      if (!copied || (await exists(out))) return;
      await this.#deps.makePoster(source, made, this.#deps.signal);
      await syncFile(made);
      await rename(made, out);
      await syncFolder(dirname(out));
    } finally {
      for (const path of [source, made]) await rm(path, { force: true });
    }
  }

  async #cover(spool: SessionSpool, url: string | null): Promise<void> {
    const out = spool.filePath(sessionKeys.cover);
    if (url === null || (await exists(out))) return;
    const picture = await this.#jpeg(url);
    if (picture) await spool.writeFile(sessionKeys.cover, picture);
  }

  async #creator(handle: string, { profile }: Extract<Look, { status: 'live' }>): Promise<void> {
    const { store, clock, signal } = this.#deps;
    const { platformUserId, displayName } = profile;
    const creator = {
      format: 'livestow/1',
      handle,
      // Another one than that of the folder, where the creator was renamed.
      calledNow: profile.handle,
      platformUserId,
      displayName,
      updatedAt: isoUtc(clock.now()),
    };
    const text = Buffer.from(`${JSON.stringify(creator, null, 1)}\n`);
    await store.put(creatorFile(handle), { bytes: text }, { contentType: 'application/json', signal });
    if (profile.avatarUrl === null) return;
    const picture = await this.#jpeg(profile.avatarUrl);
    const key = avatarFile(handle);
    if (picture) await store.put(key, { bytes: picture }, { contentType: contentTypeOf(key), signal });
  }

  /** JPEG as it came; anything else is left out, since the archive's names say `.jpg`. */
  async #jpeg(url: string): Promise<Buffer | undefined> {
    const { read, signal } = this.#deps;
    const { bytes } = await read(url, { signal, maxBytes: PICTURE_LIMIT_BYTES, timeoutMs: FETCH_TIMEOUT_MS });
    return bytes[0] === 0xff && bytes[1] === 0xd8 ? bytes : undefined;
  }
}

/** Copies the first segment, behind its init if it has one; each at once, for it goes as soon as it is shipped. */
function firstMedia(spool: SessionSpool, out: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    let init: Promise<void> | null = null;
    const onObject = ({ key }: SpooledObject): void => {
      const path = spool.pathOf(key);
      if (key.endsWith('-init.mp4')) {
        init = copyFile(path, out);
        // Told below, by the segment that needs it.
        init.catch(() => {});
        return;
      }
      stop();
      const segment = readFile(path);
      const flag = init === null ? 'w' : 'a';
      Promise.all([segment, init])
        .then(([bytes]) => writeFile(out, bytes, { flag }))
        .then(() => resolve(true), reject);
    };
    const onClosing = (): void => {
      stop();
      resolve(false);
    };
    const stop = (): void => {
      spool.off('object', onObject);
      spool.off('closing', onClosing);
    };
    spool.on('object', onObject);
    spool.on('closing', onClosing);
  });
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
