/** `livestow verify [session…]`: reads the archive back and compares it with its manifests. */
import { Command } from 'commander';
import { listRefs } from '../../archive/catalogue.ts';
import { verifySession, type Verification, type VerifyOptions } from '../../archive/verify.ts';
import { findFfmpeg } from '../../ffmpeg/capabilities.ts';
import { isLivestowError } from '../../kernel/errors.ts';
import { formatBytes } from '../../kernel/byte-size.ts';
import { SESSION_HELP, withArchive } from '../archive-command.ts';
import { sessionsToRead } from '../catalogue.ts';
import { action, examples, JSON_OPTION, type CommandFactory } from '../command.ts';
import { EXIT } from '../exit-codes.ts';
import { progressBar } from '../progress-bar.ts';

interface Options {
  quick?: true;
  decode: boolean;
  json?: true;
}

const MORE = `
Everything is read, hashed, counted and decoded. What was recorded and cannot be had any more is
damage, and exits 3; what is merely odd is told. Nothing is changed.`;

export const verifyCommand: CommandFactory = (context) =>
  new Command('verify')
    .description('re-reads the archive against its manifests: missing, truncated, altered, undecodable')
    .argument('[sessions...]', `${SESSION_HELP}; every session when none is named`)
    .option('--no-decode', 'read and hash, but do not decode: several times faster')
    .option('--quick', 'compare sizes by listing only')
    .option(...JSON_OPTION)
    .addHelpText('after', `${MORE}\n${examples('verify', 'verify @alice', 'verify --quick --json')}`)
    .action(
      action((sessions: string[], { quick, decode, json }: Options, command: Command) =>
        withArchive(context, command, async (archive) => {
          const { store, signal } = archive;
          const depth: VerifyOptions['depth'] = quick ? 'sizes' : decode ? 'decode' : 'hashes';
          const ffmpeg = depth === 'decode' ? (await findFfmpeg(context.env, signal)).path : '';
          const refs =
            sessions.length === 0
              ? await listRefs(store, signal)
              : await sessionsToRead(context, archive, sessions);
          let damaged = 0;
          for (const [index, ref] of refs.entries()) {
            const bar = progressBar(context, `verify ${index + 1}/${refs.length}`);
            const onProgress = (done: number, total: number): void =>
              bar.update(total === 0 ? 1 : done / total, ref.session);
            const result = await verifySession(store, ref, { depth, ffmpeg, onProgress, signal })
              .catch((error: unknown) => {
                // Removed since it was listed.
                if (sessions.length === 0 && isLivestowError(error, 'NOT_FOUND')) return undefined;
                throw error;
              })
              .finally(() => bar.stop());
            if (!result) continue;
            if (!result.ok) damaged += 1;
            if (json) context.out.jsonLine(result);
            else context.out.line(describe(result).join('\n'));
          }
          if (refs.length === 0) context.err.line(`no sessions in ${store.description}`);
          return damaged > 0 ? EXIT.partly : EXIT.done;
        }),
      ),
    );

function describe({
  session,
  handle,
  sealed,
  segments,
  pictures,
  bytes,
  ok,
  findings,
}: Verification): string[] {
  const state = `${ok ? 'ok' : 'DAMAGED'}${sealed ? '' : ', not sealed'}`;
  return [
    `@${handle} ${session}: ${state} (${segments} segments, ${pictures} pictures, ${formatBytes(bytes)})`,
    ...findings.map(({ kind, key, detail, damage }) => `  ${damage ? '!' : '·'} ${kind} ${key}: ${detail}`),
  ];
}
