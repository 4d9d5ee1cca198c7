/**
 * Takes the fragmented MP4 that ffmpeg writes to its standard output apart: the init becomes a file, each fragment is
 * appended to the open segment's file as soon as it is there, counted and hashed on the way. When a segment is complete
 * is not decided here.
 */
import { createHash, type Hash } from 'node:crypto';
import { open, type FileHandle } from 'node:fs/promises';
import { LivestowError } from '../../kernel/errors.ts';
import {
  censusOfFragment,
  describeInit,
  FragmentSplitter,
  type Fmp4Census,
  type Fmp4Track,
} from '../../media/fmp4.ts';
import type { ClosedInit } from '../engine.ts';
import type { SegmentCensus } from './segment-census.ts';

export interface FragmentWriterOptions {
  initPath: string;
  segmentPath(n: number): string;
  firstSegment: number;
  onInit(init: ClosedInit, tracks: readonly Fmp4Track[]): void;
  /** A fragment is in the file. `groups`: how many with pictures the open segment has now. */
  onFragment(n: number, groups: number): Promise<void>;
}

export class FragmentWriter {
  readonly #options: FragmentWriterOptions;
  readonly #splitter = new FragmentSplitter();
  #tracks: Fmp4Track[] | undefined;
  #open: OpenSegment | undefined;
  #next: number;

  constructor(options: FragmentWriterOptions) {
    this.#options = options;
    this.#next = options.firstSegment;
  }

  /** Takes a piece of the stream; resolves when all that it completed is in files. */
  async push(chunk: Buffer): Promise<void> {
    for (const part of this.#splitter.push(chunk)) {
      if (part.kind === 'init') await this.#writeInit(part.data);
      else await this.#writeFragment(part.data);
    }
  }

  /** Closes the open segment; the next fragment begins another. Undefined when none is open. */
  async closeSegment(): Promise<SegmentCensus | undefined> {
    const segment = this.#open;
    this.#open = undefined;
    return segment?.close(this.#tracks ?? []);
  }

  /** The stream is over: nothing stays open. */
  async release(): Promise<void> {
    await this.#open?.release();
    this.#open = undefined;
  }

  async #writeInit(data: Buffer): Promise<void> {
    if (this.#tracks) throw new LivestowError('ENGINE', 'ffmpeg wrote a second init segment.');
    this.#tracks = describeInit(data);
    const file = await open(this.#options.initPath, 'w');
    try {
      await file.writeFile(data);
    } finally {
      await file.close();
    }
    const sha256 = createHash('sha256').update(data).digest('hex');
    this.#options.onInit({ path: this.#options.initPath, bytes: data.length, sha256 }, this.#tracks);
  }

  async #writeFragment(data: Buffer): Promise<void> {
    if (!this.#tracks) throw new LivestowError('ENGINE', 'ffmpeg wrote a fragment before its init segment.');
    if (!this.#open) {
      const n = this.#next++;
      this.#open = new OpenSegment(n, this.#options.segmentPath(n));
    }
    await this.#open.append(data, censusOfFragment(data, this.#tracks));
    await this.#options.onFragment(this.#open.n, this.#open.groups);
  }
}

class OpenSegment {
  readonly n: number;
  readonly #path: string;
  readonly #hash: Hash = createHash('sha256');
  #file: FileHandle | undefined;
  #bytes = 0;
  #pictures = 0;
  #audioFrames = 0;
  #firstDtsMs: number | undefined;
  #lastDtsMs: number | undefined;
  groups = 0;

  constructor(n: number, path: string) {
    this.n = n;
    this.#path = path;
  }

  async append(data: Buffer, census: Fmp4Census): Promise<void> {
    this.#file ??= await open(this.#path, 'w');
    await this.#file.appendFile(data);
    this.#hash.update(data);
    this.#bytes += data.length;
    this.#audioFrames += census.audioFrames;
    // Times of sound beside pictures are of no use here, and those of a fragment without pictures would be that.
    if (census.pictures > 0 && this.#pictures === 0) this.#firstDtsMs = undefined;
    if (census.pictures > 0 || this.#pictures === 0) {
      this.#firstDtsMs ??= census.firstDtsMs ?? undefined;
      this.#lastDtsMs = census.lastDtsMs ?? this.#lastDtsMs;
    }
    this.#pictures += census.pictures;
    if (census.pictures > 0) this.groups += 1;
  }

  async close(tracks: readonly Fmp4Track[]): Promise<SegmentCensus> {
    await this.release();
    const video = tracks.find((track) => track.kind === 'video');
    return {
      n: this.n,
      path: this.#path,
      bytes: this.#bytes,
      sha256: this.#hash.digest('hex'),
      pictures: this.#pictures,
      audioFrames: this.#audioFrames,
      firstDtsMs: this.#firstDtsMs ?? 0,
      lastDtsMs: this.#lastDtsMs ?? 0,
      video: video ? { codec: video.codec, width: video.width, height: video.height } : undefined,
    };
  }

  async release(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    await file?.close();
  }
}
