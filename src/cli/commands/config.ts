/** `livestow config check | schema | init` */
import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { Command } from 'commander';
import { settingsInForce } from '../../config/describe.ts';
import { exampleConfig } from '../../config/example.ts';
import { DEFAULT_CONFIG_FILE } from '../../config/load.ts';
import { settingsJsonSchema } from '../../config/schema.ts';
import { LivestowError } from '../../kernel/errors.ts';
import { action, examples, JSON_OPTION, type CommandFactory } from '../command.ts';
import type { CliContext } from '../context.ts';

export const configCommand: CommandFactory = (context) =>
  new Command('config')
    .description('check the settings, print their JSON Schema, write a commented example')
    .addCommand(check(context))
    .addCommand(schema(context))
    .addCommand(init(context));

const check = (context: CliContext): Command =>
  new Command('check')
    .description('validates the settings and says where each comes from')
    .option(...JSON_OPTION)
    .action(
      action(async (options: { json?: true }, command: Command) => {
        const loaded = await context.loadConfig(command, { tell: false });
        const settings = settingsInForce(loaded);
        if (options.json) {
          const { file, warnings } = loaded;
          context.out.json({ ok: true, file, settings, warnings });
          return;
        }
        for (const warning of loaded.warnings) context.err.line(`warning: ${warning}`);
        const width = Math.max(...settings.map(({ key }) => key.length));
        for (const { key, value, from, hides } of settings) {
          const where =
            hides === null ? from : `${from}; ${hides} says something else, and counts for nothing`;
          context.out.line(`${key.padEnd(width)}  ${shown(value)}  (${where})`);
        }
      }),
    );

/** Of a list of hundreds, `--json` has all. */
const MOST_CHARS = 200;

function shown(value: unknown): string {
  if (value === null) return '–';
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return text.length > MOST_CHARS ? `${text.slice(0, MOST_CHARS - 1)}…` : text;
}

const schema = (context: CliContext): Command =>
  new Command('schema').description('prints the JSON Schema of the config file').action(
    action(() => {
      context.out.line(JSON.stringify(settingsJsonSchema(), null, 2));
    }),
  );

const init = (context: CliContext): Command =>
  new Command('init')
    .description('writes a commented example of every setting, at its default')
    .argument('[file]', `where to (default: --config, else ${DEFAULT_CONFIG_FILE})`)
    .option('--force', 'overwrite a file that is there')
    .addHelpText('after', examples('config init', 'config init /etc/livestow.yaml'))
    .action(
      action(async (file: string | undefined, options: { force?: true }, command: Command) => {
        const named = file ?? command.optsWithGlobals<{ config?: string }>().config ?? DEFAULT_CONFIG_FILE;
        const path = resolve(context.cwd, named);
        await writeFile(path, exampleConfig(), { flag: options.force ? 'w' : 'wx' }).catch(
          (error: unknown) => {
            const exists = error instanceof Error && 'code' in error && error.code === 'EEXIST';
            throw new LivestowError(
              'USAGE',
              exists ? `${path} exists already` : `${path} cannot be written`,
              {
                ...(exists ? { hint: '--force overwrites it' } : {}),
                cause: error,
              },
            );
          },
        );
        context.out.line(`wrote ${named}`);
      }),
    );
