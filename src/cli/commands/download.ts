/** `livestow download <session…> [-o DIR]` */
import { resolve } from 'node:path';
import { Command } from 'commander';
import { downloadSession, type Download } from '../../archive/download.ts';
import { formatBytes } from '../../kernel/byte-size.ts';
import { SESSION_HELP, withArchive } from '../archive-command.ts';
import { sessionsToRead } from '../catalogue.ts';
import { action, examples, JSON_OPTION, type CommandFactory } from '../command.ts';
import type { CliContext } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import { progressBar } from '../progress-bar.ts';

interface Options {
  output: string;
  json?: true;
}

const MORE = `
Each session becomes a folder, named by its id, that plays by itself: open its index.m3u8. Everything is
compared with the manifest's hashes; what is damaged in the archive is not written, and exits 3. Broken
off, the same command goes on: what is there and right is not fetched again.`;

export const downloadCommand: CommandFactory = (context) =>
  new Command('download')
    .description('copies sessions as they lie in the archive into a local folder')
    .argument('<sessions...>', SESSION_HELP)
    .option('-o, --output <dir>', 'the folder to put them in', '.')
    .option(...JSON_OPTION)
    .addHelpText('after', `${MORE}\n${examples('download @alice', 'download @alice @bob -o ~/streams')}`)
    .action(
      action((sessions: string[], { output, json }: Options, command: Command) =>
        withArchive(context, command, async (archive) => {
          const { store, signal } = archive;
          // A name that nobody bears is known before anything is fetched.
          const refs = await sessionsToRead(context, archive, sessions);
          let isDamaged = false;
          for (const [index, ref] of refs.entries()) {
            const bar = progressBar(context, `download ${index + 1}/${refs.length}`);
            const download = await downloadSession(store, ref, {
              into: resolve(context.cwd, output),
              onProgress: (done) => bar.update(done, ref.session),
              signal,
            }).finally(() => bar.stop());
            isDamaged ||= download.damaged.length > 0;
            if (json) context.out.jsonLine(download);
            else report(context, download);
          }
          return isDamaged ? EXIT.partly : EXIT.done;
        }),
      ),
    );

function report({ out, err }: CliContext, { folder, bytes, fetchedBytes, damaged, sealed }: Download): void {
  for (const { key, detail } of damaged) err.line(`damaged ${key}: ${detail}`);
  const fetched = fetchedBytes === bytes ? '' : `, ${formatBytes(fetchedBytes)} of it fetched now`;
  out.line(`${folder}  ${formatBytes(bytes)}${fetched}`);
  if (!sealed) err.line('the session is not sealed: this is what was there when the download began');
}
