/** `livestow export <session> -o FILE.mp4` */
import { resolve } from 'node:path';
import { Command } from 'commander';
import { exportSession, type Export } from '../../archive/export.ts';
import { resolveSession } from '../../archive/resolve-session.ts';
import { findFfmpeg } from '../../ffmpeg/capabilities.ts';
import { formatBytes } from '../../kernel/byte-size.ts';
import { formatClockTime } from '../../kernel/duration.ts';
import { SESSION_HELP, withArchive } from '../archive-command.ts';
import { action, examples, JSON_OPTION, type CommandFactory } from '../command.ts';
import type { CliContext } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import { progressBar } from '../progress-bar.ts';

interface Options {
  output: string;
  force?: true;
  json?: true;
}

const MORE = `
Nothing is encoded anew. Where the broadcast changed its codec, each run of one codec becomes
a file of its own: FILE.mp4, FILE-2.mp4 and so on. Exits 3 when damaged segments were left out.`;

export const exportCommand: CommandFactory = (context) =>
  new Command('export')
    .description('makes one playable MP4 of a session')
    .argument('<session>', SESSION_HELP)
    .requiredOption('-o, --output <file>', 'the MP4 to write')
    .option('--force', 'replace a file that is there')
    .option(...JSON_OPTION)
    .addHelpText('after', `${MORE}\n${examples('export @alice -o alice.mp4')}`)
    .action(
      action((session: string, { output, force, json }: Options, command: Command) =>
        withArchive(context, command, async ({ store, signal }) => {
          const { path: ffmpegPath } = await findFfmpeg(context.env, signal);
          const ref = await resolveSession(store, session, signal);
          const bar = progressBar(context, 'export');
          const options = { out: resolve(context.cwd, output), force: force === true, ffmpegPath, signal };
          const made = await exportSession(store, ref, {
            ...options,
            onProgress: (done) => bar.update(done),
          }).finally(() => bar.stop());
          if (json) context.out.json(made);
          else report(context, made);
          return made.leftOut.length > 0 ? EXIT.partly : EXIT.done;
        }),
      ),
    );

function report({ out, err }: CliContext, { files, leftOut, sealed }: Export): void {
  for (const { key, detail } of leftOut) err.line(`left out ${key}: ${detail}`);
  for (const { path, codec, durationMs, bytes } of files) {
    out.line(`${path}  ${codec}  ${formatClockTime(durationMs)}  ${formatBytes(bytes)}`);
  }
  if (files.length === 0) err.line('nothing of the session can be exported');
  if (!sealed) err.line('the session is not sealed: this is what was there when the export began');
}
