/** Whether a process that went on all the time holds more and more: memory, descriptors, timers. */
import type { ProcessSample } from './inspected-process.ts';

/** Beyond this much more, after as much work again, something is kept that should not be. */
const MOST = { heapBytes: 4 * 1024 ** 2, rssBytes: 24 * 1024 ** 2, descriptors: 6, timers: 6 } as const;

type Measure = keyof typeof MOST;
const MEASURES = Object.keys(MOST) as Measure[];

export interface Growth {
  handle: string;
  samples: number;
  /** Median of the second quarter of the time, and of the last. */
  early: Record<Measure, number>;
  late: Record<Measure, number>;
  problems: string[];
}

export function growthOf(handle: string, samples: readonly ProcessSample[]): Growth {
  const quarter = Math.floor(samples.length / 4);
  const early = mediansOf(samples.slice(quarter, 2 * quarter + 1));
  const late = mediansOf(samples.slice(-quarter - 1));
  const problems = MEASURES.filter((measure) => late[measure] - early[measure] > MOST[measure]).map(
    (measure) => `${handle}: ${measure} went from ${early[measure]} to ${late[measure]}`,
  );
  if (samples.length < 4) problems.push(`${handle}: only ${samples.length} samples of its process`);
  return { handle, samples: samples.length, early, late, problems };
}

function mediansOf(samples: readonly ProcessSample[]): Record<Measure, number> {
  const median = (measure: Measure): number =>
    samples.map((sample) => sample[measure]).sort((a, b) => a - b)[Math.floor(samples.length / 2)] ?? 0;
  return {
    heapBytes: median('heapBytes'),
    rssBytes: median('rssBytes'),
    descriptors: median('descriptors'),
    timers: median('timers'),
  };
}
