/** A progress bar on standard error, on a terminal; nothing elsewhere. */
import { SingleBar } from 'cli-progress';
import type { CliContext } from './context.ts';

/** The bar counts in these: it takes whole numbers. */
const STEPS = 10_000;

export interface ProgressBar {
  /** @param done from 0 to 1 */
  update(done: number, note?: string): void;
  /** Takes the bar away. */
  stop(): void;
}

export function progressBar(context: CliContext, label: string): ProgressBar {
  if (!context.err.isTerminal) return { update: () => {}, stop: () => {} };
  const bar = new SingleBar({
    format: `${label} {bar} {percentage} %  {eta_formatted}  {note}`,
    stream: process.stderr,
    barCompleteChar: '█',
    barIncompleteChar: '░',
    barsize: 30,
    hideCursor: true,
    clearOnComplete: true,
    // Ours to handle: the command ends cleanly.
    gracefulExit: false,
  });
  bar.start(STEPS, 0, { note: '' });
  return {
    update: (done, note = '') => bar.update(Math.floor(done * STEPS), { note }),
    stop: () => bar.stop(),
  };
}
