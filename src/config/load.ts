/**
 * What is in force: command line over environment over config file over defaults. Every layer is checked, also where
 * another one wins, and everything that is wrong is said at once.
 */
import { dirname, resolve } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { z } from 'zod';
import { LivestowError } from '../kernel/errors.ts';
import { scrub } from '../kernel/redact.ts';
import { plain } from '../kernel/secret.ts';
import { inconsistencies } from './creators.ts';
import { strayGroups } from './jobs.ts';
import { originText, type Origin, type Problem } from './origin.ts';
import {
  aboutSetting,
  SETTING_KEYS,
  settingJson,
  settingsSchema,
  toConfig,
  type Config,
  type SettingKey,
} from './schema.ts';
import { closest, unknownKey } from './suggest.ts';
import { readConfigFile, type ConfigFile } from './yaml-file.ts';

export const DEFAULT_CONFIG_FILE = 'livestow.yaml';

export interface ConfigInputs {
  /** What flags said, by setting. */
  flags: Partial<Record<SettingKey, string>>;
  env: Readonly<Record<string, string | undefined>>;
  /** What relative paths in flags, variables and defaults are relative to; in a file, its own folder is. */
  cwd: string;
  /** From `--config`: has to be there. Without it `livestow.yaml` is read where it is. */
  file?: string;
}

export interface LoadedConfig {
  config: Config;
  /** What the winning layer said, as it was written there, and which layer that is. */
  given: Record<SettingKey, Given>;
  /** Of those that said something else, the first: it counts for nothing. */
  hidden: Partial<Record<SettingKey, Given>>;
  /** The config file that was read. */
  file: string | null;
  /** What looks wrong and stops nothing. */
  warnings: string[];
}

export interface Given {
  raw: unknown;
  origin: Origin;
}

/** Throws CONFIG with every problem in `context.problems`. */
export async function loadConfig(inputs: ConfigInputs): Promise<LoadedConfig> {
  const problems: Problem[] = [];
  const path = resolve(inputs.cwd, inputs.file ?? DEFAULT_CONFIG_FILE);
  const file = await readFileOrComplain(path, inputs.file !== undefined);
  const { typos, strangers } = unknownVariables(inputs.env);
  problems.push(...typos, ...(file === undefined ? [] : [...file.problems, ...unknownKeys(file)]));

  const settings: Record<string, unknown> = {};
  const given: Partial<Record<SettingKey, Given>> = {};
  const hidden: Partial<Record<SettingKey, Given>> = {};
  for (const key of SETTING_KEYS) {
    const layers = layersOf(key, inputs, file);
    const parsed = layers.map((layer) => check(key, layer, file, problems));
    settings[key] = parsed[0] ?? settingsSchema.shape[key].safeParse(undefined).data;
    given[key] = layers[0] ?? { raw: settingJson(key).default, origin: { kind: 'default' } };
    const other = layers.find((_, at) => !isDeepStrictEqual(plain(parsed[at]), plain(parsed[0])));
    if (other !== undefined) hidden[key] = other;
  }
  problems.push(...contradictions(settings as z.output<typeof settingsSchema>, file));
  problems.push(...turnedRound(settings as z.output<typeof settingsSchema>, given));
  if (problems.length > 0) throw configError(problems);

  const complete = given as Record<SettingKey, Given>;
  return {
    config: toConfig(settings as z.output<typeof settingsSchema>, (key) => {
      const { origin } = complete[key];
      return origin.kind === 'file' ? dirname(origin.path) : inputs.cwd;
    }),
    given: complete,
    hidden,
    file: file?.path ?? null,
    warnings: [
      ...strangers.map((name) => `${name} is not a setting of livestow and is ignored`),
      ...shownSecrets(complete),
    ],
  };
}

/** What is wrong between settings that are right each by itself. They are all of the file's: no flag has them. */
function contradictions(
  { creators, groups, jobs }: z.output<typeof settingsSchema>,
  file: ConfigFile | undefined,
): Problem[] {
  if (!file) return [];
  const found = [...inconsistencies(creators ?? [], groups ?? {}), ...strayGroups(jobs ?? {}, groups ?? {})];
  return found.map(({ path, message }) => ({
    path: pathText(path),
    origin: { kind: 'file', path: file.path, line: file.lineOf(path) },
    message,
  }));
}

/** The one that was given is complained of, the floor where both were. */
function turnedRound(
  { pollFloor, pollCeiling }: z.output<typeof settingsSchema>,
  given: Partial<Record<SettingKey, Given>>,
): Problem[] {
  if (!(pollFloor > pollCeiling)) return [];
  const origin = (key: SettingKey): Origin => given[key]?.origin ?? { kind: 'default' };
  return origin('pollFloor').kind === 'default'
    ? [{ path: 'pollCeiling', origin: origin('pollCeiling'), message: 'is less than pollFloor' }]
    : [{ path: 'pollFloor', origin: origin('pollFloor'), message: 'is more than pollCeiling' }];
}

/** Everybody on the machine may read a command line. */
function shownSecrets({ proxy: { raw, origin } }: LoadedConfig['given']): string[] {
  const url = typeof raw === 'string' && URL.canParse(raw) ? new URL(raw) : undefined;
  if (origin.kind !== 'flag' || !url?.password) return [];
  return [
    `the password in ${origin.flag} can be read in the process list; LIVESTOW_PROXY keeps it out of there`,
  ];
}

async function readFileOrComplain(path: string, required: boolean): Promise<ConfigFile | undefined> {
  const file = await readConfigFile(path).catch((error: unknown) => {
    throw new LivestowError('CONFIG', `the config file ${path} cannot be read`, { cause: error });
  });
  if (file === undefined && required) {
    throw new LivestowError('CONFIG', `there is no config file ${path}`, {
      hint: 'livestow config init writes a commented example',
    });
  }
  return file;
}

/** What was given for a setting, the one that wins first. An empty variable is one that is not set. */
function layersOf(key: SettingKey, inputs: ConfigInputs, file: ConfigFile | undefined): Given[] {
  const { env, flag } = aboutSetting(key);
  const layers: Given[] = [];
  const flagged = inputs.flags[key];
  if (flag !== undefined && flagged !== undefined) {
    layers.push({ raw: flagged, origin: { kind: 'flag', flag } });
  }
  const variable = env === undefined ? undefined : inputs.env[env];
  if (env !== undefined && variable !== undefined && variable !== '') {
    layers.push({ raw: variable, origin: { kind: 'environment', variable: env } });
  }
  const written = file?.values[key];
  if (file !== undefined && written !== undefined && written !== null) {
    layers.push({ raw: written, origin: { kind: 'file', path: file.path, line: file.lineOf([key]) } });
  }
  return layers;
}

function check(key: SettingKey, given: Given, file: ConfigFile | undefined, problems: Problem[]): unknown {
  const result = settingsSchema.shape[key].safeParse(given.raw);
  if (result.success) return result.data;
  const { form, secret } = aboutSetting(key);
  if (typeof given.raw !== 'object') {
    const quoted = secret ? 'the value' : quote(given.raw);
    const more = secret ? '' : reasonOf(result.error);
    problems.push({ path: key, origin: given.origin, message: `${quoted} is not ${form}${more}` });
    return undefined;
  }
  for (const issue of result.error.issues) {
    for (const { path, message } of complaints(key, issue)) {
      const line = given.origin.kind === 'file' && file ? lineNear(file, path) : null;
      problems.push({
        path: pathText(path),
        origin: given.origin.kind === 'file' ? { ...given.origin, line } : given.origin,
        message: message ?? `not ${form}${secret ? '' : reasonOf(result.error)}`,
      });
    }
  }
  return undefined;
}

/** In brackets; nothing where it would only say again that it is none. */
function reasonOf({ issues }: z.ZodError): string {
  const why = issues.find(({ code }) => code === 'custom')?.message;
  return why === undefined || why.startsWith('not ') ? '' : ` (${scrub(why)})`;
}

/** An unknown part is a complaint of its own, with its own line. */
function complaints(key: SettingKey, issue: z.core.$ZodIssue): { path: PropertyKey[]; message?: string }[] {
  const path = [key, ...issue.path];
  if (issue.code === 'unrecognized_keys') {
    const known = Object.keys(settingJson(key).properties ?? {});
    return issue.keys.map((part) => ({
      path: [...path, part],
      message: issue.path.length === 0 ? unknownKey(part, known) : issue.message,
    }));
  }
  if (issue.path.length === 0) return [{ path }];
  const isMissing = issue.code === 'invalid_type' && issue.message.endsWith('received undefined');
  return [{ path, message: isMissing ? 'is missing' : issue.message }];
}

/** Of what should be there and is not, the line of what it should be in. */
function lineNear(file: ConfigFile, path: readonly PropertyKey[]): number | null {
  for (let length = path.length; length > 0; length -= 1) {
    const line = file.lineOf(path.slice(0, length));
    if (line !== null) return line;
  }
  return null;
}

function unknownKeys(file: ConfigFile): Problem[] {
  const known = new Set<string>(SETTING_KEYS);
  return Object.keys(file.values)
    .filter((key) => !known.has(key))
    .map((key) => ({
      path: key,
      origin: { kind: 'file', path: file.path, line: file.lineOf([key]) },
      message: unknownKey(key, SETTING_KEYS),
    }));
}

/** Variables that the project's own tests and scripts read. */
const NOT_SETTINGS = /^LIVESTOW_(?:TEST_\w+|LONG|FFMPEG|CHROMIUM)$/;

/**
 * A near miss of a known name is an error. Another name is not: orchestrators make variables of the service's name
 * (`LIVESTOW_PORT_8080_TCP`), which nobody meant as a setting.
 */
function unknownVariables(env: ConfigInputs['env']): { typos: Problem[]; strangers: string[] } {
  const known = SETTING_KEYS.flatMap((key) => aboutSetting(key).env ?? []);
  const typos: Problem[] = [];
  const strangers: string[] = [];
  for (const name of Object.keys(env)) {
    if (!name.startsWith('LIVESTOW_') || NOT_SETTINGS.test(name) || known.includes(name)) continue;
    const suffix = (variable: string) => variable.slice('LIVESTOW_'.length);
    const near = closest(suffix(name), known.map(suffix));
    if (near === undefined) {
      strangers.push(name);
    } else {
      typos.push({
        path: name,
        origin: { kind: 'environment', variable: name },
        message: `unknown variable; did you mean LIVESTOW_${near}?`,
      });
    }
  }
  return { typos, strangers };
}

const quote = (raw: unknown): string => JSON.stringify(scrub(String(raw)).slice(0, 80));

/** `ranking.order[2]` */
const pathText = (path: readonly PropertyKey[]): string =>
  path.reduce<string>(
    (text, part) =>
      text + (typeof part === 'number' ? `[${part}]` : `${text === '' ? '' : '.'}${String(part)}`),
    '',
  );

function problemText({ path, origin, message }: Problem): string {
  const where = originText(origin);
  return path === '' || path === where ? `${where}: ${message}` : `${where}: ${path}: ${message}`;
}

function configError(problems: Problem[]): LivestowError {
  const texts = problems.map(problemText);
  const message =
    texts.length === 1
      ? texts[0]
      : `${texts.length} things are wrong:\n${texts.map((text) => `  ${text}`).join('\n')}`;
  return new LivestowError('CONFIG', message ?? '', {
    hint: 'livestow config init writes a commented example of every setting',
    context: {
      problems: problems.map(({ path, origin, message: what }) => ({ path, origin, message: what })),
    },
  });
}
