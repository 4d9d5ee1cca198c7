/** `livestow doctor`: looks at everything that a recording needs, and says what to do about what is wrong. */
import { Command } from 'commander';
import type { LoadedConfig } from '../../config/load.ts';
import { action, examples, handleArgument, JSON_OPTION, type CommandFactory } from '../command.ts';
import type { CliContext } from '../context.ts';
import { checkFfmpeg } from '../doctor/ffmpeg.ts';
import { examine, type Check, type Finding } from '../doctor/finding.ts';
import { checkNode, checkSpool } from '../doctor/machine.ts';
import { EXIT } from '../exit-codes.ts';

/** For each check: a store in trouble is told apart from one that is gone well before. */
const TIME_LIMIT_MS = 45_000;

interface DoctorOptions {
  json?: true;
  quick?: true;
  look?: string;
}

export const doctorCommand: CommandFactory = (context) =>
  new Command('doctor')
    .description(
      'checks ffmpeg, the key, the store, the disk and the clock, and says what to do about each failure',
    )
    .option(
      '--look <handle>',
      'look a creator up as well, which tries the key and costs a credit',
      handleArgument,
    )
    .option('--quick', 'only what lies on this machine: no network, no credit; for a health check')
    .option(...JSON_OPTION)
    .addHelpText(
      'after',
      examples('doctor', 'doctor --look alice', 'doctor --store s3://bucket/prefix --json'),
    )
    .action(
      action(async (options: DoctorOptions, command: Command) => {
        const loaded = await context.loadConfig(command, { tell: false });
        const findings: Finding[] = loaded.warnings.map((found) => ({
          check: 'settings',
          status: 'warn',
          found,
        }));
        const running = (await checks(context, loaded, options)).map(({ name, check, advice }) =>
          examine(name, check, advice, AbortSignal.timeout(TIME_LIMIT_MS)),
        );
        if (!options.json) findings.forEach((finding) => print(context, finding));
        for (const found of running) {
          for (const finding of await found) {
            findings.push(finding);
            if (!options.json) print(context, finding);
          }
        }
        const ok = findings.every(({ status }) => status !== 'fail');
        if (options.json) context.out.json({ ok, findings });
        return ok ? EXIT.done : EXIT.failed;
      }),
    );

async function checks(
  context: CliContext,
  { config }: LoadedConfig,
  options: DoctorOptions,
): Promise<{ name: string; check: Check; advice: string }[]> {
  const local = [
    { name: 'node', check: checkNode, advice: 'install the current LTS of Node.js' },
    { name: 'ffmpeg', check: checkFfmpeg(context.env, config.engine), advice: 'install ffmpeg 5.1 or later' },
    {
      name: 'spool',
      check: checkSpool(config.spool, config.diskReserveBytes),
      advice: 'look at the folder that --spool names',
    },
  ];
  if (options.quick) return local;
  const { checkStore } = await import('../doctor/store.ts');
  const { checkKey, checkLookup } = await import('../doctor/lookup.ts');
  return [
    ...local,
    {
      name: 'store',
      check: checkStore(config, context.clock),
      advice: 'look at the location that --store names, and at what this user may do there',
    },
    { name: 'key', check: checkKey(config), advice: 'set LIVESTOW_API_KEY' },
    {
      name: 'lookup',
      check: checkLookup(config, context.clock, options.look),
      advice: 'look at the network, LIVESTOW_API_URL and LIVESTOW_PROXY',
    },
  ];
}

function print({ out }: CliContext, { check, status, found, advice }: Finding): void {
  out.line(`${status.padEnd(5)} ${check.padEnd(8)} ${found}`);
  if (advice !== undefined) out.line(`${' '.repeat(15)}→ ${advice}`);
}
