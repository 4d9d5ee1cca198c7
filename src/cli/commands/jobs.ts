/** `livestow jobs [run NAME | history [NAME]]`: the scheduled jobs of the config file, with or without a daemon. */
import { Command } from 'commander';
import { Roster } from '../../daemon/roster.ts';
import { ScheduledJobs } from '../../daemon/scheduled-jobs.ts';
import { counted } from '../../kernel/amounts.ts';
import { formatClockTime } from '../../kernel/duration.ts';
import { foreign } from '../../kernel/foreign-text.ts';
import { stopKind } from '../../kernel/stop-request.ts';
import type { JobRun, JobStatus } from '../../model/job.ts';
import { action, countFlag, examples, JSON_OPTION, type CommandFactory } from '../command.ts';
import type { CliContext } from '../context.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { progressBar } from '../progress-bar.ts';
import { shortTime, table } from '../table.ts';

const MORE = `
Jobs are written in the config file (jobs) and run by \`livestow serve\` when they are due. A run by hand needs no
daemon; where one runs the same job just now, it exits 11.`;

export const jobsCommand: CommandFactory = (context) =>
  new Command('jobs')
    .description('lists the scheduled archival jobs, runs one, tells how they went')
    .option(...JSON_OPTION)
    .addHelpText('after', `${MORE}\n${examples('jobs', 'jobs run nightly-prune', 'jobs history')}`)
    .action(action((options: { json?: true }, command: Command) => list(context, command, options)))
    .addCommand(runCommand(context))
    .addCommand(historyCommand(context));

const runCommand = (context: CliContext): Command =>
  new Command('run')
    .description('runs a job now, whenever it is due; exits 3 when something could not be done')
    .argument('<name>', 'the job, as the config file names it')
    .option(...JSON_OPTION)
    .addHelpText('after', examples('jobs run nightly-prune', 'jobs run copy --json'))
    .action(
      action((name: string, _options: unknown, command: Command) =>
        run(context, command, name, wantsJson(command)),
      ),
    );

const historyCommand = (context: CliContext): Command =>
  new Command('history')
    .description('how runs ended, newest first')
    .argument('[name]', 'of this job only')
    .option('--most <count>', 'so many of them', '50')
    .option(...JSON_OPTION)
    .addHelpText('after', examples('jobs history', 'jobs history nightly-prune --json'))
    .action(
      action((name: string | undefined, { most }: { most: string }, command: Command) =>
        history(context, command, { job: name, most: countFlag('--most', most) }),
      ),
    );

/** Wherever it stands: the command above takes it too. */
const wantsJson = (command: Command): boolean => command.optsWithGlobals<{ json?: true }>().json === true;

interface Opened {
  jobs: ScheduledJobs;
  /** Aborts when the operator asks for an end. */
  signal: AbortSignal;
}

async function withJobs(
  context: CliContext,
  command: Command,
  { onlyToLook }: { onlyToLook: boolean },
  use: (opened: Opened) => Promise<ExitCode>,
): Promise<ExitCode> {
  const { config } = await context.loadConfig(command);
  const signal = context.stopSignal();
  const roster = onlyToLook ? null : await Roster.open(config);
  const { clock, env } = context;
  const jobs = new ScheduledJobs({
    config: () => config,
    clock,
    // What matters is told as the result.
    log: context.createLogger({ ...config, logLevel: config.logLevel === 'info' ? 'warn' : config.logLevel }),
    env,
    watched: () => roster?.all ?? [],
    report: () => {},
    onlyToLook,
  });
  try {
    return await use({ jobs, signal });
  } finally {
    jobs.close();
  }
}

const list = (context: CliContext, command: Command, { json }: { json?: true }): Promise<ExitCode> =>
  withJobs(context, command, { onlyToLook: true }, ({ jobs }) => {
    jobs.runner.settle();
    const statuses = jobs.runner.statuses;
    if (json) for (const status of statuses) context.out.jsonLine(status);
    else if (statuses.length === 0) context.err.line('the config file has no jobs');
    else context.out.line(table([HEADINGS, ...statuses.map(row)]).join('\n'));
    return Promise.resolve(EXIT.done);
  });

const HEADINGS = ['JOB', 'KIND', 'SCHEDULE', 'NEXT (UTC)', 'LAST (UTC)', 'OUTCOME'];

function row({ job, kind, cron, timeZone, paused, nextAt, running, last }: JobStatus): string[] {
  const next = paused ? 'paused' : nextAt === null ? 'never' : shortTime(nextAt);
  const outcome = last ? [last.outcome, last.message].filter(Boolean).join(': ') : '';
  return [
    job,
    kind,
    `${cron} ${timeZone}`,
    running ? `running since ${shortTime(running.startedAt)}` : next,
    last ? shortTime(last.startedAt) : '',
    foreign(outcome),
  ];
}

const run = (context: CliContext, command: Command, name: string, json: boolean): Promise<ExitCode> =>
  withJobs(context, command, { onlyToLook: false }, async ({ jobs, signal }) => {
    const { out, err } = context;
    let bar = progressBar(context, name);
    const stop = (): void => void jobs.runner.stop(name);
    try {
      const running = jobs.runner.run(name, {
        progress: (done, note) => bar.update(done, note),
        tell: (line) => {
          if (json) return;
          bar.stop();
          out.line(foreign(line));
          bar = progressBar(context, name);
        },
      });
      if (signal.aborted) stop();
      else signal.addEventListener('abort', stop, { once: true });
      const ended = await running;
      bar.stop();
      if (json) out.json(ended);
      else {
        for (const problem of ended.problems) out.line(`! ${foreign(problem)}`);
        const line = `${name}: ${ended.outcome}: ${foreign(ended.message)}`;
        if (ended.outcome === 'failed') err.line(`livestow: ${line}`);
        else out.line(line);
      }
      return exitCodeOf(ended, signal);
    } finally {
      signal.removeEventListener('abort', stop);
      bar.stop();
    }
  });

function exitCodeOf({ outcome }: JobRun, signal: AbortSignal): ExitCode {
  if (outcome === 'done') return EXIT.done;
  if (outcome === 'partly') return EXIT.partly;
  return stopKind(signal) === 'interrupt' ? EXIT.interrupted : EXIT.failed;
}

const history = (
  context: CliContext,
  command: Command,
  wanted: { job: string | undefined; most: number },
): Promise<ExitCode> =>
  withJobs(context, command, { onlyToLook: true }, ({ jobs }) => {
    jobs.runner.settle();
    const runs = jobs.runner.history(wanted);
    if (wantsJson(command)) for (const each of runs) context.out.jsonLine(each);
    else if (runs.length === 0) context.err.line('no job has run yet');
    else context.out.line(table([HISTORY_HEADINGS, ...runs.map(historyRow)]).join('\n'));
    return Promise.resolve(EXIT.done);
  });

const HISTORY_HEADINGS = ['JOB', 'BEGAN (UTC)', 'TOOK', 'BY', 'OUTCOME', ''];

function historyRow({ job, startedAt, endedAt, by, outcome, message, problems }: JobRun): string[] {
  const took = endedAt === null ? '' : formatClockTime(Date.parse(endedAt) - Date.parse(startedAt));
  const more = problems.length === 0 ? '' : ` (${counted(problems.length, 'problem')}: ${problems[0] ?? ''})`;
  return [job, shortTime(startedAt), took, by, outcome ?? 'running', foreign(`${message}${more}`)];
}
