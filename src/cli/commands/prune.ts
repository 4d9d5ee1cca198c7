/** `livestow prune [handle…]`: removes what is beyond the given limits, oldest first. */
import { Command } from 'commander';
import { planPrune, type PrunePlan } from '../../archive/prune.ts';
import { finishRemoval, removeSession } from '../../archive/remove-session.ts';
import type { Limits, RetentionPolicy } from '../../archive/retention.ts';
import type { SessionRef } from '../../archive/session-reader.ts';
import { formatBytes } from '../../kernel/byte-size.ts';
import { messageOf } from '../../kernel/errors.ts';
import type { Store } from '../../store/store.ts';
import { withArchive } from '../archive-command.ts';
import {
  action,
  agreed,
  countFlag,
  durationFlag,
  examples,
  HANDLE_HELP,
  handleArgument,
  JSON_OPTION,
  sizeFlag,
  type CommandFactory,
} from '../command.ts';
import type { CliContext } from '../context.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { progressBar } from '../progress-bar.ts';
import { tellBrokenOff, tellVersions } from '../removal-notes.ts';

interface Options {
  olderThan?: string;
  maxSize?: string;
  maxSessions?: string;
  maxTotalSize?: string;
  keepAtLeast?: string;
  dryRun?: true;
  yes?: true;
  json?: true;
}

const MORE = `
Removed are sealed sessions only, oldest first, and only those whose objects are all there with the sizes
of the manifest. What is held or not sealed counts for the limits and stays. What the limits would have go
and is damaged, or under S3 Object Lock, stays and is told, with exit code 3. Removals that had broken off
are finished first; without a limit that is all.`;

export const pruneCommand: CommandFactory = (context) =>
  new Command('prune')
    .description('removes sessions beyond the given limits, oldest first, after asking')
    .argument('[handles...]', `${HANDLE_HELP}, under all of their handles; every creator when none is named`)
    .option('--older-than <duration>', 'sessions whose broadcast ended longer ago, such as 90d or 12w')
    .option('--max-size <size>', 'of each creator, so much media at most, such as 500GB')
    .option('--max-sessions <count>', 'of each creator, so many sessions at most')
    .option('--max-total-size <size>', 'of all these creators together, so much media at most')
    .option('--keep-at-least <count>', 'so many of each creator’s newest sessions stay in any case')
    .option('--dry-run', 'say what would be removed, and remove nothing')
    .option('--yes', 'do not ask')
    .option(...JSON_OPTION)
    .addHelpText(
      'after',
      `${MORE}\n${examples('prune --older-than 90d --dry-run', 'prune alice --max-size 500GB --keep-at-least 3')}`,
    )
    .action(
      action((names: string[], options: Options, command: Command) => {
        const handles = names.map(handleArgument);
        const policy = policyOf(options);
        return withArchive(context, command, ({ store, signal }) =>
          prune(context, store, { handles, policy, options, signal }),
        );
      }),
    );

function policyOf(options: Options): RetentionPolicy {
  const given = <T>(text: string | undefined, parse: (text: string) => T): T | null =>
    text === undefined ? null : parse(text);
  const none: Limits = { maxAgeMs: null, maxBytes: null, maxSessions: null };
  return {
    each: {
      maxAgeMs: given(options.olderThan, (text) => durationFlag('--older-than', text, '90d or 12w')),
      maxBytes: given(options.maxSize, (text) => sizeFlag('--max-size', text)),
      maxSessions: given(options.maxSessions, (text) => countFlag('--max-sessions', text)),
    },
    all: { ...none, maxBytes: given(options.maxTotalSize, (text) => sizeFlag('--max-total-size', text)) },
    keepAtLeast: given(options.keepAtLeast, (text) => countFlag('--keep-at-least', text)) ?? 0,
  };
}

interface Pruning {
  handles: readonly string[];
  policy: RetentionPolicy;
  options: Options;
  signal: AbortSignal;
}

async function prune(context: CliContext, store: Store, pruning: Pruning): Promise<ExitCode> {
  const { handles, policy, options, signal } = pruning;
  const { clock, err } = context;
  const bar = progressBar(context, 'prune: checking');
  const onProgress = (done: number, total: number): void => bar.update(total === 0 ? 1 : done / total);
  const plan = await planPrune(store, { handles, policy, clock, signal, onProgress }).finally(() =>
    bar.stop(),
  );
  const tell = teller(context, options.json === true);
  const isLimited = [...Object.values(policy.each), ...Object.values(policy.all)].some(
    (limit) => limit !== null,
  );
  if (!isLimited) err.line('no limit is given: only removals that had broken off are finished');

  for (const { refusal, ...refused } of plan.refused)
    tell({ ...refused, outcome: 'refused', detail: refusal.detail });
  const code = plan.refused.length > 0 ? EXIT.partly : EXIT.done;
  if (options.dryRun) {
    for (const ref of plan.unfinished) tell({ ...ref, outcome: 'would-finish' });
    for (const each of plan.remove) tell({ ...each, outcome: 'would-remove' });
  }
  if (plan.remove.length + plan.unfinished.length === 0) {
    if (plan.refused.length === 0) err.line('nothing is to be removed');
    return code;
  }
  if (options.dryRun) return code;
  if (plan.remove.length > 0 && !(await agreed(context, question(plan), options.yes === true, signal))) {
    err.line('nothing was removed');
    return EXIT.failed;
  }
  return (await carryOut(context, store, plan, signal, tell)) ?? code;
}

/** Undefined when all of it was done. */
async function carryOut(
  context: CliContext,
  store: Store,
  plan: PrunePlan,
  signal: AbortSignal,
  tell: (line: Line) => void,
): Promise<ExitCode | undefined> {
  const { clock } = context;
  let isRefused = false;
  const total = plan.unfinished.length + plan.remove.length;
  const each = async (ref: SessionRef, index: number, remove: Remove): Promise<void> => {
    const bar = progressBar(context, `prune ${index + 1}/${total}`);
    const onProgress = (done: number, of: number): void => bar.update(done / of, ref.session);
    try {
      const line = await remove(onProgress);
      bar.stop();
      if (line) tell(line);
      isRefused ||= line?.outcome === 'refused';
    } catch (error) {
      bar.stop();
      await tellBrokenOff(context, store, ref);
      // The store lets nothing more be removed, or does not answer: the others are not begun.
      if (index === 0 || signal.aborted) throw error;
      tell({ ...ref, outcome: 'failed', detail: messageOf(error) });
      throw new PartlyDone();
    }
  };
  try {
    for (const [index, ref] of plan.unfinished.entries()) {
      await each(ref, index, async (onProgress) => {
        const done = await finishRemoval(store, ref, { reason: 'prune', clock, signal, onProgress });
        const detail = done?.outcome === 'refused' ? { detail: done.refusal.detail } : {};
        return done && { ...ref, outcome: done.outcome, ...detail };
      });
    }
    for (const [index, { reason, bytes, ...ref }] of plan.remove.entries()) {
      await each(ref, plan.unfinished.length + index, async (onProgress) => {
        const options = { reason: `prune: ${reason}`, clock, signal, onProgress };
        const done = await removeSession(store, ref, options);
        const line = { ...ref, bytes, reason, outcome: done.outcome };
        return done.outcome === 'refused' ? { ...line, detail: done.refusal.detail } : line;
      });
    }
    await tellVersions(context, store, signal);
  } catch (error) {
    if (!(error instanceof PartlyDone)) throw error;
    return EXIT.partly;
  }
  return isRefused ? EXIT.partly : undefined;
}

type Remove = (onProgress: (done: number, total: number) => void) => Promise<Line | undefined>;

class PartlyDone extends Error {}

function question({ remove }: PrunePlan): string {
  const bytes = remove.reduce((sum, each) => sum + each.bytes, 0);
  const list = remove.map(({ handle, session, reason }) => `  @${handle} ${session}: ${reason}`);
  const count = `${remove.length} ${remove.length === 1 ? 'session' : 'sessions'}`;
  return `${list.join('\n')}\nRemove ${remove.length === 1 ? 'this' : 'these'} ${count}, ${formatBytes(bytes)}?`;
}

interface Line extends SessionRef {
  outcome: 'removed' | 'finished' | 'refused' | 'failed' | 'would-remove' | 'would-finish';
  reason?: string;
  bytes?: number;
  detail?: string;
}

const OUTCOMES: Record<Line['outcome'], string> = {
  removed: 'removed',
  finished: 'a removal that had broken off is finished',
  refused: 'stays',
  failed: 'failed',
  'would-remove': 'would be removed',
  'would-finish': 'a removal that had broken off would be finished',
};

const teller =
  ({ out }: CliContext, json: boolean) =>
  (line: Line): void => {
    if (json) return out.jsonLine(line);
    const { handle, session, outcome, reason, bytes, detail } = line;
    const size = bytes === undefined ? [] : [formatBytes(bytes)];
    const more = [...size, reason, detail].filter((each) => each !== undefined);
    const why = more.length === 0 ? '' : ` (${more.join(', ')})`;
    out.line(`@${handle} ${session}: ${OUTCOMES[outcome]}${why}`);
  };
