/** ffmpeg and what it can do. */
import { execa } from 'execa';
import type { Check } from './finding.ts';

export const checkFfmpeg =
  (env: Readonly<Record<string, string | undefined>>): Check =>
  async (signal) => {
    const { stdout } = await execa(env['LIVESTOW_FFMPEG'] ?? 'ffmpeg', ['-version'], {
      cancelSignal: signal,
      stdin: 'ignore',
    });
    return [
      {
        check: 'ffmpeg',
        status: 'ok',
        found: /^ffmpeg version (\S+)/.exec(stdout)?.[1] ?? 'of unknown version',
      },
    ];
  };
