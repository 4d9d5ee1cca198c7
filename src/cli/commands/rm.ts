/** `livestow rm <session>`: removes one session, after asking. */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Command } from 'commander';
import { refusalOf, REFUSAL_HINTS, removeSession, type Removal } from '../../archive/remove-session.ts';
import { resolveSession } from '../../archive/resolve-session.ts';
import { readManifest, type SessionRef } from '../../archive/session-reader.ts';
import { formatBytes } from '../../kernel/byte-size.ts';
import { isUnfinished } from '../../layout/tombstone.ts';
import { lockCreator, type CreatorLock } from '../../spool/creator-lock.ts';
import { SESSION_HELP, withArchive } from '../archive-command.ts';
import { action, agreed, examples, JSON_OPTION, type CommandFactory } from '../command.ts';
import { EXIT } from '../exit-codes.ts';
import { progressBar } from '../progress-bar.ts';
import { tellBrokenOff, tellVersions } from '../removal-notes.ts';

interface Options {
  yes?: true;
  force?: true;
  dryRun?: true;
  json?: true;
}

const MORE = `
What stays is a manifest of a few lines that says that the session was removed, when and why. A session
that is held, under S3 Object Lock, or not sealed is refused, with exit code 1. --force takes one that is
not sealed: make sure that no livestow on another machine records it, for that one would write it anew.`;

export const rmCommand: CommandFactory = (context) =>
  new Command('rm')
    .description('removes one session from the archive, after asking')
    .argument('<session>', SESSION_HELP)
    .option('--yes', 'do not ask')
    .option('--force', 'also when it is not sealed')
    .option('--dry-run', 'say what would be removed, and remove nothing')
    .option(...JSON_OPTION)
    .addHelpText('after', `${MORE}\n${examples('rm @alice', 'rm 20261122T140307Z-7312 --yes')}`)
    .action(
      action((session: string, { yes, force, dryRun, json }: Options, command: Command) =>
        withArchive(context, command, async ({ store, config, signal }) => {
          const ref = await resolveSession(store, session, signal);
          const { out, err, clock } = context;
          const options = { reason: 'rm', evenUnsealed: force === true, clock, signal };
          const { manifest } = await readManifest(store, ref, signal);
          const isBegun = manifest !== undefined && isUnfinished(manifest);
          const refusal = isBegun ? null : await refusalOf(store, ref, options);
          const tell = (removal: Removal | (SessionRef & { outcome: 'would-remove' })): void => {
            if (json) out.jsonLine(removal);
            else if (removal.outcome === 'refused') {
              err.line(`livestow: @${ref.handle} ${ref.session} is not removed: ${removal.refusal.detail}`);
              err.line(`  ${REFUSAL_HINTS[removal.refusal.kind]}`);
            } else out.line(`@${ref.handle} ${ref.session}: ${OUTCOMES[removal.outcome]}`);
          };
          if (refusal) {
            tell({ ...ref, outcome: 'refused', refusal });
            return EXIT.failed;
          }
          if (dryRun) {
            tell({ ...ref, outcome: 'would-remove' });
            return EXIT.done;
          }
          const bytes = manifest?.segments.reduce((sum, segment) => sum + segment.bytes, 0) ?? 0;
          const question = `Remove @${ref.handle} ${ref.session}, ${formatBytes(bytes)}?`;
          if (!(await agreed(context, question, yes === true, signal))) {
            err.line('nothing was removed');
            return EXIT.failed;
          }
          const lock = force ? await lockIfSpooled(config.spool, ref.handle) : undefined;
          const bar = progressBar(context, 'rm');
          try {
            const removal = await removeSession(store, ref, {
              ...options,
              onProgress: (done, total) => bar.update(done / total, ref.session),
            });
            bar.stop();
            tell(removal);
            await tellVersions(context, store, signal);
            return removal.outcome === 'refused' ? EXIT.failed : EXIT.done;
          } catch (error) {
            bar.stop();
            await tellBrokenOff(context, store, ref);
            throw error;
          } finally {
            lock?.release();
          }
        }),
      ),
    );

const OUTCOMES = {
  removed: 'removed',
  finished: 'an earlier removal had broken off; it is finished',
  'would-remove': 'would be removed',
} as const;

/** Keeps recorders of this spool off. */
async function lockIfSpooled(spool: string, handle: string): Promise<CreatorLock | undefined> {
  const isThere = await stat(join(spool, handle)).then(
    () => true,
    () => false,
  );
  return isThere ? lockCreator(spool, handle) : undefined;
}
