import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { settingsInForce } from '../../src/config/describe.ts';
import { exampleConfig } from '../../src/config/example.ts';
import { loadConfig, type ConfigInputs } from '../../src/config/load.ts';
import { originText } from '../../src/config/origin.ts';
import { aboutSetting, SETTING_KEYS } from '../../src/config/schema.ts';
import { LivestowError } from '../../src/kernel/errors.ts';

let cwd: string;
beforeAll(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'livestow-config-'));
});
afterAll(() => rm(cwd, { recursive: true }));

let files = 0;
async function yaml(text: string): Promise<string> {
  const path = join(cwd, `config-${(files += 1)}.yaml`);
  await writeFile(path, text);
  return path;
}

const load = (inputs: Partial<ConfigInputs>) => loadConfig({ flags: {}, env: {}, cwd, ...inputs });

async function complaint(inputs: Partial<ConfigInputs>): Promise<string> {
  const error: unknown = await load(inputs).catch((thrown: unknown) => thrown);
  if (!(error instanceof LivestowError)) throw new Error('was accepted');
  expect(error.code).toBe('CONFIG');
  return error.message;
}

describe('where a setting comes from', () => {
  test('flags before variables before the file before the default', async () => {
    const file = await yaml('store: ./from-file\nspool: ./from-file\nuploads: 2\n');
    const { config, given } = await load({
      file,
      env: { LIVESTOW_STORE: '/from/env', LIVESTOW_SPOOL: '/from/env' },
      flags: { store: '/from/flag' },
    });
    expect(config).toMatchObject({ store: '/from/flag', spool: '/from/env', uploads: 2, engine: 'auto' });
    expect(
      (['store', 'spool', 'uploads', 'engine'] as const).map((key) => originText(given[key].origin)),
    ).toEqual(['--store', 'LIVESTOW_SPOOL', `${file}:3`, 'default']);
  });

  test('an empty variable is one that is not set', async () => {
    expect((await load({ env: { LIVESTOW_MAX_HOLD: '' } })).config.maxHoldMs).toBe(30 * 60_000);
  });

  test.each<[written: string, bytes: number]>([
    ['diskReserve: 2GB', 2e9],
    ['diskReserve: 0', 0],
    ['diskReserve: "0"', 0],
    ['', 512 * 2 ** 20],
  ])('a size: %j', async (written, bytes) => {
    expect((await load({ file: await yaml(`${written}\n`) })).config.diskReserveBytes).toBe(bytes);
  });

  test('a size without a unit is refused', async () => {
    expect(await complaint({ env: { LIVESTOW_DISK_RESERVE: '512' } })).toContain(
      '"512" is not 0, or a size: a number and a unit, such as 512MiB or 2GB',
    );
    expect(await complaint({ file: await yaml('diskReserve: 512\n') })).toContain('is not 0, or a size');
  });

  test.each<[text: string, bytesPerSecond: number]>([
    ['20MB/s', 20e6],
    ['20MB', 20e6],
    ['2.5 MiB / s', 2.5 * 2 ** 20],
    ['800 kb/S', 800e3],
  ])('a size in a second: %s', async (text, bytesPerSecond) => {
    const file = await yaml(`uploadBandwidth: ${text}\ndownloadBandwidth: ${text}\n`);
    expect((await load({ file })).config).toMatchObject({
      uploadBytesPerSecond: bytesPerSecond,
      downloadBytesPerSecond: bytesPerSecond,
    });
  });

  test.each(['20', '0', '0MB/s', '20Mbit/s', '20MB/min', '-1MB/s', ''])(
    '%j is no size in a second',
    async (text) => {
      expect(await complaint({ flags: { uploadBandwidth: text } })).toMatch(/is not a size in a second:/);
    },
  );

  test.each<[text: string, share: number]>([
    ['80%', 0.8],
    ['100 %', 1],
    ['12.5%', 0.125],
  ])('a percentage: %s', async (text, share) => {
    expect((await load({ env: { LIVESTOW_CPU: text } })).config.cpuShare).toBe(share);
  });

  test.each(['80', '0.8', '0%', '101%', '-5%', 'half'])('%j is no percentage', async (text) => {
    expect(await complaint({ env: { LIVESTOW_CPU: text } })).toMatch(/is not a percentage from 1% to 100%/);
  });

  test('without one there is no limit', async () => {
    expect((await load({})).config).toMatchObject({
      recordings: null,
      downloadBytesPerSecond: null,
      cpuShare: null,
      uploadBytesPerSecond: null,
    });
  });

  test('livestow.yaml of the working folder is read without being asked for', async () => {
    const folder = await mkdtemp(join(cwd, 'folder-'));
    await writeFile(join(folder, 'livestow.yaml'), 'maxHold: 1h30m\n');
    expect((await load({ cwd: folder })).config.maxHoldMs).toBe(90 * 60_000);
  });

  test('a relative path is relative to the file that says it, and to the working folder elsewhere', async () => {
    const folder = await mkdtemp(join(cwd, 'folder-'));
    await writeFile(join(folder, 'c.yaml'), 'store: kept\n');
    const { config } = await load({ file: join(folder, 'c.yaml'), flags: { spool: 'here' } });
    expect(config).toMatchObject({ store: join(folder, 'kept'), spool: join(cwd, 'here') });
  });

  test('a location that is a URL stays as it is', async () => {
    const store = 's3://bucket/prefix?endpoint=http://127.0.0.1:9000&pathStyle=true';
    expect((await load({ env: { LIVESTOW_STORE: store } })).config.store).toBe(store);
  });

  test('hosts are a list in YAML and commas in a variable', async () => {
    const file = await yaml('mediaHosts:\n  - a.example\n  - 10.0.0.1\n');
    expect((await load({ file })).config.mediaHosts).toEqual(['a.example', '10.0.0.1']);
    const env = { LIVESTOW_MEDIA_HOSTS: 'a.example, 127.0.0.1' };
    expect((await load({ env })).config.mediaHosts).toEqual(['a.example', '127.0.0.1']);
  });
});

describe('what is wrong is said with its place and the accepted form', () => {
  test.each<[what: string, file: string, message: RegExp]>([
    [
      'an unknown key',
      'uploads: 2\nsegmentDuraton: 3s\n',
      /:2: segmentDuraton: unknown key; did you mean segmentDuration\?$/,
    ],
    ['a key that is like none', 'colour: red\n', /:1: colour: unknown key; known are apiKey, /],
    [
      'a number without a unit',
      'maxHold: 5\n',
      /:1: maxHold: "5" is not a duration: a number and a unit, such as /,
    ],
    [
      'a segment too short to be one',
      'segmentDuration: 10ms\n',
      /:1: segmentDuration: "10ms" is not a duration/,
    ],
    [
      'a value of an enum',
      'engine: gstreamer\n',
      /:1: engine: "gstreamer" is not one of auto, ffmpeg, builtin$/,
    ],
    ['a number out of range', 'uploads: 0\n', /:1: uploads: "0" is not a whole number from 1 to 64$/],
    [
      'a part of a map',
      'ranking:\n  exception: true\n  maxHieght: 3\n',
      /:3: ranking.maxHieght: unknown key; did you mean maxHeight\?$/,
    ],
    ['an entry of a list', 'ranking:\n  protocols:\n    - flv\n    - dash\n', /:4: ranking.protocols\[1\]: /],
    [
      'a key that no header can carry',
      'apiKey: sfk_a b\n',
      /:1: apiKey: the value is not a Social Fetch key/,
    ],
    [
      'a store that is none, with what is wrong with it',
      'store: s3://bucket/prefix?regoin=eu\n',
      /:1: store: "s3:.*" is not a path, file:.* \(.*unknown parameter regoin/,
    ],
    [
      "a creator's store",
      'creators:\n  - alice\n  - handle: bob\n    store: s3://\n',
      /:4: creators\[1\].store: .*no bucket name/,
    ],
    [
      "a group's store",
      'groups:\n  far:\n    store: http://somewhere.example\n',
      /:3: groups.far.store: .*begins with http:/,
    ],
    [
      'where a job puts things',
      'jobs:\n  copy:\n    kind: mirror\n    cron: "@daily"\n    to: file://relative\n',
      /:5: jobs.copy.to: .*file URL/,
    ],
    [
      'what is no host',
      'mediaHosts: ["http://a.example"]\n',
      /:1: mediaHosts: not host names .* \("http:.* is not a host\)$/,
    ],
    ['a floor above the ceiling', 'pollFloor: 2h\n', /:1: pollFloor: is more than pollCeiling$/],
    [
      'a ceiling below the floor',
      'uploads: 1\npollCeiling: 30s\n',
      /:2: pollCeiling: is less than pollFloor$/,
    ],
    ['a map where text belongs', 'store:\n  a: b\n', /:1: store: not a path, file:/],
    ['a list at the top', '- store\n', /:1: the file is not a list of "key: value" lines$/],
    ['text that is no YAML', 'store: "open\n', /:\d+: not YAML: /],
    ['a key twice', 'uploads: 1\nuploads: 2\n', /:2: not YAML: .*unique/],
  ])('%s', async (_what, text, message) => {
    const file = await yaml(text);
    const said = await complaint({ file });
    expect(said).toMatch(message);
    expect(said.startsWith(file)).toBe(true);
  });

  test('a variable and a flag by their names', async () => {
    expect(await complaint({ env: { LIVESTOW_MAX_HOLD: 'long' } })).toMatch(
      /^LIVESTOW_MAX_HOLD: maxHold: "long" is not a duration/,
    );
    expect(await complaint({ flags: { uploads: 'many' } })).toMatch(
      /^--uploads: uploads: "many" is not a whole number/,
    );
  });

  test('everything at once, also what another layer overrides', async () => {
    const file = await yaml('engine: bad\n');
    const said = await complaint({
      file,
      env: { LIVESTOW_ENGINE: 'worse' },
      flags: { engine: 'auto', uploads: '0' },
    });
    expect(said).toMatch(/^3 things are wrong:/);
  });

  test('a config file that was named has to be there', async () => {
    expect(await complaint({ file: '/nowhere/livestow.yaml' })).toBe(
      'there is no config file /nowhere/livestow.yaml',
    );
  });

  test('what counts for nothing, because another layer goes before it, is told with its place', async () => {
    const file = await yaml('apiKey: sfk_of-the-file\nstore: /of/the/file\nuploads: 8\nmaxHold: 60m\n');
    const env = {
      LIVESTOW_API_KEY: 'sfk_of-the-environment',
      LIVESTOW_STORE: '/of/the/environment',
      LIVESTOW_MAX_HOLD: '1h',
    };
    const loaded = await load({ file, env, flags: { store: '/of/the/flag' } });
    const told = settingsInForce(loaded).filter(({ hides }) => hides !== null);
    expect(told.map(({ key, from, hides }) => [key, from, hides])).toEqual([
      ['apiKey', 'LIVESTOW_API_KEY', `${file}:1`],
      ['store', '--store', 'LIVESTOW_STORE'],
    ]);
    expect(JSON.stringify(told)).not.toContain('sfk_');
    const same = await load({ file, env: { LIVESTOW_API_KEY: 'sfk_of-the-file' } });
    expect(same.hidden).toEqual({});
  });

  test('a mistyped variable is an error; what an orchestrator makes of a service name is a warning', async () => {
    expect(await complaint({ env: { LIVESTOW_STOER: 'x' } })).toBe(
      'LIVESTOW_STOER: unknown variable; did you mean LIVESTOW_STORE?',
    );
    const { warnings } = await load({
      env: { LIVESTOW_PORT_8080_TCP: 'tcp://10.0.0.1:8080', LIVESTOW_TEST_S3: 'x' },
    });
    expect(warnings).toEqual(['LIVESTOW_PORT_8080_TCP is not a setting of livestow and is ignored']);
  });

  test('a password on the command line is told, without it', { tags: 'secrets' }, async () => {
    const proxy = 'http://user:c4n4ry-pass@proxy.example:3128';
    const { warnings } = await load({ flags: { proxy } });
    expect(warnings).toEqual([expect.stringContaining('the password in --proxy')]);
    expect(warnings[0]).not.toContain('c4n4ry');
    expect((await load({ env: { LIVESTOW_PROXY: proxy } })).warnings).toEqual([]);
    expect((await load({ flags: { proxy: 'http://proxy.example:3128' } })).warnings).toEqual([]);
  });

  test('what is in force is told without credentials', { tags: 'secrets' }, async () => {
    const loaded = await load({ env: { LIVESTOW_API_URL: 'https://u:c4n4ry@api.example/x?key=c4n4ry' } });
    const told = JSON.stringify(settingsInForce(loaded));
    expect(told).toContain('api.example/x');
    expect(told).not.toContain('c4n4ry');
  });
});

describe('secrets', () => {
  const apiKey = 'sfk_canary1234';
  const proxy = 'http://user:canary5678@proxy.example:3128';

  test('print as [redacted] wherever they end up', async () => {
    const loaded = await load({ env: { LIVESTOW_API_KEY: apiKey, LIVESTOW_PROXY: proxy } });
    const { config } = loaded;
    for (const text of [
      inspect(config),
      JSON.stringify(config),
      `${String(config.apiKey)} ${String(config.proxy)}`,
    ]) {
      expect(text).toContain('[redacted]');
      expect(text).not.toContain('canary');
    }
    expect(JSON.stringify(settingsInForce(loaded))).not.toContain('canary');
    expect([config.apiKey?.reveal(), config.proxy?.reveal()]).toEqual([apiKey, proxy]);
  });

  test('are not quoted back when they are wrong', async () => {
    const said = await complaint({ env: { LIVESTOW_PROXY: 'ftp://user:canary5678@proxy.example' } });
    expect(said).toMatch(/^LIVESTOW_PROXY: proxy: the value is not http:/);
    expect(said).not.toContain('canary');
  });

  test('have no flag', () => {
    expect(aboutSetting('apiKey').flag).toBeUndefined();
  });
});

describe('the commented example', () => {
  test('is the defaults', async () => {
    const folder = await mkdtemp(join(cwd, 'folder-'));
    const file = join(folder, 'livestow.yaml');
    await writeFile(file, exampleConfig());
    expect((await load({ cwd: folder })).config).toEqual(
      (await load({ cwd: folder, file: await yaml('') })).config,
    );
  });

  test('names every setting, its flag and its variable', () => {
    const text = exampleConfig();
    for (const key of SETTING_KEYS) {
      const { env, flag } = aboutSetting(key);
      expect(text).toMatch(new RegExp(`^(# )?${key}:`, 'm'));
      expect(text).toContain(env ?? key);
      expect(text).toContain(flag ?? key);
    }
  });
});
