/** One connection, with what comes over it counted. */
import type { MediaSource } from '../ingest/source.ts';

/** @param onReceived undefined: nobody counts */
export const countedSource = (
  source: MediaSource,
  onReceived: ((bytes: number) => void) | undefined,
): MediaSource => (onReceived === undefined ? source : counted(source, onReceived));

async function* counted(source: MediaSource, onReceived: (bytes: number) => void): MediaSource {
  for (;;) {
    const step = await source.next();
    if (step.done) return step.value;
    if (step.value.kind === 'media') onReceived(step.value.bytes);
    yield step.value;
  }
}
