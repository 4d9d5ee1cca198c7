/** What the tests of the sources share: media, a served CDN, and a reader that lets time pass while it reads. */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Beat } from '../../src/ingest/beat.ts';
import type { MediaSource, SourceDeps, SourceEnd, SourceItem } from '../../src/ingest/source.ts';
import { unitOfFlvTag } from '../../src/media/flv-units.ts';
import { FlvTagReader } from '../../src/media/flv.ts';
import { isConfig, type MediaUnit } from '../../src/media/packet.ts';
import { createNet } from '../../src/net/net.ts';
import { ManualClock } from '../manual-clock.ts';
import { ffmpeg, folder, makeMp4, remux } from '../media/made.ts';

/** Six seconds, 30 pictures a second, a keyframe each second. */
const mp4 = makeMp4('ingest', { seconds: 6, size: '64x96' });
export const flv = remux(mp4, '-f', 'flv');
/** The same in segments of one second. */
export const segments: Buffer[] = (() => {
  const name = 'ingest-segment-';
  ffmpeg([
    '-i',
    mp4,
    '-c',
    'copy',
    '-f',
    'segment',
    '-segment_time',
    '1',
    '-segment_format',
    'mpegts',
    join(folder, `${name}%d.ts`),
  ]);
  return readdirSync(folder)
    .filter((file) => file.startsWith(name))
    .toSorted()
    .map((file) => readFileSync(join(folder, file)));
})();

/** Pictures as a player would count them: by their content. */
export const pictures = (units: readonly MediaUnit[]): string[] =>
  units.flatMap((unit) => (unit.kind === 'video' && !isConfig(unit) ? [nalsOf(unit.data)] : []));

/** The coded slices alone: containers differ in the parameter sets and delimiters that they put beside them. */
function nalsOf(data: Buffer): string {
  const slices: string[] = [];
  for (let at = 0; at + 4 < data.length;) {
    const end = at + 4 + data.readUInt32BE(at);
    const type = (data[at + 4] ?? 0) & 0x1f;
    if (type === 1 || type === 5) slices.push(data.toString('latin1', at + 4, end));
    at = end;
  }
  return slices.join('|');
}

export const sound = (units: readonly MediaUnit[]): number =>
  units.filter((unit) => unit.kind === 'audio' && !isConfig(unit)).length;

export const flvUnits: MediaUnit[] = new FlvTagReader().push(flv).flatMap((tag) => {
  const unit = unitOfFlvTag(tag);
  return unit?.kind === 'video' || unit?.kind === 'audio' ? [unit] : [];
});
export const allPictures: string[] = pictures(flvUnits);

export function sourceDeps(mediaHosts: string[] = ['127.0.0.1']): {
  deps: SourceDeps;
  clock: ManualClock;
  close: () => Promise<void>;
} {
  const net = createNet({ mediaHosts, proxy: null });
  const clock = new ManualClock();
  return { deps: { media: net.media, clock, beat: new Beat(clock) }, clock, close: () => net.close() };
}

export interface ReadOut {
  items: SourceItem[];
  units: MediaUnit[];
  /** How it ended, or what it threw. */
  end: SourceEnd | Error;
  /** Events of its notes. */
  notes: string[];
  missingMs: number[];
}

/** Reads a source to its end; whenever it waits, as much time passes as it waits for. */
export async function readOut(
  source: MediaSource,
  clock: ManualClock,
  onItem: (item: SourceItem) => void = () => {},
): Promise<ReadOut> {
  const items: SourceItem[] = [];
  const over = Promise.withResolvers<false>();
  let ended = false;
  const reading = (async (): Promise<SourceEnd | Error> => {
    try {
      for (;;) {
        const next = await source.next();
        if (next.done === true) return next.value;
        items.push(next.value);
        onItem(next.value);
      }
    } catch (error) {
      return error as Error;
    } finally {
      ended = true;
      over.resolve(false);
    }
  })();
  while (await Promise.race([over.promise, clock.waiting().then(() => true)])) {
    if (!ended) await clock.advance(clock.pendingMs[0] ?? 0);
  }
  return {
    items,
    end: await reading,
    units: items.flatMap((item) => (item.kind === 'media' ? item.units : [])),
    notes: items.flatMap((item) => (item.kind === 'note' ? [item.event] : [])),
    missingMs: items.flatMap((item) => (item.kind === 'missing' ? [item.durationMs] : [])),
  };
}
