/**
 * Counts sound in recorded media: AAC frames, the time they last, which beats of the sandbox's sound are heard, and how
 * far sound and pictures are out of step.
 */
import { FRAME_SAMPLES, SAMPLE_RATE } from '../../src/sandbox/media/grid.ts';
import {
  BEAT_PICTURES,
  beatTonesHz,
  HIGH_TONES_HZ,
  LOOP_BEATS,
  LOW_TONES_HZ,
} from '../../src/sandbox/media/tone-code.ts';
import { decode, packetTimesMs, type MediaSource } from './media-source.ts';
import { readPictures, type ReadPicture } from './pictures.ts';

export interface Beat {
  /** Modulo LOOP_BEATS: beat `b` belongs to the 16 pictures from 16 * b. */
  beat: number;
  /** When it begins: exact to about 3 ms when the beat before it is heard too. */
  fromMs: number;
  /** How long, however its timestamps lie: 533 ms when all of it is there, but for the first and the last. */
  heardMs: number;
  /** The beat before it is heard right before it, so `fromMs` is its real beginning. */
  whole: boolean;
}

export interface SoundAccount {
  /** AAC frames. */
  frames: number;
  /** How long they last, played one after the other. */
  durationMs: number;
  /** Where a frame does not begin when the one before it ends; negative: it begins too early. */
  breaks: { atMs: number; byMs: number }[];
  /** In the order in which they are heard. */
  beats: Beat[];
  errors: string[];
}

const FRAME_DURATION_MS = (FRAME_SAMPLES * 1_000) / SAMPLE_RATE;
/** Timestamps in FLV and MPEG-TS are rounded. */
const BREAK_MS = FRAME_DURATION_MS / 2;
const TONES_HZ = [...LOW_TONES_HZ, ...HIGH_TONES_HZ];
const WINDOW_SAMPLES = 1_024;
const HOP_SAMPLES = 256;
/** To find a beat every fourth sample will do: no tone is above 4,150 Hz. */
const COARSE_STRIDE = 4;
/** A short window for the exact place of a change. */
const FINE_SAMPLES = 512;
const FINE_HOP_SAMPLES = 32;

export async function accountSound(source: MediaSource): Promise<SoundAccount> {
  const times = await packetTimesMs(source, 'a');
  const { samples, timeMs, errors } = await decodeSound(source);
  const breaks = times.flatMap((atMs, i) => {
    const byMs = i === 0 ? 0 : atMs - times[i - 1]! - FRAME_DURATION_MS;
    return Math.abs(byMs) > BREAK_MS ? [{ atMs, byMs }] : [];
  });
  return {
    frames: times.length,
    durationMs: times.length * FRAME_DURATION_MS,
    breaks,
    beats: beatsOf(samples, timeMs),
    errors,
  };
}

/** Sound minus picture at each beginning of a beat whose first picture is there: positive when the sound is late. */
export async function soundOffsetsMs(source: MediaSource): Promise<number[]> {
  const [{ beats }, { pictures }] = await Promise.all([accountSound(source), readPictures(source)]);
  return offsetsMs(beats, pictures);
}

function offsetsMs(beats: readonly Beat[], pictures: readonly ReadPicture[]): number[] {
  return beats.flatMap(({ beat, fromMs, whole }) => {
    const offsets = pictures
      .filter(({ number }) => number === beat * BEAT_PICTURES)
      .map(({ ptsMs }) => fromMs - ptsMs)
      .sort((a, b) => Math.abs(a) - Math.abs(b));
    return whole && offsets[0] !== undefined ? [offsets[0]] : [];
  });
}

async function decodeSound(
  source: MediaSource,
): Promise<{ samples: Int16Array; timeMs: (sample: number) => number; errors: string[] }> {
  const mono = ['-map', '0:a:0', '-af', 'ashowinfo', '-ac', '1', '-f', 's16le'];
  const { output, log, errors } = await decode(source, mono);
  const starts: { sample: number; ms: number }[] = [];
  let sample = 0;
  for (const line of log) {
    const [, seconds, count] = /ashowinfo.* n:\d+ pts:\S+ pts_time:(\S+) .*nb_samples:(\d+)/.exec(line) ?? [];
    if (seconds !== undefined) {
      starts.push({ sample, ms: Number(seconds) * 1_000 });
      sample += Number(count);
    }
  }
  const samples = new Int16Array(output.buffer, output.byteOffset, Math.floor(output.length / 2));
  const timeMs = (at: number) => {
    const start = starts.findLast((frame) => frame.sample <= at);
    return start ? start.ms + ((at - start.sample) * 1_000) / SAMPLE_RATE : Number.NaN;
  };
  return { samples, timeMs, errors };
}

function beatsOf(samples: Int16Array, timeMs: (sample: number) => number): Beat[] {
  const runs: { beat: number; from: number; end: number }[] = [];
  for (let at = 0; at + WINDOW_SAMPLES <= samples.length; at += HOP_SAMPLES) {
    const beat = beatIn(samples, at, WINDOW_SAMPLES);
    const run = runs.at(-1);
    if (beat === undefined) {
      continue;
    }
    if (run && run.beat === beat && at <= run.end + WINDOW_SAMPLES) {
      run.end = at + WINDOW_SAMPLES;
    } else {
      runs.push({ beat, from: at, end: at + WINDOW_SAMPLES });
    }
  }
  return runs.map(({ beat, from, end }, i) => {
    const before = runs[i - 1];
    const follows =
      before !== undefined &&
      (before.beat + 1) % LOOP_BEATS === beat &&
      from - before.end < 2 * WINDOW_SAMPLES;
    const begin = follows
      ? changeBetween(samples, before.beat, beat, before.end - WINDOW_SAMPLES, from + WINDOW_SAMPLES)
      : from;
    return { beat, fromMs: timeMs(begin), heardMs: ((end - begin) * 1_000) / SAMPLE_RATE, whole: follows };
  });
}

/** The beat that is heard in a window; undefined when none is, or two are. */
function beatIn(samples: Int16Array, from: number, length: number): number | undefined {
  const powers = TONES_HZ.map((hz) => powerAt(samples, from, length, hz, COARSE_STRIDE));
  const low = strongest(powers.slice(0, LOW_TONES_HZ.length));
  const high = strongest(powers.slice(LOW_TONES_HZ.length));
  return low === undefined || high === undefined ? undefined : high * LOW_TONES_HZ.length + low;
}

/** Index of the power that outdoes all the others by far; undefined when there is none. */
function strongest(powers: readonly number[]): number | undefined {
  const [first, second] = [...powers].sort((a, b) => b - a);
  return first! > 100 && first! > 6 * second! ? powers.indexOf(first!) : undefined;
}

/** Where one beat's tones give way to the next one's. */
function changeBetween(
  samples: Int16Array,
  before: number,
  after: number,
  from: number,
  end: number,
): number {
  const power = (beat: number, at: number) =>
    beatTonesHz(beat).reduce((sum, hz) => sum + powerAt(samples, at, FINE_SAMPLES, hz), 0);
  for (
    let at = Math.max(0, from);
    at + FINE_SAMPLES <= Math.min(end, samples.length);
    at += FINE_HOP_SAMPLES
  ) {
    if (power(after, at) >= power(before, at)) {
      return at + FINE_SAMPLES / 2;
    }
  }
  return end;
}

/** Goertzel, with a Hann window; about the square of the tone's amplitude. */
function powerAt(samples: Int16Array, from: number, length: number, hz: number, stride = 1): number {
  const factor = 2 * Math.cos((2 * Math.PI * hz * stride) / SAMPLE_RATE);
  const taken = length / stride;
  const window = hann(taken);
  let s1 = 0;
  let s2 = 0;
  for (let i = 0; i < taken; i++) {
    const s0 = window[i]! * samples[from + i * stride]! + factor * s1 - s2;
    s2 = s1;
    s1 = s0;
  }
  return (16 * (s1 * s1 + s2 * s2 - factor * s1 * s2)) / (taken * taken);
}

const windows = new Map<number, Float64Array>();
function hann(length: number): Float64Array {
  const known = windows.get(length);
  if (known) {
    return known;
  }
  const made = Float64Array.from({ length }, (_, i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / length));
  windows.set(length, made);
  return made;
}
