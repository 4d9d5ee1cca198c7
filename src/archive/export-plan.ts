/**
 * Which files an export makes, and of which segments: one for each run of epochs of one codec, since an MP4 of two codecs
 * breaks half-way in every player. Changes of the picture's size stay within a file. Sessions follow one another; a part
 * is made of whole segments, for each begins with a keyframe and nothing is encoded anew.
 */
import { join, parse } from 'node:path';
import { LivestowError } from '../kernel/errors.ts';
import type { Epoch, EpochCodec, Gap, Manifest, Segment } from '../model/manifest.ts';
import { resolveMoment, type Moment } from './export-range.ts';
import type { SessionRef } from './session-reader.ts';

export interface ExportedSession {
  ref: SessionRef;
  manifest: Manifest;
}

export interface PlannedSegment {
  segment: Segment;
  /** What is played before it, in all sessions together. */
  fromMs: number;
  /** What is missing between the segment before, of the same session, and this one. */
  gaps: readonly Gap[];
}

export interface PlannedEpoch {
  ref: SessionRef;
  epoch: Epoch;
  segments: PlannedSegment[];
}

export interface PlannedFile {
  path: string;
  codec: EpochCodec;
  epochs: PlannedEpoch[];
  durationMs: number;
  /** To fetch. */
  bytes: number;
}

export interface ExportRange {
  /** From the beginning unless told. */
  from?: Moment | undefined;
  to?: Moment | undefined;
}

/**
 * @param out of the first file; the others are `out-2.mp4` and so on, beside it
 * @throws USAGE when the range ends before it begins
 */
export function planExport(
  sessions: readonly ExportedSession[],
  out: string,
  { from, to }: ExportRange = {},
): PlannedFile[] {
  const all = epochsOf(sessions);
  const line = all.flatMap(({ segments }) => segments);
  const fromMs = from ? resolveMoment(from, line, 'from') : -Infinity;
  const toMs = to ? resolveMoment(to, line, 'to') : Infinity;
  if (from && to && fromMs >= toMs)
    throw new LivestowError('USAGE', 'there is nothing between --from and --to');
  const files: PlannedFile[] = [];
  for (const { ref, epoch, segments } of all) {
    const own = segments.filter(
      (each) => each.fromMs < toMs && each.fromMs + each.segment.durationMs > fromMs,
    );
    if (own.length === 0) continue;
    let file = files.at(-1);
    if (file?.codec !== epoch.codec) {
      const path = numbered(out, files.length + 1);
      file = { path, codec: epoch.codec, epochs: [], durationMs: 0, bytes: 0 };
      files.push(file);
    }
    file.epochs.push({ ref, epoch, segments: own });
    file.durationMs += own.reduce((sum, { segment }) => sum + segment.durationMs, 0);
    file.bytes += own.reduce((sum, { segment }) => sum + segment.bytes, epoch.initBytes ?? 0);
  }
  return files;
}

/** Those with media, one after the other. */
function epochsOf(sessions: readonly ExportedSession[]): PlannedEpoch[] {
  let fromMs = 0;
  return sessions.flatMap(({ ref, manifest }) => {
    const gapsAfter = Map.groupBy(manifest.gaps, ({ after }) => after);
    const planned = new Map<string, PlannedEpoch>();
    for (const epoch of manifest.epochs) planned.set(nameOf(epoch), { ref, epoch, segments: [] });
    let before: string | undefined;
    for (const segment of manifest.segments) {
      const gaps = before === undefined ? [] : (gapsAfter.get(before) ?? []);
      planned.get(nameOf(segment))?.segments.push({ segment, fromMs, gaps });
      fromMs += segment.durationMs;
      before = segment.key;
    }
    return [...planned.values()].filter(({ segments }) => segments.length > 0);
  });
}

const nameOf = ({ term, epoch }: { term: number; epoch: number }): string => `${term}-${epoch}`;

function numbered(out: string, n: number): string {
  const { dir, name, ext } = parse(out);
  return n === 1 ? out : join(dir, `${name}-${n}${ext}`);
}
