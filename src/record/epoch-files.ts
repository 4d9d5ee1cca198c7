/** The files of one epoch in its folder: their names, and which of them may stay. */
import { basename, join } from 'node:path';
import { removeFile } from '../kernel/files.ts';
import { sessionKeys } from '../layout/keys.ts';
import type { EpochSpec } from './engine.ts';

export class EpochFiles {
  readonly init: string;
  /** For ffmpeg, which runs in the folder: no character of a path is ever part of a pattern. */
  readonly segmentPattern: string;
  readonly #spec: Pick<EpochSpec, 'term' | 'epoch' | 'container' | 'folder'>;
  /** The newest segment that may have a file. */
  #newest: number;

  constructor(spec: Pick<EpochSpec, 'term' | 'epoch' | 'container' | 'folder' | 'firstSegment'>) {
    this.#spec = spec;
    this.#newest = spec.firstSegment;
    this.init = join(spec.folder, basename(sessionKeys.init(spec.term, spec.epoch)));
    this.segmentPattern = basename(this.segment(0)).replace(/0{6}(?=\.\w+$)/, '%06d');
  }

  segment(n: number): string {
    const { folder, term, epoch, container } = this.#spec;
    return join(folder, basename(sessionKeys.segment(term, epoch, n, container)));
  }

  /** ffmpeg finished this segment, and may have begun the next. */
  announced(n: number): void {
    this.#newest = Math.max(this.#newest, n + 1);
  }

  /** Removes the segments from `n` on: they were not handed over. */
  async removeFrom(n: number): Promise<void> {
    for (let at = n; at <= Math.max(this.#newest, n); at++) await removeFile(this.segment(at));
  }
}
