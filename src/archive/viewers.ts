/** How many watched: the samples of a session, as its file has them once it is sealed, and its journals until then. */
import { z } from 'zod';
import { sessionKeys } from '../layout/keys.ts';
import type { Store } from '../store/store.ts';
import { linesOf, readText } from './read-text.ts';
import { keyIn, readJournals, type OpenedSession } from './session-reader.ts';

export interface Viewers {
  samples: number;
  min: number;
  max: number;
  /** Of the samples, rounded. */
  mean: number;
}

export const sampleSchema = z.object({
  at: z.iso.datetime({ offset: true }),
  viewers: z.number().int().nonnegative(),
});
export type ViewerSample = z.infer<typeof sampleSchema>;

/** In order of time. What is no sample in the file is left out. */
export async function viewerSamples(
  store: Store,
  { ref, manifest }: OpenedSession,
  signal?: AbortSignal,
): Promise<ViewerSample[]> {
  const isFiled = manifest.files.some(({ key }) => key === sessionKeys.samples);
  const text = isFiled ? await readText(store, keyIn(ref, sessionKeys.samples), signal) : undefined;
  if (text !== undefined) return linesOf(text, sampleSchema);
  const entries = await readJournals(store, ref, signal);
  return entries.flatMap((entry) =>
    entry.type === 'sample' ? [{ at: entry.at, viewers: entry.viewers }] : [],
  );
}

/** Null where there are none. */
export function viewersOf(samples: readonly ViewerSample[]): Viewers | null {
  if (samples.length === 0) return null;
  const all = { min: Infinity, max: 0, sum: 0 };
  for (const { viewers } of samples) {
    all.min = Math.min(all.min, viewers);
    all.max = Math.max(all.max, viewers);
    all.sum += viewers;
  }
  return {
    samples: samples.length,
    min: all.min,
    max: all.max,
    mean: Math.round(all.sum / samples.length),
  };
}
