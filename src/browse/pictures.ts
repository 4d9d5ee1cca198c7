/**
 * The small pictures of sessions and creators. They lie in the bucket as a rule; a poster or a storyboard that an older
 * session lacks is made of its segments, one at a time, and kept in a local folder: the bucket is only read.
 */
import { mkdir, readdir, readFile, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import PQueue from 'p-queue';
import { keyIn, type SessionRef } from '../archive/session-reader.ts';
import { makePosterOf, makeStoryboard } from '../archive/storyboard.ts';
import { isLivestowError } from '../kernel/errors.ts';
import { isMissing, writeFileDurably } from '../kernel/files.ts';
import type { Logger } from '../kernel/logger.ts';
import { avatarFile, sessionKeys } from '../layout/keys.ts';
import type { Store } from '../store/store.ts';

/** Who asks for more than that at once is told that there is none. */
const MOST_WAITING = 50;
/** Sessions whose pictures are kept. */
const MOST_KEPT = 500;
const NICENESS = 15;

export interface PicturesOptions {
  store: Store;
  /** Null: nothing is kept. */
  folder: string | null;
  ffmpegPath: () => Promise<string>;
  log: Logger;
  signal: AbortSignal;
}

/** By name; null: nothing can be made of this session; undefined: not now. */
type Made = Record<string, Buffer> | null | undefined;

export class Pictures {
  readonly #options: PicturesOptions;
  readonly #queue = new PQueue({ concurrency: 1 });
  /** What is being made, and what cannot be. */
  readonly #making = new Map<string, Promise<Made>>();

  constructor(options: PicturesOptions) {
    this.#options = options;
  }

  /** All of these are undefined where there is no such picture. */
  avatar(handle: string): Promise<Buffer | undefined> {
    return this.#read(avatarFile(handle));
  }

  /** Of the first media, so that of a session that goes on is as good as any. */
  async poster(ref: SessionRef, isSealed: () => Promise<boolean>): Promise<Buffer | undefined> {
    const there =
      (await this.#read(keyIn(ref, sessionKeys.poster))) ?? (await this.#read(keyIn(ref, sessionKeys.cover)));
    if (there) return there;
    const isFinal = await isSealed();
    return this.#made(ref, 'poster.jpg', async () => {
      const poster = await makePosterOf(this.#options.store, ref, await this.#jobOptions());
      return poster ? { 'poster.jpg': poster } : isFinal ? null : undefined;
    });
  }

  async storyboard(
    ref: SessionRef,
    name: 'storyboard.jpg' | 'storyboard.vtt',
    isSealed: () => Promise<boolean>,
  ): Promise<Buffer | undefined> {
    const there = await this.#read(keyIn(ref, name));
    if (there || !(await isSealed())) return there;
    return this.#made(ref, name, async () => {
      const made = await makeStoryboard(this.#options.store, ref, await this.#jobOptions());
      return made ? { 'storyboard.jpg': made.jpg, 'storyboard.vtt': Buffer.from(made.vtt) } : null;
    });
  }

  async #jobOptions() {
    const { ffmpegPath, signal } = this.#options;
    return { ffmpegPath: await ffmpegPath(), signal, niceness: NICENESS };
  }

  async #read(key: string): Promise<Buffer | undefined> {
    try {
      return await buffer(await this.#options.store.get(key));
    } catch (error) {
      if (isLivestowError(error, 'STORE_NOT_FOUND')) return undefined;
      throw error;
    }
  }

  async #made(ref: SessionRef, name: string, make: () => Promise<Made>): Promise<Buffer | undefined> {
    const kept = await this.#kept(ref, name);
    if (kept) return kept;
    const work = `${ref.handle}/${ref.session}/${name.replace(/\..*/, '')}`;
    let making = this.#making.get(work);
    if (!making) {
      if (this.#queue.size >= MOST_WAITING) return undefined;
      making = this.#queue.add(() => this.#makeAndKeep(ref, make));
      this.#making.set(work, making);
      void making.then((made) => {
        // What cannot be made is not tried again and again.
        if (made !== null || this.#making.size > MOST_KEPT) this.#making.delete(work);
      });
    }
    return (await making)?.[name];
  }

  async #makeAndKeep(ref: SessionRef, make: () => Promise<Made>): Promise<Made> {
    const { log, folder } = this.#options;
    try {
      const made = await make();
      if (made && folder !== null) await this.#keep(folder, ref, made);
      return made;
    } catch (error) {
      log.warn({ err: error, ...ref }, 'a picture of an archived session could not be made');
      return isLivestowError(error) && error.retryable ? undefined : null;
    }
  }

  async #kept({ handle, session }: SessionRef, name: string): Promise<Buffer | undefined> {
    const { folder } = this.#options;
    if (folder === null) return undefined;
    const path = join(folder, `${session}~${handle}`, name);
    try {
      const kept = await readFile(path);
      const now = new Date();
      await utimes(join(path, '..'), now, now);
      return kept;
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }

  /** What was asked for longest ago goes when there is too much. */
  async #keep(folder: string, { handle, session }: SessionRef, made: NonNullable<Made>): Promise<void> {
    const own = join(folder, `${session}~${handle}`);
    await mkdir(own, { recursive: true });
    for (const [name, bytes] of Object.entries(made)) await writeFileDurably(join(own, name), bytes);
    const names = await readdir(folder);
    if (names.length <= MOST_KEPT) return;
    const aged = await Promise.all(
      names.map(async (name) => ({ name, atMs: (await stat(join(folder, name))).mtimeMs })),
    );
    aged.sort((a, b) => a.atMs - b.atMs);
    for (const { name } of aged.slice(0, names.length - MOST_KEPT))
      await rm(join(folder, name), { recursive: true, force: true });
  }
}
