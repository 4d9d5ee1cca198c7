/** `livestow sandbox`: the simulated world in the foreground, for trying livestow without a key, an account or a creator. */
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import { parse } from 'yaml';
import { ZodError } from 'zod';
import { LivestowError, messageOf } from '../../kernel/errors.ts';
import { stopKind } from '../../kernel/stop-request.ts';
import type { Sandbox, SandboxOptions } from '../../sandbox/sandbox.ts';
import type { ScenarioInput } from '../../sandbox/scenario.ts';
import { action, examples, JSON_OPTION, type CommandFactory } from '../command.ts';
import type { CliContext } from '../context.ts';
import { EXIT } from '../exit-codes.ts';

interface SandboxFlags {
  port: number;
  media?: string;
  json?: true;
}

export const sandboxCommand: CommandFactory = (context) =>
  new Command('sandbox')
    .description('runs a simulated lookup API and live CDN on this machine, and prints their addresses')
    .argument(
      '[scenario]',
      'YAML or JSON file: who is live when, and what goes wrong (default: five creators, each with a trouble of their own)',
    )
    .addOption(new Option('--port <port>', 'on 127.0.0.1').argParser(portArgument).default(0, 'any free one'))
    .option('--media <dir>', 'where its media is kept once it is made (half a minute, the first time)')
    .option(...JSON_OPTION)
    .addHelpText('after', examples('sandbox', 'sandbox scenario.yaml --port 8080'))
    .action(
      action(async (file: string | undefined, flags: SandboxFlags) => {
        const stop = context.stopSignal();
        const { createSandbox } = await import('../../sandbox/sandbox.ts');
        const { defaultScenario } = await import('../../sandbox/default-scenario.ts');
        const scenario =
          file === undefined ? defaultScenario : await readScenario(resolve(context.cwd, file));
        const sandbox = await createSandbox({
          scenario,
          ...(flags.media === undefined ? {} : { media: flags.media }),
          port: flags.port,
          signal: stop,
          onProgress: progressIn(context),
        }).catch((error: unknown) => {
          throw error instanceof ZodError ? badScenario(file, error) : error;
        });
        try {
          announce(context, sandbox, flags);
          if (!stop.aborted) await once(stop, 'abort');
        } finally {
          await sandbox.close();
        }
        return stopKind(stop) === 'drain' ? EXIT.done : EXIT.interrupted;
      }),
    );

function portArgument(text: string): number {
  const port = Number(text);
  if (!/^\d+$/.test(text) || port > 65_535) throw new InvalidArgumentError('A port is a number up to 65535.');
  return port;
}

/** Checked by the sandbox itself. */
async function readScenario(path: string): Promise<ScenarioInput> {
  try {
    return (parse(await readFile(path, 'utf8')) ?? {}) as ScenarioInput;
  } catch (error) {
    throw new LivestowError('USAGE', `${path} cannot be read: ${messageOf(error)}`, { cause: error });
  }
}

function badScenario(file: string | undefined, { issues }: ZodError): LivestowError {
  const [issue] = issues;
  return new LivestowError('USAGE', `${file ?? 'the scenario'}: ${issue?.path.join('.')}: ${issue?.message}`);
}

function progressIn({ err }: CliContext): NonNullable<SandboxOptions['onProgress']> {
  const told = new Set<string>();
  return ({ name }) => {
    if (!told.has(name)) err.line(`making the media "${name}" (once)`);
    told.add(name);
  };
}

function announce({ out }: CliContext, sandbox: Sandbox, { json }: SandboxFlags): void {
  const { apiUrl, apiKey } = sandbox;
  const creators = Object.keys(sandbox.state().creators);
  const environment = {
    LIVESTOW_API_URL: apiUrl,
    LIVESTOW_API_KEY: apiKey,
    LIVESTOW_MEDIA_HOSTS: '127.0.0.1',
  };
  if (json) return out.json({ apiUrl, apiKey, creators, environment });
  out.line(
    `The sandbox is on at ${apiUrl} with ${creators.map((handle) => `@${handle}`).join(', ') || 'nobody'}.`,
  );
  out.line('In another terminal:\n');
  out.line(
    `  export ${Object.entries(environment)
      .map(([name, value]) => `${name}=${value}`)
      .join(' ')}`,
  );
  const [first = 'alice'] = creators;
  out.line(`  livestow record ${first} --once        (in a checkout: scripts/livestow)\n`);
  out.line(
    'To end that broadcast, and to make its CDN stall (other faults: src/sandbox/faults.ts in the source):\n',
  );
  out.line(`  curl -d '{"handle":"${first}"}' ${apiUrl}/_sandbox/end`);
  out.line(
    `  curl -d '{"handle":"${first}","fault":{"type":"stall","forMs":8000}}' ${apiUrl}/_sandbox/inject\n`,
  );
  out.line('Ctrl-C ends the sandbox.');
}
