import { readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, afterAll, describe, expect, test } from 'vitest';
import { verifySession, type Verification, type VerifyOptions } from '../../src/archive/verify.ts';
import { decodeManifest, encodeManifest } from '../../src/layout/manifest.ts';
import type { Manifest, Segment } from '../../src/model/manifest.ts';
import {
  buildSession,
  LANDSCAPE,
  PORTRAIT,
  publish,
  tempStore,
  type BuiltSession,
  type TempStore,
} from './fixture.ts';

const OPTIONS: VerifyOptions = { depth: 'decode', ffmpeg: 'ffmpeg' };
const SECOND = 'segments/0001-0001-000002.ts';

let temp: TempStore;
beforeAll(async () => {
  temp = await tempStore();
});
afterAll(() => temp[Symbol.asyncDispose]());

let rooms = 0;
const build = (spec: Parameters<typeof buildSession>[1] = {}): Promise<BuiltSession> =>
  buildSession(temp.store, { roomId: `r${++rooms}`, ...spec });
const pathOf = (built: BuiltSession, key: string): string => join(temp.root, built.prefix, key);
const verify = (built: BuiltSession, options: Partial<VerifyOptions> = {}): Promise<Verification> =>
  verifySession(temp.store, built, { ...OPTIONS, ...options });
const kinds = ({ findings }: Verification): string[] => findings.map(({ kind, key }) => `${kind} ${key}`);

async function flip(path: string, at: number): Promise<void> {
  const bytes = await readFile(path);
  bytes[at] = (bytes[at] ?? 0) ^ 0xff;
  await writeFile(path, bytes);
}

describe('a whole session', () => {
  test.each(['sizes', 'hashes', 'decode'] as const)('%s: nothing is found', async (depth) => {
    const built = await build();
    const progress: [number, number][] = [];
    const result = await verify(built, { depth, onProgress: (done, total) => progress.push([done, total]) });
    expect(result).toMatchObject({ ok: true, sealed: true, depth, segments: 5, pictures: 150, findings: [] });
    expect(progress.at(-1)).toEqual(depth === 'sizes' ? undefined : [result.bytes, result.bytes]);
  });

  test('h265 in fragmented MP4', async () => {
    const built = await build({
      epochs: [
        { ...LANDSCAPE, codec: 'h265' },
        { ...PORTRAIT, codec: 'h265' },
      ],
    });
    expect(await verify(built)).toMatchObject({ ok: true, findings: [], pictures: 150 });
  });

  test('while it is being recorded: what the journals do not know yet is no finding', async () => {
    const built = await build({ state: 'recording' });
    await temp.store.put(`${built.prefix}segments/0001-0002-000003.ts`, { bytes: Buffer.from('newer') });
    expect(await verify(built)).toMatchObject({ ok: true, sealed: false, findings: [], segments: 5 });
  });

  test('after a crash before its first manifest', async () => {
    expect(await verify(await build({ state: 'crashed' }))).toMatchObject({
      ok: true,
      sealed: false,
      segments: 5,
    });
  });
});

describe('damage', () => {
  test.each([
    ['a segment gone', SECOND, 'missing'],
    ['a file gone', 'room.json', 'missing'],
  ])('%s: found at every depth', async (_, key, kind) => {
    const built = await build();
    await rm(pathOf(built, key));
    for (const depth of ['sizes', 'hashes', 'decode'] as const) {
      const result = await verify(built, { depth });
      expect(kinds(result)).toEqual([`${kind} ${key}`]);
      expect(result.ok).toBe(false);
    }
  });

  test('a segment cut short: found at every depth', async () => {
    const built = await build();
    await truncate(pathOf(built, SECOND), 1000);
    for (const depth of ['sizes', 'hashes', 'decode'] as const) {
      const { findings, ok } = await verify(built, { depth });
      expect(findings).toMatchObject([
        { kind: 'truncated', key: SECOND, detail: expect.stringContaining('1000 bytes') },
      ]);
      expect(ok).toBe(false);
    }
  });

  test('one byte changed: found by reading', async () => {
    const built = await build();
    await flip(pathOf(built, SECOND), 5000);
    expect((await verify(built, { depth: 'sizes' })).ok).toBe(true);
    expect(kinds(await verify(built, { depth: 'hashes' }))).toEqual([`altered ${SECOND}`]);
    expect(kinds(await verify(built))).toEqual([`altered ${SECOND}`]);
  });

  test('something behind the end', async () => {
    const built = await build();
    await writeFile(pathOf(built, SECOND), Buffer.alloc(100), { flag: 'a' });
    expect(kinds(await verify(built, { depth: 'sizes' }))).toEqual([`altered ${SECOND}`]);
  });

  test('an init segment changed: it and nothing else, although its segments cannot be decoded without it', async () => {
    const built = await build({ epochs: [{ ...LANDSCAPE, codec: 'h265' }] });
    await flip(pathOf(built, 'segments/0001-0001-init.mp4'), 100);
    expect(kinds(await verify(built))).toEqual(['altered segments/0001-0001-init.mp4']);
  });
});

describe('what was recorded wrongly, although it is what the manifest says', () => {
  /** Says in manifest and journals what is really there now. */
  async function admit(
    built: BuiltSession,
    change: (segment: Segment) => Promise<Partial<Segment>>,
  ): Promise<void> {
    const segments = await Promise.all(
      built.manifest.segments.map(async (s) => Object.assign({}, s, await change(s))),
    );
    await publish(temp.store, { ...built, manifest: { ...built.manifest, segments } });
    for (const n of [1, 2]) {
      const path = pathOf(built, `journal/0001-00000${n}.ndjson`);
      const lines = (await readFile(path, 'utf8')).trimEnd().split('\n');
      const mended = lines.map((line) => {
        const entry = JSON.parse(line) as { type: string; segment?: Segment };
        const segment = segments.find(({ key }) => key === entry.segment?.key);
        return JSON.stringify(segment ? { ...entry, segment } : entry);
      });
      await writeFile(path, `${mended.join('\n')}\n`);
    }
  }

  async function digest(path: string): Promise<Pick<Segment, 'bytes' | 'sha256'>> {
    const { createHash } = await import('node:crypto');
    const bytes = await readFile(path);
    return { bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') };
  }

  test('garbled pictures: the segment is named', async () => {
    const built = await build();
    const path = pathOf(built, SECOND);
    const bytes = await readFile(path);
    // In the payloads of packets that begin no picture: counts stay, pictures do not.
    for (let at = 0; at + 188 <= bytes.length; at += 188) {
      const beginsPes = ((bytes[at + 1] ?? 0) & 0x40) !== 0;
      const isVideo = bytes.readUInt16BE(at + 1) === 0x0100;
      if (isVideo && !beginsPes) bytes.fill(0xa5, at + 40, at + 188);
    }
    await writeFile(path, bytes);
    await admit(built, async ({ key }) => (key === SECOND ? digest(path) : {}));
    expect((await verify(built, { depth: 'hashes' })).findings).toEqual([]);
    const result = await verify(built);
    expect(kinds(result)).toEqual([`undecodable ${SECOND}`]);
    expect(result.ok).toBe(false);
  });

  test('packets lost within a segment are not hidden by the joining', async () => {
    const built = await build();
    const path = pathOf(built, SECOND);
    const bytes = await readFile(path);
    const lost = 188 * 40;
    await writeFile(path, Buffer.concat([bytes.subarray(0, lost), bytes.subarray(lost + 188 * 3)]));
    await admit(built, async ({ key }) => (key === SECOND ? digest(path) : {}));
    expect(kinds(await verify(built)).join()).toMatch(new RegExp(`(undecodable|miscounted) ${SECOND}`));
  });

  test('a count that is not what is there', async () => {
    const built = await build();
    await admit(built, async ({ key, pictures }) => (key === SECOND ? { pictures: pictures + 1 } : {}));
    expect((await verify(built)).findings).toMatchObject([
      { kind: 'miscounted', key: SECOND, detail: expect.stringContaining('30 pictures') },
    ]);
  });

  test('something that is no media at all', async () => {
    const built = await build();
    const path = pathOf(built, SECOND);
    await writeFile(path, '<html>Access denied</html>'.repeat(10_000));
    await admit(built, async ({ key }) => (key === SECOND ? digest(path) : {}));
    expect(kinds(await verify(built))).toEqual([`undecodable ${SECOND}`]);
  });
});

describe('the manifest and the journals', () => {
  const rewrite = async (
    built: BuiltSession,
    change: (manifest: Manifest) => Partial<Manifest>,
  ): Promise<void> => {
    const path = pathOf(built, 'manifest.json');
    const manifest = decodeManifest(await readFile(path, 'utf8'), 'manifest.json');
    await writeFile(path, encodeManifest({ ...manifest, ...change(manifest) }));
  };

  test('a torn manifest is damage, and the rest is verified by the journals', async () => {
    const built = await build();
    await truncate(pathOf(built, 'manifest.json'), 200);
    const result = await verify(built, { depth: 'hashes' });
    expect(result.findings.filter(({ damage }) => damage)).toMatchObject([
      { kind: 'manifest', key: 'manifest.json' },
    ]);
    expect(result).toMatchObject({ ok: false, segments: 5 });
  });

  test('a manifest from which a segment was cut says less than the journals', async () => {
    const built = await build();
    await rewrite(built, ({ segments }) => ({ segments: segments.filter(({ key }) => key !== SECOND) }));
    expect(kinds(await verify(built, { depth: 'hashes' }))).toEqual([
      `journals ${SECOND}`,
      `stray ${SECOND}`,
    ]);
  });

  test('a manifest that says something else than the journals', async () => {
    const built = await build();
    await rewrite(built, ({ segments }) => ({
      segments: segments.map((s) => ({ ...s, pictures: s.pictures + 1 })),
    }));
    expect(kinds(await verify(built, { depth: 'sizes' }))).toHaveLength(5);
  });

  test('neither manifest nor journals can be read', async () => {
    const built = await build();
    await truncate(pathOf(built, 'manifest.json'), 200);
    await writeFile(pathOf(built, 'journal/0001-000001.ndjson'), 'what?\n');
    expect(await verify(built)).toMatchObject({ ok: false, segments: 0, findings: [{ kind: 'manifest' }] });
  });

  test('neither is there in the first seconds of a recording', async () => {
    const built = { handle: 'alice', session: '20261122T140307Z-first' };
    const key = `creators/alice/${built.session}/segments/0001-0001-000001.ts`;
    await temp.store.put(key, { bytes: Buffer.from('x') });
    expect(await verifySession(temp.store, built, OPTIONS)).toMatchObject({
      ok: true,
      findings: [{ kind: 'begun' }],
    });
  });

  test.each([
    ['gone', async (folder: string) => rm(folder, { recursive: true })],
    ['torn', async (folder: string) => writeFile(join(folder, '0001-000001.ndjson'), 'what?\n')],
  ])('journals %s', async (_, spoil) => {
    const built = await build();
    await spoil(pathOf(built, 'journal'));
    expect(kinds(await verify(built, { depth: 'sizes' }))).toEqual(['journals journal/']);
  });
});

test('what is derived or does not belong there is told and is no damage', async () => {
  const built = await build();
  await rm(pathOf(built, 'index.m3u8'));
  await temp.store.put(`${built.prefix}segments/0009-0001-000001.ts`, { bytes: Buffer.from('x') });
  await temp.store.put(`${built.prefix}notes.txt`, { bytes: Buffer.from('x') });
  const result = await verify(built, { depth: 'sizes' });
  expect(kinds(result)).toEqual([
    'derived index.m3u8',
    'stray notes.txt',
    'stray segments/0009-0001-000001.ts',
  ]);
  expect(result.ok).toBe(true);
});

describe('ends', () => {
  test('without ffmpeg', async () => {
    await expect(verify(await build(), { ffmpeg: '/no/such/ffmpeg' })).rejects.toMatchObject({
      code: 'FFMPEG_MISSING',
    });
  });

  test('when asked to stop, with the reason', async () => {
    const stop = new AbortController();
    const reason = new Error('enough');
    const onProgress = (): void => stop.abort(reason);
    await expect(verify(await build(), { onProgress, signal: stop.signal })).rejects.toBe(reason);
  });

  test('for a session that is not there', async () => {
    const ref = { handle: 'alice', session: '20261122T140307Z-none' };
    await expect(verifySession(temp.store, ref, OPTIONS)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
});
