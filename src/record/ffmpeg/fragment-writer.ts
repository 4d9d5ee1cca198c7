/**
 * Takes the fragmented MP4 that ffmpeg writes to its standard output apart: the init becomes a file, each fragment is
 * appended to the open segment's file as soon as it is there, counted and hashed on the way. When a segment is complete
 * is not decided here.
 */
import { LivestowError } from '../../kernel/errors.ts';
import {
  censusOfFragment,
  describeInit,
  FragmentSplitter,
  type Fmp4Census,
  type Fmp4Track,
} from '../../media/fmp4.ts';
import type { ClosedInit } from '../engine.ts';
import { FragmentCount } from '../fragment-count.ts';
import { SegmentFile } from '../segment-file.ts';
import type { SegmentCensus } from '../verified-segment.ts';

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
    const file = new SegmentFile(this.#options.initPath);
    try {
      await file.append([data]);
      this.#options.onInit(await file.close(), this.#tracks);
    } finally {
      await file.release();
    }
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
  readonly #file: SegmentFile;
  readonly #count = new FragmentCount();

  constructor(n: number, path: string) {
    this.n = n;
    this.#file = new SegmentFile(path);
  }

  /** Fragments with pictures. */
  get groups(): number {
    return this.#count.fragmentsWithPictures;
  }

  async append(data: Buffer, census: Fmp4Census): Promise<void> {
    await this.#file.append([data]);
    this.#count.add(census);
  }

  async close(tracks: readonly Fmp4Track[]): Promise<SegmentCensus> {
    return { n: this.n, ...(await this.#file.close()), ...this.#count.result(tracks) };
  }

  release(): Promise<void> {
    return this.#file.release();
  }
}
