/** Jobs in the config file: what is taken, and that what is wrong is told with its place. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import type { Jobs } from '../../src/config/jobs.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'livestow-config-'));
});
afterAll(() => rm(folder, { recursive: true }));

let files = 0;
async function jobsOf(text: string): Promise<Jobs> {
  const file = join(folder, `config-${(files += 1)}.yaml`);
  await writeFile(file, text);
  const { config } = await loadConfig({ flags: {}, env: {}, cwd: folder, file });
  return config.jobs;
}

/** What is wrong, without the file's name. */
async function complaint(text: string): Promise<string> {
  try {
    await jobsOf(text);
  } catch (error) {
    return (error as Error).message.replace(/^.*?config-\d+\.yaml:/, ':');
  }
  throw new Error('was accepted');
}

test('each kind, with what it says by default', async () => {
  const jobs = await jobsOf(`
groups: { vip: {} }
jobs:
  room: { kind: prune, cron: '@daily', timeZone: Europe/Berlin, groups: [vip], olderThan: 90d, maxSize: 500GB }
  check: { kind: verify, cron: '0 3 * * *' }
  check-all: { kind: verify, cron: '@monthly', sample: 100%, decode: true, creators: ['@Alice'] }
  check-some: { kind: verify, cron: '@daily', sample: 20, paused: true }
  films: { kind: export, cron: '@hourly', to: films, since: 2026-11-22 }
  copy: { kind: mirror, cron: '@hourly', to: 's3://copies/archive' }
  index: { kind: reindex, cron: '@weekly' }
  news: { kind: digest, cron: '0 8 * * *' }
`);
  const scheduled = { cron: '@daily', paused: false };
  expect(jobs).toEqual({
    room: {
      ...scheduled,
      kind: 'prune',
      timeZone: 'Europe/Berlin',
      groups: ['vip'],
      olderThan: 90 * 86_400_000,
      maxSize: 500e9,
      keepAtLeast: 0,
    },
    check: { kind: 'verify', cron: '0 3 * * *', paused: false, sample: { share: 0.05 }, decode: false },
    'check-all': {
      kind: 'verify',
      cron: '@monthly',
      paused: false,
      sample: { share: 1 },
      decode: true,
      creators: ['alice'],
    },
    'check-some': { ...scheduled, kind: 'verify', paused: true, sample: { sessions: 20 }, decode: false },
    films: { kind: 'export', cron: '@hourly', paused: false, to: join(folder, 'films'), since: '2026-11-22' },
    copy: { kind: 'mirror', cron: '@hourly', paused: false, to: 's3://copies/archive' },
    index: { kind: 'reindex', cron: '@weekly', paused: false },
    news: { kind: 'digest', cron: '0 8 * * *', paused: false, period: 86_400_000 },
  });
});

test('the example of docs/operations.md', async () => {
  const page = await readFile(new URL('../../docs/operations.md', import.meta.url), 'utf8');
  const [, example = ''] = /```yaml\n(jobs:\n[^]*?)```/.exec(page) ?? [];
  const jobs = await jobsOf(`groups: { vip: {} }\n${example}`);
  expect(Object.values(jobs).map(({ kind }) => kind)).toEqual([
    'prune',
    'verify',
    'export',
    'mirror',
    'reindex',
    'digest',
  ]);
});

describe('what is wrong is told with its path and line', () => {
  test.each<[what: string, job: string, message: RegExp]>([
    ['no kind', 'cron: "@daily"', /^:2: jobs\.nightly\.kind: a job needs a kind: prune, /],
    ['an unknown kind', 'kind: polish', /^:3: jobs\.nightly\.kind: a job needs a kind: prune, /],
    ['no cron', 'kind: reindex', /^:2: jobs\.nightly\.cron: is missing$/],
    [
      'no cron expression',
      'kind: reindex\n    cron: at night',
      /^:4: jobs\.nightly\.cron: "at night" is not/,
    ],
    [
      'no time zone',
      'kind: reindex\n    cron: "@daily"\n    timeZone: Mars',
      /^:5: jobs\.nightly\.timeZone: /,
    ],
    [
      'a mistyped key',
      'kind: prune\n    cron: "@daily"\n    oldrThan: 3d\n    maxSize: 1GB',
      /^:5: jobs\.nightly\.oldrThan: unknown key; did you mean olderThan\?$/,
    ],
    [
      'a key of another kind',
      'kind: verify\n    cron: "@daily"\n    to: elsewhere',
      /^:5: jobs\.nightly\.to: unknown key; known are kind, cron, /,
    ],
    ['a prune without a limit', 'kind: prune\n    cron: "@daily"', /^:2: jobs\.nightly: has no limit: give /],
    [
      'nobody',
      'kind: verify\n    cron: "@daily"\n    creators: []',
      /^:5: jobs\.nightly\.creators: an empty/,
    ],
    [
      'a group that is not there',
      'kind: verify\n    cron: "@daily"\n    groups:\n      - vip',
      /^:6: jobs\.nightly\.groups\[0\]: there is no group "vip"; groups has none$/,
    ],
    ['no place', 'kind: mirror\n    cron: "@daily"', /^:2: jobs\.nightly\.to: is missing$/],
    [
      'no sample',
      'kind: verify\n    cron: "@daily"\n    sample: 0',
      /^:5: jobs\.nightly\.sample: not a sample: /,
    ],
    [
      'no share',
      'kind: verify\n    cron: "@daily"\n    sample: 0%',
      /^:5: jobs\.nightly\.sample: not a sample: /,
    ],
    [
      'no date',
      'kind: export\n    cron: "@daily"\n    to: x\n    since: soon',
      /^:6: jobs\.nightly\.since: neither/,
    ],
  ])('%s', async (_what, job, message) => {
    expect(await complaint(`jobs:\n  nightly:\n    ${job}\n`)).toMatch(message);
  });

  test('a name that can be no file’s', async () => {
    expect(await complaint('jobs:\n  ../x: { kind: reindex, cron: "@daily" }\n')).toMatch(
      /^:2: jobs\.\.\.\/x: not a name for a job/,
    );
  });
});
