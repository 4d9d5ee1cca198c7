/**
 * Chapters of an exported file: where a session or an epoch begins, and where something is missing, each with the time of
 * day that it was live, for the file's own clock knows neither.
 */
import { formatDuration } from '../kernel/duration.ts';
import type { Epoch } from '../model/manifest.ts';
import type { PlannedEpoch, PlannedSegment } from './export-plan.ts';

export interface Chapter {
  fromMs: number;
  toMs: number;
  title: string;
}

/** @param epochs with the segments that are in the file; none where there would be one alone */
export function chaptersOf(epochs: readonly PlannedEpoch[]): Chapter[] {
  const begins: { fromMs: number; title: string }[] = [];
  let atMs = 0;
  for (const { epoch, segments } of epochs) {
    for (const [i, planned] of segments.entries()) {
      // What is missing before the file begins is not missing in it.
      const isCut = atMs > 0 && planned.gaps.length > 0;
      if (i === 0 || isCut) begins.push({ fromMs: atMs, title: titleOf(epoch, planned, isCut) });
      atMs += planned.segment.durationMs;
    }
  }
  if (begins.length < 2) return [];
  return begins.map((each, i) => ({ ...each, toMs: begins[i + 1]?.fromMs ?? atMs }));
}

function titleOf({ codec, width, height }: Epoch, { segment, gaps }: PlannedSegment, isCut: boolean): string {
  const liveAt = `${segment.startsAt.slice(0, 10)} ${segment.startsAt.slice(11, 19)} UTC`;
  const picture = codec === 'none' ? 'sound' : `${codec} ${width}x${height}`;
  if (!isCut) return `${liveAt}, ${picture}`;
  const missingMs = gaps.reduce((sum, { ms }) => sum + ms, 0);
  const rounded = missingMs < 1000 ? missingMs : Math.round(missingMs / 1000) * 1000;
  const causes = [...new Set(gaps.map(({ cause }) => cause))].join(', ');
  return `${liveAt}, ${picture}, after ${formatDuration(rounded)} missing (${causes})`;
}

/** As ffmpeg reads it. Titles are made of what has nothing in it that would have to be escaped. */
export const chapterMetadata = (chapters: readonly Chapter[]): string =>
  [
    ';FFMETADATA1',
    ...chapters.map(
      ({ fromMs, toMs, title }) =>
        `[CHAPTER]\nTIMEBASE=1/1000\nSTART=${Math.round(fromMs)}\nEND=${Math.round(toMs)}\ntitle=${title}`,
    ),
    '',
  ].join('\n');
