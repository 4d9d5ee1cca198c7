/**
 * The sound that can be counted: every 16 pictures (a *beat*, 533 ms, 23,520 samples) a new pair of tones, one of 16 low
 * and one of 12 high, so that any piece of sound tells which of the 192 beats of a loop it belongs to, and the change
 * from one to the next tells to a few milliseconds whether it is in step with the pictures.
 */
import { LOOP_PICTURES, PICTURES_PER_SECOND, SAMPLE_RATE } from './grid.ts';

export const BEAT_PICTURES = 16;
export const LOOP_BEATS = LOOP_PICTURES / BEAT_PICTURES;
const BEAT_SAMPLES = (SAMPLE_RATE * BEAT_PICTURES) / PICTURES_PER_SECOND;

export const LOW_TONES_HZ: readonly number[] = Array.from({ length: 16 }, (_, i) => 400 + 100 * i);
export const HIGH_TONES_HZ: readonly number[] = Array.from({ length: 12 }, (_, i) => 2_500 + 150 * i);

export const beatTonesHz = (beat: number): [low: number, high: number] => [
  LOW_TONES_HZ[beat % LOW_TONES_HZ.length]!,
  HIGH_TONES_HZ[Math.floor(beat / LOW_TONES_HZ.length) % HIGH_TONES_HZ.length]!,
];

/** Mono, 16 bits, from a sample on (negative: before the loop's begin, that is its end). */
export function tonePcm(fromSample: number, samples: number): Buffer {
  const loopSamples = LOOP_BEATS * BEAT_SAMPLES;
  const pcm = Buffer.allocUnsafe(samples * 2);
  for (let i = 0; i < samples; i++) {
    const sample = (fromSample + i + loopSamples) % loopSamples;
    const [low, high] = beatTonesHz(Math.floor(sample / BEAT_SAMPLES));
    const turn = (2 * Math.PI * sample) / SAMPLE_RATE;
    pcm.writeInt16LE(Math.round(9_000 * (Math.sin(turn * low) + Math.sin(turn * high))), i * 2);
  }
  return pcm;
}
