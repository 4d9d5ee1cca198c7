/**
 * A disk that takes no more, from the kernel itself: with a limit on the size of files, a write stops in the middle and
 * the next one fails, as on a full disk.
 */
import { execa } from 'execa';
import { onTestFinished } from 'vitest';

const setLimit = (bytes: number | 'unlimited'): Promise<unknown> =>
  execa('prlimit', ['--pid', String(process.pid), `--fsize=${bytes}:unlimited`]);

const ignore = (): void => {};

/** From now on no file of this process grows beyond so many bytes; the returned function ends that, as does the test. */
export async function limitFiles(bytes: number): Promise<() => Promise<unknown>> {
  process.on('SIGXFSZ', ignore);
  onTestFinished(async () => {
    await setLimit('unlimited');
    process.off('SIGXFSZ', ignore);
  });
  await setLimit(bytes);
  return () => setLimit('unlimited');
}
