/**
 * Which files an export makes: one for each run of epochs of one codec, since an MP4 of two codecs breaks half-way in
 * every player. Changes of the picture's size stay within a file.
 */
import { join, parse } from 'node:path';
import type { Epoch, EpochCodec, Manifest, Segment } from '../model/manifest.ts';

export interface PlannedEpoch {
  epoch: Epoch;
  segments: Segment[];
}

export interface PlannedFile {
  path: string;
  codec: EpochCodec;
  epochs: PlannedEpoch[];
  durationMs: number;
  /** To fetch. */
  bytes: number;
}

/** @param out of the first file; the others are `out-2.mp4` and so on, beside it */
export function planExport({ epochs, segments }: Manifest, out: string): PlannedFile[] {
  const files: PlannedFile[] = [];
  for (const epoch of epochs) {
    const own = segments.filter((segment) => segment.term === epoch.term && segment.epoch === epoch.epoch);
    if (own.length === 0) continue;
    let file = files.at(-1);
    if (file?.codec !== epoch.codec) {
      file = {
        path: numbered(out, files.length + 1),
        codec: epoch.codec,
        epochs: [],
        durationMs: 0,
        bytes: 0,
      };
      files.push(file);
    }
    file.epochs.push({ epoch, segments: own });
    file.durationMs += own.reduce((sum, segment) => sum + segment.durationMs, 0);
    file.bytes += own.reduce((sum, segment) => sum + segment.bytes, epoch.initBytes ?? 0);
  }
  return files;
}

function numbered(out: string, n: number): string {
  const { dir, name, ext } = parse(out);
  return n === 1 ? out : join(dir, `${name}-${n}${ext}`);
}
