/** `livestow export <session…> -o FILE.mp4` */
import { resolve } from 'node:path';
import { Command } from 'commander';
import { MOMENT_FORMS, parseMoment, type Moment } from '../../archive/export-range.ts';
import { exportSessions, type Export } from '../../archive/export.ts';
import { findFfmpeg } from '../../ffmpeg/capabilities.ts';
import { formatBytes } from '../../kernel/byte-size.ts';
import { formatClockTime } from '../../kernel/duration.ts';
import { LivestowError } from '../../kernel/errors.ts';
import { SESSION_HELP, withArchive } from '../archive-command.ts';
import { sessionsToRead } from '../catalogue.ts';
import { action, examples, JSON_OPTION, type CommandFactory } from '../command.ts';
import type { CliContext } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import { progressBar } from '../progress-bar.ts';

interface Options {
  output: string;
  from?: Moment;
  to?: Moment;
  chapters: boolean;
  force?: true;
  json?: true;
}

const MORE = `
Nothing is encoded anew. Where the broadcast changed its codec, each run of one codec becomes
a file of its own: FILE.mp4, FILE-2.mp4 and so on. Several sessions of one creator are put behind
one another. A chapter begins wherever the picture changes or something is missing.

A moment is written as ${MOMENT_FORMS}.
A part begins and ends with whole segments, of some seconds, for each begins with a keyframe; the
output says where. Exits 3 when damaged segments were left out.`;

function moment(text: string): Moment {
  const parsed = parseMoment(text);
  if (parsed) return parsed;
  throw new LivestowError('USAGE', `not a moment of a recording: ${JSON.stringify(text.slice(0, 120))}`, {
    hint: `write ${MOMENT_FORMS}`,
  });
}

export const exportCommand: CommandFactory = (context) =>
  new Command('export')
    .description('makes one playable MP4 of a session, a part of it, or several')
    .argument('<sessions...>', SESSION_HELP)
    .requiredOption('-o, --output <file>', 'the MP4 to write')
    .option('--from <moment>', 'leave out what was before', moment)
    .option('--to <moment>', 'leave out what was after', moment)
    .option('--no-chapters', 'without chapters')
    .option('--force', 'replace a file that is there')
    .option(...JSON_OPTION)
    .addHelpText(
      'after',
      `${MORE}\n${examples(
        'export @alice -o alice.mp4',
        'export @alice -o best.mp4 --from 1:12:30 --to 1:20:00',
        'export 20261122T1403 20261122T1610 -o evening.mp4',
      )}`,
    )
    .action(
      action((sessions: string[], options: Options, command: Command) =>
        withArchive(context, command, async (archive) => {
          const { store, signal } = archive;
          const { output, force, json, ...how } = options;
          const { path: ffmpegPath } = await findFfmpeg(context.env, signal);
          const refs = await sessionsToRead(context, archive, sessions);
          const bar = progressBar(context, 'export');
          const made = await exportSessions(store, refs, {
            from: how.from,
            to: how.to,
            chapters: how.chapters,
            out: resolve(context.cwd, output),
            force: force === true,
            ffmpegPath,
            signal,
            onProgress: (done) => bar.update(done),
          }).finally(() => bar.stop());
          if (json) context.out.json(made);
          else report(context, made, how.from !== undefined || how.to !== undefined);
          return made.leftOut.length > 0 ? EXIT.partly : EXIT.done;
        }),
      ),
    );

function report({ out, err }: CliContext, made: Export, isPart: boolean): void {
  const { files, leftOut, sessions, sealed } = made;
  for (const { session, key, detail } of leftOut)
    err.line(`left out ${sessions.length > 1 ? `${session}/` : ''}${key}: ${detail}`);
  for (const { path, codec, durationMs, bytes, fromMs, toMs, startsAt } of files) {
    const part = isPart
      ? [`from ${formatClockTime(fromMs)} (live at ${startsAt}) to ${formatClockTime(toMs)}`]
      : [];
    out.line([path, codec, formatClockTime(durationMs), formatBytes(bytes), ...part].join('  '));
  }
  if (files.length === 0) err.line('nothing of the session can be exported');
  const what = sessions.length > 1 ? 'one of the sessions' : 'the session';
  if (!sealed) err.line(`${what} is not sealed: this is what was there when the export began`);
}
