/**
 * Fragmented MP4 (ISO/IEC 14496-12 8.8) as a muxer writes it to a pipe: cut into init and fragments, and counted.
 * What is counted is what `moov`, `tfhd`, `tfdt` and `trun` say; samples are not looked into, and edit lists are not
 * applied: times are those of the media time line.
 */
import { bounded, type Box, boxesIn, childOf, notMp4, whole } from './mp4-boxes.ts';

export type Fmp4Part = { kind: 'init'; data: Buffer } | { kind: 'fragment'; data: Buffer };

/** A fragment is a group of pictures: one larger than this is a stream gone wrong. */
const PART_BYTES_MAX = 256 * 1024 * 1024;

/**
 * Cuts the stream after each `moov` (init) and each `mdat` (fragment, with the boxes since the part before). An `mfra`
 * is dropped. Throws MEDIA_NOT_MEDIA for what is not a fragmented MP4, or a part beyond 256 MiB.
 */
export class FragmentSplitter {
  /** What of the present part was read: views of chunks, joined once. */
  #parts: Buffer[] = [];
  #partBytes = 0;
  #hasMoof = false;
  /** The box header that is being read. */
  #head = Buffer.alloc(16);
  #headBytes = 0;
  #type = '';
  #boxBytesLeft = 0;

  push(chunk: Buffer): Fmp4Part[] {
    const done: Fmp4Part[] = [];
    let at = 0;
    while (at < chunk.length) {
      if (this.#boxBytesLeft === 0) {
        at = this.#readHead(chunk, at);
      } else {
        const taken = chunk.subarray(at, at + this.#boxBytesLeft);
        this.#take(taken);
        this.#boxBytesLeft -= taken.length;
        at += taken.length;
      }
      if (this.#type !== '' && this.#boxBytesLeft === 0) {
        this.#endBox(done);
      }
    }
    return done;
  }

  /** The stream is over; `tornBytes` belonged to a part that never came to its end. */
  end(): { tornBytes: number } {
    return { tornBytes: this.#partBytes + this.#headBytes };
  }

  #readHead(chunk: Buffer, from: number): number {
    const wanted = this.#headBytes >= 8 ? 16 : 8;
    const taken = Math.min(wanted - this.#headBytes, chunk.length - from);
    chunk.copy(this.#head, this.#headBytes, from, from + taken);
    this.#headBytes += taken;
    if (this.#headBytes < wanted) {
      return from + taken;
    }
    const small = this.#head.readUInt32BE(0);
    const type = this.#head.toString('latin1', 4, 8);
    if (small === 1 && wanted === 8) {
      return from + taken;
    }
    const size = small === 1 ? this.#head.readUInt32BE(8) * 2 ** 32 + this.#head.readUInt32BE(12) : small;
    if (size < wanted || !/^[\x20-\x7e]{4}$/.test(type)) {
      throw notMp4('a box header is nonsense');
    }
    if (this.#partBytes + size > PART_BYTES_MAX) {
      throw notMp4('a fragment is too large');
    }
    if (type === 'mdat' && !this.#hasMoof) {
      throw notMp4('it is not fragmented');
    }
    this.#type = type;
    this.#boxBytesLeft = size - wanted;
    this.#take(Buffer.from(this.#head.subarray(0, wanted)));
    this.#headBytes = 0;
    return from + taken;
  }

  #take(bytes: Buffer): void {
    if (this.#type !== 'mfra') {
      this.#parts.push(bytes);
      this.#partBytes += bytes.length;
    }
  }

  #endBox(done: Fmp4Part[]): void {
    const type = this.#type;
    this.#type = '';
    this.#hasMoof ||= type === 'moof';
    if (type === 'moov' || type === 'mdat') {
      const data = Buffer.concat(this.#parts, this.#partBytes);
      done.push({ kind: type === 'moov' ? 'init' : 'fragment', data });
      this.#parts = [];
      this.#partBytes = 0;
      this.#hasMoof = false;
    }
  }
}

export interface Fmp4Track {
  id: number;
  kind: 'video' | 'audio';
  /** h264, h265 or aac; else the sample entry's FourCC. */
  codec: string;
  /** 0 for audio. */
  width: number;
  height: number;
  /** Ticks a second. */
  timescale: number;
  /** What a fragment that does not say it means, in ticks and as sample flags. */
  defaults: { duration: number; flags: number };
}

const CODECS: Record<string, string> = {
  avc1: 'h264',
  avc3: 'h264',
  hvc1: 'h265',
  hev1: 'h265',
  mp4a: 'aac',
};

/** The video and audio tracks of an init. Throws MEDIA_NOT_MEDIA. */
export function describeInit(init: Buffer): Fmp4Track[] {
  return bounded(() => {
    const moov = childOf(init, whole(init), 'moov');
    const defaults = new Map<number, Fmp4Track['defaults']>();
    const mvex = moov && childOf(init, moov, 'mvex');
    for (const trex of mvex ? boxesIn(init, mvex) : []) {
      if (trex.type === 'trex') {
        defaults.set(init.readUInt32BE(trex.from + 4), {
          duration: init.readUInt32BE(trex.from + 12),
          flags: init.readUInt32BE(trex.from + 20),
        });
      }
    }
    const tracks: Fmp4Track[] = [];
    for (const box of moov ? boxesIn(init, moov) : []) {
      const track = box.type === 'trak' ? trackOf(init, box) : undefined;
      if (track) {
        tracks.push({ ...track, defaults: defaults.get(track.id) ?? { duration: 0, flags: 0 } });
      }
    }
    return tracks;
  });
}

function trackOf(init: Buffer, trak: Box): Omit<Fmp4Track, 'defaults'> | undefined {
  const tkhd = childOf(init, trak, 'tkhd');
  const mdia = childOf(init, trak, 'mdia');
  const mdhd = mdia && childOf(init, mdia, 'mdhd');
  const hdlr = mdia && childOf(init, mdia, 'hdlr');
  const stsd = mdia && childOf(init, mdia, 'minf', 'stbl', 'stsd');
  const entry = stsd && [...boxesIn(init, { ...stsd, from: stsd.from + 8 })][0];
  if (!tkhd || !mdhd || !hdlr || !entry) {
    throw notMp4('a track is incomplete');
  }
  const handler = init.toString('latin1', hdlr.from + 8, hdlr.from + 12);
  if (handler !== 'vide' && handler !== 'soun') {
    return undefined;
  }
  const video = handler === 'vide';
  return {
    // Version 1 has creation and modification times of 8 bytes.
    id: init.readUInt32BE(tkhd.from + (init[tkhd.from] === 1 ? 20 : 12)),
    kind: video ? 'video' : 'audio',
    codec: CODECS[entry.type] ?? entry.type,
    width: video ? init.readUInt16BE(entry.from + 24) : 0,
    height: video ? init.readUInt16BE(entry.from + 26) : 0,
    timescale: Math.max(1, init.readUInt32BE(mdhd.from + (init[mdhd.from] === 1 ? 20 : 12))),
  };
}

export interface Fmp4Census {
  pictures: number;
  audioFrames: number;
  /** Of the pictures; of the audio where there are none; null where there is neither. */
  firstDtsMs: number | null;
  lastDtsMs: number | null;
  /** The pictures' durations added up, as the file has them; 0 without pictures. */
  videoDurationMs: number;
  /** Whether the first picture says that it is one to begin at. */
  startsWithKeyframe: boolean;
}

interface TrackCount {
  samples: number;
  firstTick: number;
  lastTick: number;
  ticks: number;
  startsWithKey: boolean;
}

/** Counts one fragment, or several behind one another (a segment). Throws MEDIA_NOT_MEDIA. */
export function censusOfFragment(fragment: Buffer, tracks: readonly Fmp4Track[]): Fmp4Census {
  const counts = new Map<Fmp4Track, TrackCount>();
  bounded(() => {
    for (const moof of boxesIn(fragment, whole(fragment))) {
      for (const traf of moof.type === 'moof' ? boxesIn(fragment, moof) : []) {
        if (traf.type === 'traf') {
          countRun(fragment, traf, tracks, counts);
        }
      }
    }
  });
  const of = (kind: Fmp4Track['kind']) => [...counts].filter(([track]) => track.kind === kind);
  const video = of('video');
  const sum = (list: typeof video) => list.reduce((total, [, count]) => total + count.samples, 0);
  const [track, count] = video[0] ?? of('audio')[0] ?? [];
  const toMs = (ticks: number, timescale: number): number => Math.round((ticks * 1000) / timescale);
  return {
    pictures: sum(video),
    audioFrames: sum(of('audio')),
    firstDtsMs: track && count ? toMs(count.firstTick, track.timescale) : null,
    lastDtsMs: track && count ? toMs(count.lastTick, track.timescale) : null,
    videoDurationMs: video[0] ? toMs(video[0][1].ticks, video[0][0].timescale) : 0,
    startsWithKeyframe: video[0]?.[1].startsWithKey ?? false,
  };
}

const NON_SYNC = 0x1_0000;

function countRun(
  bytes: Buffer,
  traf: Box,
  tracks: readonly Fmp4Track[],
  counts: Map<Fmp4Track, TrackCount>,
): void {
  const tfhd = childOf(bytes, traf, 'tfhd');
  const tfdt = childOf(bytes, traf, 'tfdt');
  const track = tfhd && tracks.find(({ id }) => id === bytes.readUInt32BE(tfhd.from + 4));
  if (!tfhd || !tfdt || !track) {
    return;
  }
  const flags = bytes.readUInt32BE(tfhd.from) & 0xff_ffff;
  let at = tfhd.from + 8 + ((flags & 1) > 0 ? 8 : 0) + ((flags & 2) > 0 ? 4 : 0);
  let { duration, flags: sampleFlags } = track.defaults;
  if ((flags & 8) > 0) {
    duration = bytes.readUInt32BE(at);
    at += 4;
  }
  if ((flags & 0x10) > 0) {
    at += 4;
  }
  if ((flags & 0x20) > 0) {
    sampleFlags = bytes.readUInt32BE(at);
  }
  let tick =
    bytes[tfdt.from] === 1
      ? bytes.readUInt32BE(tfdt.from + 4) * 2 ** 32 + bytes.readUInt32BE(tfdt.from + 8)
      : bytes.readUInt32BE(tfdt.from + 4);
  for (const trun of boxesIn(bytes, traf)) {
    if (trun.type !== 'trun') {
      continue;
    }
    const run = runOf(bytes, trun, duration, sampleFlags);
    if (run.samples === 0) {
      continue;
    }
    const count = counts.get(track);
    counts.set(track, {
      samples: (count?.samples ?? 0) + run.samples,
      firstTick: count?.firstTick ?? tick,
      lastTick: tick + run.ticks - run.lastDuration,
      ticks: (count?.ticks ?? 0) + run.ticks,
      startsWithKey: count?.startsWithKey ?? (run.firstFlags & NON_SYNC) === 0,
    });
    tick += run.ticks;
  }
}

/** A run without durations of its own is not walked: its count may be anything. */
function runOf(bytes: Buffer, trun: Box, defaultDuration: number, defaultFlags: number) {
  const flags = bytes.readUInt32BE(trun.from) & 0xff_ffff;
  const samples = bytes.readUInt32BE(trun.from + 4);
  let at = trun.from + 8 + ((flags & 1) > 0 ? 4 : 0);
  let firstFlags = defaultFlags;
  if ((flags & 4) > 0) {
    firstFlags = bytes.readUInt32BE(at);
    at += 4;
  }
  const hasDuration = (flags & 0x100) > 0;
  const sampleBytes = [0x100, 0x200, 0x400, 0x800].filter((flag) => (flags & flag) > 0).length * 4;
  if (at + samples * sampleBytes > trun.end) {
    throw notMp4('a run is longer than its box');
  }
  if ((flags & 0x400) > 0 && (flags & 4) === 0 && samples > 0) {
    firstFlags = bytes.readUInt32BE(at + (hasDuration ? 4 : 0) + ((flags & 0x200) > 0 ? 4 : 0));
  }
  if (!hasDuration) {
    return { samples, firstFlags, ticks: samples * defaultDuration, lastDuration: defaultDuration };
  }
  let ticks = 0;
  let lastDuration = 0;
  for (let i = 0; i < samples; i++, at += sampleBytes) {
    lastDuration = bytes.readUInt32BE(at);
    ticks += lastDuration;
  }
  return { samples, firstFlags, ticks, lastDuration };
}
