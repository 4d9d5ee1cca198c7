/**
 * A store in a local folder: keys are paths below it. An object is written beside under a name that no key can have,
 * made durable, and only then given its own name, so that a key's file is always whole. Nothing is remembered about the
 * files: a digest is what reading one says, so `head` and `list` leave it null and `readDigest` reads.
 */
import { constants } from 'node:fs';
import { access, copyFile, link, open, rename, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { LivestowError } from '../kernel/errors.ts';
import { isMissing, removeFile, syncFolder } from '../kernel/files.ts';
import { checkDigest, digestFile, sha256Of, unreadable, type Digest } from './body.ts';
import { directoryError, errnoOf, isNothing } from './directory-errors.ts';
import { DirectoryFolders, temporaryName } from './directory-folders.ts';
import { walkFolders, walkKeys } from './directory-walk.ts';
import { checkKey, checkPrefix } from './key.ts';
import type { Body, ByteRange, ObjectInfo, PutOptions, Store, StoreCapabilities } from './store.ts';

/** Files whose size is asked for at once while listing. */
const STAT_BATCH = 64;
/** What link(2) says where the file system has no hard links. */
const NO_LINKS = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK']);

export class DirectoryStore implements Store {
  readonly description: string;
  readonly #root: string;
  readonly #folders: DirectoryFolders;
  #capabilities: Promise<StoreCapabilities> | undefined;

  /** `root` is absolute; it is made with the first object. */
  constructor(root: string) {
    this.#root = root;
    this.#folders = new DirectoryFolders(root);
    this.description = `directory ${root}`;
  }

  capabilities(): Promise<StoreCapabilities> {
    this.#capabilities ??= this.#probe().catch((error: unknown) => {
      this.#capabilities = undefined;
      throw directoryError(error, `using ${this.#root}`);
    });
    return this.#capabilities;
  }

  async put(key: string, body: Body, options: PutOptions = {}): Promise<ObjectInfo> {
    checkKey(key);
    options.signal?.throwIfAborted();
    const path = join(this.#root, key);
    try {
      return await this.#folders.within(dirname(path), () => this.#write(key, path, body, options));
    } catch (error) {
      throw directoryError(error, `writing ${path}`);
    }
  }

  async get(key: string, options: { range?: ByteRange; signal?: AbortSignal } = {}): Promise<Readable> {
    checkKey(key);
    options.signal?.throwIfAborted();
    const path = join(this.#root, key);
    try {
      const handle = await open(path, 'r');
      const found = await handle.stat();
      const { start = 0, end = Infinity } = options.range ?? {};
      if (!found.isFile() || start >= found.size) {
        await handle.close();
        if (!found.isFile()) throw new LivestowError('STORE_NOT_FOUND', `no object ${key}`);
        return Readable.from([]);
      }
      return handle.createReadStream({ start, end, ...(options.signal ? { signal: options.signal } : {}) });
    } catch (error) {
      if (isNothing(error)) throw new LivestowError('STORE_NOT_FOUND', `no object ${key}`, { cause: error });
      throw directoryError(error, `reading ${path}`);
    }
  }

  async head(key: string, signal?: AbortSignal): Promise<ObjectInfo | undefined> {
    checkKey(key);
    signal?.throwIfAborted();
    return this.#info(key);
  }

  async *list(
    prefix: string,
    options: { startAfter?: string; signal?: AbortSignal } = {},
  ): AsyncGenerator<ObjectInfo> {
    checkPrefix(prefix);
    try {
      let batch: string[] = [];
      for await (const key of walkKeys(this.#root, prefix, options.startAfter, options.signal)) {
        batch.push(key);
        if (batch.length < STAT_BATCH) continue;
        yield* await this.#infos(batch);
        batch = [];
      }
      yield* await this.#infos(batch);
    } catch (error) {
      throw directoryError(error, `listing ${this.#root}`);
    }
  }

  async *folders(
    prefix: string,
    options: { startAfter?: string; signal?: AbortSignal | undefined } = {},
  ): AsyncGenerator<string> {
    checkPrefix(prefix);
    try {
      yield* walkFolders(this.#root, prefix, options.startAfter, options.signal);
    } catch (error) {
      throw directoryError(error, `listing ${this.#root}`);
    }
  }

  async delete(key: string, signal?: AbortSignal): Promise<void> {
    checkKey(key);
    signal?.throwIfAborted();
    const path = join(this.#root, key);
    try {
      await removeFile(path);
      await this.#folders.removeEmpty(dirname(path));
    } catch (error) {
      if (!isNothing(error)) throw directoryError(error, `removing ${path}`);
    }
  }

  lockOf(): Promise<null> {
    return Promise.resolve(null);
  }

  keepsVersions(): Promise<boolean> {
    return Promise.resolve(false);
  }

  presign(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  close(): void {
    // Nothing is held open.
  }

  async #write(key: string, path: string, body: Body, options: PutOptions): Promise<ObjectInfo> {
    const temporary = join(dirname(path), temporaryName());
    try {
      const digest = await fill(temporary, body, options.signal);
      checkDigest(key, digest, body, options.sha256);
      options.signal?.throwIfAborted();
      if (options.ifAbsent === true) await createOnly(temporary, path, key);
      else await rename(temporary, path);
      await syncFolder(dirname(path));
      return { key, ...digest, modifiedAt: (await stat(path)).mtime };
    } finally {
      await removeFile(temporary);
    }
  }

  async #info(key: string): Promise<ObjectInfo | undefined> {
    const path = join(this.#root, key);
    try {
      const found = await stat(path);
      return found.isFile() ? { key, bytes: found.size, sha256: null, modifiedAt: found.mtime } : undefined;
    } catch (error) {
      if (isNothing(error)) return undefined;
      throw directoryError(error, `reading ${path}`);
    }
  }

  async #infos(keys: readonly string[]): Promise<ObjectInfo[]> {
    const infos = await Promise.all(keys.map((key) => this.#info(key)));
    return infos.filter((info) => info !== undefined);
  }

  /** Tries a hard link for real: exFAT, some network and FUSE file systems have none. */
  async #probe(): Promise<StoreCapabilities> {
    const [one, other] = [join(this.#root, temporaryName()), join(this.#root, temporaryName())];
    return this.#folders.within(this.#root, async () => {
      try {
        await fill(one, { bytes: new Uint8Array(1) });
        const linked = await link(one, other).then(
          () => true,
          (error: unknown) => {
            if (NO_LINKS.has(errnoOf(error) ?? '')) return false;
            throw error;
          },
        );
        return { conditionalCreate: linked, presignedUrls: false };
      } finally {
        await removeFile(one);
        await removeFile(other);
      }
    });
  }
}

/** Writes the body durably under a temporary name, and says what stands there now: of a file, by reading it. */
async function fill(path: string, body: Body, signal?: AbortSignal): Promise<Digest> {
  if ('bytes' in body) {
    const handle = await open(path, 'wx');
    try {
      await handle.writeFile(body.bytes);
      await handle.sync();
      return { bytes: (await handle.stat()).size, sha256: sha256Of(body.bytes) };
    } finally {
      await handle.close();
    }
  }
  if (body.immutable !== true || !(await isLinked(body.file, path))) await copy(body.file, path);
  const handle = await open(path, 'r');
  try {
    const digest = await digestFile(handle, signal);
    await handle.sync();
    return digest;
  } finally {
    await handle.close();
  }
}

/** Whether the file could be given the other name too: not across file systems, nor where there are no hard links. */
const isLinked = (file: string, path: string): Promise<boolean> =>
  link(file, path).then(
    () => true,
    () => false,
  );

/** A clone where the file system can (btrfs, xfs), else copied within the kernel. */
async function copy(file: string, path: string): Promise<void> {
  await copyFile(file, path, constants.COPYFILE_FICLONE | constants.COPYFILE_EXCL).catch(
    async (error: unknown) => {
      await access(file, constants.R_OK).catch((cause: unknown) => {
        throw unreadable(file, cause);
      });
      throw error;
    },
  );
}

const isGone = (path: string): Promise<boolean> => stat(path).then(() => false, isMissing);

/** link(2) never replaces what is there; without hard links there is only looking first. */
async function createOnly(temporary: string, path: string, key: string): Promise<void> {
  const exists = () => new LivestowError('STORE_EXISTS', `${key} exists already`);
  try {
    await link(temporary, path);
  } catch (error) {
    const errno = errnoOf(error) ?? '';
    if (errno === 'EEXIST') {
      // Whoever made it may have been killed before that was durable; who is told of it may count on it.
      await syncFolder(dirname(path));
      throw exists();
    }
    if (!NO_LINKS.has(errno)) throw error;
    if (!(await isGone(path))) throw exists();
    await rename(temporary, path);
  }
}
