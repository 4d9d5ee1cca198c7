/** The daemon: many creators in one process, a config that changes under it, and its end. */
import { rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { momentAfterGop } from './cut.ts';
import { expectFaithfulSession } from './faithful.ts';
import type { LivestowProcess } from './livestow-process.ts';
import { API_KEY, World, WORLD_TIMEOUT_MS } from './world.ts';

vi.setConfig({ testTimeout: WORLD_TIMEOUT_MS });

const small = { variants: [{ media: 'small' as const }] };

/** As an editor does it: another file in its place. */
async function configure(world: World, text: string): Promise<void> {
  await writeFile(join(world.folder, 'new.yaml'), text);
  await rename(join(world.folder, 'new.yaml'), join(world.folder, 'livestow.yaml'));
}

const openWorld = (): Promise<World> => World.open({ scenario: { creators: { bob: small, carol: small } } });

const said = (run: LivestowProcess, msg: string): Promise<unknown> =>
  run.until(msg, ({ entries }) => entries.some((entry) => entry.msg === msg));

const sealed = (run: LivestowProcess, handle: string): Promise<unknown> =>
  run.until(`${handle} is sealed`, ({ entries }) =>
    entries.some((entry) => entry.msg === 'sealed' && entry['handle'] === handle),
  );

test.concurrent('an edit of the config brings creators and takes them away, and cuts no recording', async () => {
  await using world = await openWorld();
  await configure(world, 'creators: [alice, carol]\n');
  const run = world.livestow('serve');
  await Promise.all([world.lookups(1), world.lookups(1, 'carol')]);
  world.sandbox.goLive('alice');
  await world.gopSent(1);
  await configure(world, 'creators:\n  - carol\n  - handle: bob\n    priority: 5\n');
  await world.lookups(1, 'bob');
  world.sandbox.goLive('bob');
  await momentAfterGop(world, 4, 0);
  world.sandbox.end('bob');
  await sealed(run, 'bob');
  world.sandbox.end('alice');
  await sealed(run, 'alice');
  const reloaded = run.entries.find(({ msg }) => msg === 'the config file was read again');
  expect(reloaded).toMatchObject({ added: ['bob'], removed: ['alice'], changed: [], waiting: [] });
  run.kill('SIGINT');
  expect(await run.exited).toEqual({ code: 130, signal: null });
  const { pictures } = await expectFaithfulSession(world, { endCause: 'room-ended' });
  expect(pictures.first).toBe(0);
});

test.concurrent('a bad edit is refused with its line, and what was in force stays; SIGHUP has it read again', async () => {
  await using world = await openWorld();
  await configure(world, 'creators: [carol]\n');
  const run = world.livestow('serve');
  await world.lookups(1, 'carol');
  await configure(world, 'creators:\n  - carol\n  - not a handle\n');
  await said(run, 'the config file is refused; what was in force stays');
  expect(run.stderr).toContain('livestow.yaml:3: creators[1]: not a handle');
  await configure(world, 'creators: [carol, bob]\nspool: /elsewhere\n');
  await world.lookups(1, 'bob');
  run.kill('SIGHUP');
  await said(run, 'the config file was read again: nothing changed');
  const looks = world.sandbox.events.filter(
    (event) => event.type === 'lookup' && event.handle === 'carol',
  ).length;
  await world.lookups(looks + 1, 'carol');
  run.kill('SIGINT');
  expect(await run.exited).toEqual({ code: 130, signal: null });
});

test.concurrent('a file that is gone, emptied, or names a store that is none is refused, and recordings go on', async () => {
  await using world = await openWorld();
  await configure(world, 'creators: [bob, carol]\n');
  const run = world.livestow('serve');
  world.sandbox.goLive('bob');
  const refusals = (most: number) =>
    run.until(`${most} refusals`, ({ entries }) => {
      const refused = entries.filter(
        ({ msg }) => msg === 'the config file is refused; what was in force stays',
      );
      return refused.length >= most;
    });
  await run.until('bob is recorded', ({ entries }) => entries.some(({ event }) => event === 'media'));
  await rm(join(world.folder, 'livestow.yaml'));
  await refusals(1);
  await configure(world, '');
  await refusals(2);
  await configure(world, 'creators: [carol, { handle: bob, store: "s3://" }]\n');
  await refusals(3);
  expect(run.stderr).toContain('there is no config file');
  expect(run.stderr).toContain('livestow.yaml is empty');
  expect(run.stderr).toContain('livestow.yaml:1: creators[1].store: the S3 store');
  await configure(world, 'creators: [bob, carol]\n');
  await said(run, 'the config file was read again: nothing changed');
  run.kill('SIGINT');
  expect(await run.exited).toEqual({ code: 130, signal: null });
});

test.concurrent('another key in the config file is used without a restart; a file without one is refused', async () => {
  await using world = await World.open({
    scenario: { creators: { bob: small, carol: small } },
    env: { LIVESTOW_API_KEY: '' },
  });
  await configure(world, 'apiKey: sfk_refused\ncreators: [bob, carol]\n');
  const run = world.livestow('serve');
  await said(run, 'nobody is looked up any more: the lookup API refuses the key');
  await configure(world, 'creators: [bob, carol]\n');
  await said(run, 'the config file is refused; what was in force stays');
  await configure(world, `apiKey: ${API_KEY}\ncreators: [bob, carol]\n`);
  const isAnswered = (handle: string) =>
    world.happens(
      `${handle} is found`,
      (event) => event.type === 'lookup' && event.handle === handle && event.status === 200,
    );
  await Promise.all([isAnswered('bob'), isAnswered('carol')]);
  run.kill('SIGINT');
  expect(await run.exited).toEqual({ code: 130, signal: null });
  const told = run.entries.map(({ msg }) => msg);
  expect(
    told.filter((msg) => msg === 'nobody is looked up any more: the lookup API refuses the key'),
  ).toHaveLength(1);
  expect(told).not.toContain('watching failed; it is tried again');
});

test.concurrent('a key in the config file that the variable hides is told at the start, and when it is another', async () => {
  await using world = await openWorld();
  await configure(world, 'apiKey: sfk_other\ncreators: [bob]\n');
  const run = world.livestow('serve');
  const hidden = (times: number) =>
    run.until(`${times} times`, ({ entries }) => {
      const told = entries.filter(({ msg }) =>
        msg?.startsWith('the key of LIVESTOW_API_KEY is used, and not the other one of'),
      );
      return told.length === times;
    });
  await hidden(1);
  await configure(world, 'apiKey: sfk_other\ncreators: [bob, carol]\n');
  await world.lookups(1, 'carol');
  await hidden(1);
  await configure(world, 'apiKey: sfk_another\ncreators: [bob, carol]\n');
  await hidden(2);
  expect(run.stderr).not.toMatch(/sfk_(?:other|another)/);
  run.kill('SIGINT');
  expect(await run.exited).toEqual({ code: 130, signal: null });
});

test.concurrent(
  'SIGTERM drains all of them: the next start goes on, and nothing is lost',
  { tags: 'drained' },
  async () => {
    await using world = await openWorld();
    await configure(world, 'creators: [alice, bob]\n');
    const first = world.livestow('serve');
    await Promise.all([world.lookups(1), world.lookups(1, 'bob')]);
    world.sandbox.goLive('bob');
    world.sandbox.goLive('alice');
    await momentAfterGop(world, 2, 900);
    const atMs = Date.now();
    first.kill('SIGTERM');
    expect(await first.exited).toEqual({ code: 0, signal: null });
    const next = world.livestow('serve');
    await next.until('both go on', ({ entries }) => {
      const going = new Set(entries.flatMap((entry) => (entry.event === 'media' ? [entry['handle']] : [])));
      return going.has('alice') && going.has('bob');
    });
    await world.gopSent(world.gopsSent + 2);
    world.sandbox.end('alice');
    world.sandbox.end('bob');
    await Promise.all([sealed(next, 'alice'), sealed(next, 'bob')]);
    next.kill('SIGTERM');
    expect(await next.exited).toEqual({ code: 0, signal: null });
    await expectFaithfulSession(world, {
      endCause: 'room-ended',
      gaps: 'recorder-down',
      cutAtMs: [atMs],
      drains: 1,
      epochs: 'h264 360x640',
    });
  },
);

test.concurrent.for<[who: string, entry: string, ...elsewhere: string[]]>([
  ['somebody who is not listed any more is shipped and sealed', 'carol'],
  [
    'somebody who is paused is, in the store of her own',
    '{ handle: alice, store: STORE, paused: true }',
    '--store',
    'elsewhere',
  ],
])('what lies in the spool of %s', async ([, entry, ...elsewhere]) => {
  await using world = await openWorld();
  const recorder = await world.record();
  await momentAfterGop(world, 2, 0);
  recorder.kill('SIGKILL');
  await recorder.exited;
  const atMs = Date.now();
  world.sandbox.end('alice');
  const store = world.surroundings.env['LIVESTOW_STORE'] ?? '';
  await configure(world, `creators: [bob, ${entry.replace('STORE', store)}]\n`);
  const run = world.livestow('serve', ...elsewhere);
  await said(run, 'recovered');
  run.kill('SIGINT');
  expect(await run.exited).toEqual({ code: 130, signal: null });
  await expectFaithfulSession(world, {
    endCause: 'interrupted',
    cutAtMs: [atMs],
    epochs: 'h264 360x640',
    gaps: [],
  });
});

test.concurrent('recover ships what lies there of a creator with a store of its own into that', async () => {
  await using world = await openWorld();
  const recorder = await world.record();
  await momentAfterGop(world, 2, 0);
  recorder.kill('SIGKILL');
  await recorder.exited;
  const atMs = Date.now();
  const store = world.surroundings.env['LIVESTOW_STORE'] ?? '';
  await configure(world, `creators: [{ handle: alice, store: "${store}" }]\n`);
  const recover = world.livestow('recover', '--store', 'elsewhere');
  expect(await recover.exited).toEqual({ code: 0, signal: null });
  await expectFaithfulSession(world, {
    endCause: 'interrupted',
    cutAtMs: [atMs],
    epochs: 'h264 360x640',
    gaps: [],
  });
});
