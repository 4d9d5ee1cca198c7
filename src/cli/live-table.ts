/** A table at the bottom of a terminal that is drawn again every second, sized to it. Elsewhere nothing. */
import type { Clock } from '../kernel/clock.ts';
import { messageOf } from '../kernel/errors.ts';
import { scrub } from '../kernel/redact.ts';
import type { Output } from './output.ts';

const REFRESH_MS = 1_000;

/**
 * @param lines what to show, in at most so many lines
 * @returns takes it away
 */
export function liveTable(
  output: Output,
  clock: Clock,
  lines: (most: number) => Promise<string[]>,
): () => void {
  if (!output.isTerminal) return () => {};
  let isOver = false;
  let cancel = (): void => {};
  const draw = async (): Promise<void> => {
    // Half of it is for what is said above. A table that cannot be made is no reason to end what it is about.
    const drawn = await lines(Math.max(4, Math.floor(output.size.rows / 2))).catch((error: unknown) => [
      `the table cannot be shown now: ${scrub(messageOf(error))}`,
    ]);
    if (isOver) return;
    output.live(drawn.join('\n'));
    cancel = clock.after(REFRESH_MS, () => void draw());
  };
  void draw();
  return () => {
    isOver = true;
    cancel();
    output.live('');
  };
}
