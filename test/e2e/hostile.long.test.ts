/** Who means harm: what a creator may write, and where an address may lead. The broadcast is recorded all the same. */
import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test, vi } from 'vitest';
import { serve } from '../net/servers.ts';
import { filesIn } from './archive-copy.ts';
import { startFront } from './front.ts';
import { World, WORLD_TIMEOUT_MS } from './world.ts';

vi.setConfig({ testTimeout: 2 * WORLD_TIMEOUT_MS });

const OK = { code: 0, signal: null };
/** Line ends apart: clears the screen, colours, C1, NUL, turns the line around. */
// oxlint-disable-next-line no-control-regex
const UNSAFE = /[\u0000-\u0009\u000B-\u001F\u007F-\u009F\u061C\u200E\u200F\u2028-\u202E\u2066-\u2069]/;
const HOSTILE =
  '../../../etc/x\u0000\r\nx-amz-acl: public-read\r\n\r\n\u001B[2J\u001B]0;owned\u0007\u009B31m\u202Egpj\n#EXTM3U\nfile:///etc/passwd</title><script>alert(1)</script>\uD83D';

test.concurrent('titles, names, room ids and quality keys', { tags: 'hostile-text' }, async () => {
  const env: Record<string, string> = { LIVESTOW_SAMPLE_INTERVAL: '1s', LIVESTOW_LOG_LEVEL: 'trace' };
  await using world = await World.open({ alice: { durationMs: 10_000 }, env });
  await using front = await startFront(world.sandbox.apiUrl, {
    look: ({ data }, n) => {
      if (!data.live || !data.profile) return;
      Object.assign(data.profile, { displayName: HOSTILE, bio: HOSTILE, platformUserId: HOSTILE });
      const title = n % 2 === 0 ? `${n} ${HOSTILE}` : `${n} ${'\u202E'.repeat(3_000_000)}`;
      Object.assign(data.live, { title, roomId: `${HOSTILE}1` });
      const [good] = data.live.streams;
      data.live.streams = Array.from({ length: 300 }, () => ({
        ...good,
        qualityKey: HOSTILE,
        qualityLabel: HOSTILE,
      }));
    },
  });
  // Names that ffmpeg could take for options, patterns, protocols; and a shell for more.
  const [store, spool] = ['-ar %d file:x|$(id)', '-sp %05d concat:a|b'].map((name) =>
    join(world.folder, name),
  );
  Object.assign(env, { LIVESTOW_API_URL: front.url, LIVESTOW_STORE: store, LIVESTOW_SPOOL: spool });
  const run = await world.record();
  expect(await run.exited).toEqual(OK);
  expect(run.stdout).toContain('sealed');
  expect(run.stdout + run.stderr).not.toMatch(UNSAFE);
  expect(run.stdout + run.stderr).toContain('owned');

  const keys = await filesIn(store ?? '');
  expect(keys.filter((key) => !/^[A-Za-z0-9._/~@-]+$/.test(key))).toEqual([]);
  const sizeOf = async (name: string): Promise<number> => {
    const key = keys.find((each) => basename(each) === name);
    return (await readFile(join(store ?? '', key ?? name))).length;
  };
  expect(await sizeOf('summary.json')).toBeLessThanOrEqual(4_096);
  expect(await sizeOf('manifest.json')).toBeLessThan(64_000);
  expect(await sizeOf('room.json')).toBeLessThan(1_300_000);
  expect(await sizeOf('poster.jpg')).toBeGreaterThan(100);
  expect(keys.filter((key) => key.includes('/segments/')).length).toBeGreaterThan(2);

  const commands = [
    ['verify'],
    ['ls'],
    ['ls', '--json'],
    ['show', '@alice'],
    ['show', '@alice', '--json'],
    ['export', '@alice', '-o', '-weird %03d.mp4'],
    ['export', '@alice', '-o', 'file:concat:a|b.mp4'],
  ];
  for (const command of commands) {
    const { exited } = world.livestow(...command);
    expect(await exited, command.join(' ')).toEqual(OK);
  }
  expect(world.runs.map(({ stdout, stderr }) => stdout + stderr).join('')).not.toMatch(UNSAFE);
  const exported = (await readdir(world.folder)).filter((name) => name.endsWith('.mp4'));
  expect(exported.sort()).toEqual(['-weird %03d.mp4', 'file:concat:a|b.mp4']);
  for (const name of exported)
    await promisify(execFile)('ffmpeg', [
      '-v',
      'error',
      '-xerror',
      '-i',
      `file:${join(world.folder, name)}`,
      '-f',
      'null',
      '-',
    ]);
});

test.concurrent(
  'addresses and playlists that lead where they must not: never asked, told, and the next variant is recorded',
  { tags: ['hostile-address', 'hostile-playlist', 'variant-lost'] },
  async () => {
    const insideAsked: string[] = [];
    await using inside = await serve((request, response) => {
      insideAsked.push(request.url ?? '');
      response.end('secret');
    }, '127.0.0.2');
    const playlist = (...lines: string[]): string =>
      ['#EXTM3U', '#EXT-X-TARGETDURATION:1', ...lines, ''].join('\n');
    const segment = (uri: string): string[] => ['#EXTINF:1,', uri];
    const playlists: Record<string, () => string | Buffer> = {
      '/inside.m3u8': () => playlist(...segment(`${inside.url}/0.ts`)),
      '/file.m3u8': () => playlist(...segment('file:///etc/passwd')),
      '/concat.m3u8': () => playlist(...segment('concat:/etc/passwd|/etc/group')),
      '/key.m3u8': () => playlist(`#EXT-X-KEY:METHOD=AES-128,URI="${inside.url}/key"`, ...segment('0.ts')),
      '/map.m3u8': () => playlist(`#EXT-X-MAP:URI="${inside.url}/init.mp4"`, ...segment('0.ts')),
      '/master.m3u8': () => `#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n${inside.url}/1.m3u8\n`,
      '/endless.m3u8': () => '#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nendless.m3u8\n',
      '/huge.m3u8': () => Buffer.concat([Buffer.from('#EXTM3U\n'), Buffer.alloc(100 * 1024 * 1024, '#')]),
    };
    const env: Record<string, string> = {};
    await using world = await World.open({ alice: { durationMs: 14_000 }, env });
    await using front = await startFront(world.sandbox.apiUrl, {
      look: ({ data }) => {
        if (!data.live || !data.profile) return;
        data.live['coverUrl'] = `${front.url}/to-inside`;
        data.profile['avatarUrl'] = `${inside.url}/avatar.jpg`;
        const [good] = data.live.streams;
        const bare = { ...good, qualityKey: 'origin', flvUrl: undefined };
        const flv = [
          `${inside.url}/a.flv`,
          inside.url.replace('127.0.0.2', '[::ffff:127.0.0.2]'),
          inside.url.replace('127.0.0.2', '0x7f000002'),
          inside.url.replace('//', '//127.0.0.1@'),
          `${front.url}/to-inside`,
          'file:///etc/passwd',
          'concat:/etc/passwd|/etc/group',
        ];
        data.live.streams = [
          ...flv.map((flvUrl) => ({ ...bare, flvUrl })),
          ...Object.keys(playlists).map((path) => ({ ...bare, hlsUrl: front.url + path })),
          { ...good, qualityKey: 'ld' },
        ];
      },
      answer: (request, response) => {
        const path = request.url ?? '';
        const made = playlists[path];
        if (made) response.end(made());
        else if (path === '/to-inside')
          response.writeHead(302, { location: `${inside.url}/redirected` }).end();
        return made !== undefined || path === '/to-inside';
      },
    });
    env['LIVESTOW_API_URL'] = front.url;
    const run = await world.record();
    const variants = world.livestow('variants', 'alice');
    await variants.exited;
    expect(await run.exited).toEqual(OK);

    expect(insideAsked).toEqual([]);
    for (const path of [...Object.keys(playlists), '/to-inside']) expect(front.asked).toContain(path);
    const codes = run.entries.flatMap(({ err }) => (err as { code?: string } | undefined)?.code ?? []);
    expect(codes).toEqual(
      expect.arrayContaining(['MEDIA_FORBIDDEN_HOST', 'MEDIA_NOT_MEDIA', 'MEDIA_UNSUPPORTED']),
    );
    expect(run.stderr).toContain('--media-hosts 127.0.0.2');
    expect(variants.stdout).toContain('its address is neither http nor https');

    const { manifest, folder } = await world.session();
    expect(new Set(manifest.epochs.map(({ variant }) => variant.qualityKey))).toEqual(new Set(['ld']));
    expect(manifest.coverage.ratio).toBeGreaterThan(0.8);
    expect(await readdir(folder)).not.toContain('cover.jpg');
    const verify = world.livestow('verify');
    expect(await verify.exited).toEqual(OK);
    expect(await world.leaks()).toEqual([]);
    expect(await world.leftRunning()).toEqual([]);
  },
);
