import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { describe, expect, onTestFinished, test } from 'vitest';
import { FLV_HEADER } from '../../src/media/flv.ts';
import type { MediaPacket } from '../../src/media/packet.ts';
import { isTailDamaged, KEPT_MS, readTail, removeTail } from '../../src/spool/tail.ts';
import { TailWriter } from '../../src/spool/tail-writer.ts';
import { limitFiles } from './full-disk.ts';
import { audio, GOP_MS, media, nameOf, state, variant, video } from './numbered-media.ts';
import { scratchFolder } from './scratch.ts';

async function tailIn(
  folder: string,
  { term = 1, onError }: { term?: number; onError?: (error: unknown) => void } = {},
): Promise<TailWriter> {
  const tail = new TailWriter(
    folder,
    term,
    onError ??
      ((error) => {
        throw error;
      }),
  );
  tail.beginEpoch(1, variant, video, audio);
  onTestFinished(() => tail.close());
  return tail;
}

async function write(tail: TailWriter, packets: readonly MediaPacket[]): Promise<void> {
  for (const packet of packets) tail.append(packet, () => state(packet.dtsMs));
  await tail.flush();
}

const namesOf = async (folder: string): Promise<string[]> =>
  (await readTail(folder))?.units.filter((unit) => !('record' in unit)).map(nameOf) ?? [];

describe('the tail', () => {
  test('gives back what was written, with configurations and the state of the line', async () => {
    const folder = await scratchFolder();
    const tail = await tailIn(folder, { term: 2 });
    const packets = media(0, 3_500);
    await write(tail, packets);
    await tail.close();
    const read = await readTail(folder);
    expect(await namesOf(folder)).toEqual(packets.map(nameOf));
    expect(read?.units[0]).toEqual(video);
    expect(read?.units[1]).toEqual(audio);
    expect(read).toMatchObject({ firstTerm: 2, variant, state: state(63_000) });
    expect(await readdir(folder)).toHaveLength(4);
  });

  test('is empty at first', async () => {
    expect(await readTail(await scratchFolder())).toBeUndefined();
  });

  test('lets go of what is closed, but for the last half minute', async () => {
    const folder = await scratchFolder();
    const tail = await tailIn(folder);
    await write(tail, media(0, KEPT_MS + 3 * GOP_MS + 200));
    await tail.packetsAfter(1, Infinity);
    const files = (await readdir(folder)).sort();
    await tail.closedUpTo(60_000 + 2 * GOP_MS - 40);
    expect((await readdir(folder)).sort()).toEqual(files.slice(2));
    await tail.closedUpTo(Infinity);
    expect((await readdir(folder)).sort()).toEqual(files.slice(3));
  });

  test('feeds an engine with what no segment holds', async () => {
    const folder = await scratchFolder();
    const tail = await tailIn(folder);
    const packets = media(0, 3 * GOP_MS + 200);
    await write(tail, packets);
    const after = await tail.packetsAfter(1, 60_000 + 2 * GOP_MS - 40);
    expect(after.map(nameOf)).toEqual(
      packets.filter(({ dtsMs }) => dtsMs >= 60_000 + 2 * GOP_MS).map(nameOf),
    );
    expect((await tail.packetsAfter(1, -Infinity)).map(nameOf)).toEqual(packets.map(nameOf));
    expect(await tail.packetsAfter(2, -Infinity)).toEqual([]);
  });

  test('keeps epochs apart', async () => {
    const folder = await scratchFolder();
    const tail = await tailIn(folder);
    await write(tail, media(0, 1_500));
    tail.beginEpoch(2, variant, video, null);
    const second = media(2_000, 2_500, { audio: false });
    await write(tail, second);
    expect((await tail.packetsAfter(2, -Infinity)).map(nameOf)).toEqual(second.map(nameOf));
  });

  test('keeps what is to be replaced until something stands in its place', async () => {
    const folder = await scratchFolder();
    const tail = await tailIn(folder);
    const packets = media(0, 2 * GOP_MS);
    await write(tail, packets);
    await tail.packetsAfter(1, -Infinity);
    tail.drop(1, 60_000 + GOP_MS);
    // Whoever reads it now, after a kill, has all of it; the recorder itself reckons without it.
    expect(await namesOf(folder)).toEqual(packets.map(nameOf));
    expect((await tail.packetsAfter(1, -Infinity)).map(nameOf)).toEqual(media(0, GOP_MS).map(nameOf));
    tail.beginEpoch(2, variant, video, audio);
    const second = media(GOP_MS, 2 * GOP_MS);
    await write(tail, second);
    expect((await tail.packetsAfter(2, -Infinity)).map(nameOf)).toEqual(second.map(nameOf));
    expect(await readdir(folder)).toHaveLength(2);
  });

  test('of sound alone: cut every two seconds, and closed to the frame', async () => {
    const folder = await scratchFolder();
    const tail = new TailWriter(folder, 1, () => {});
    onTestFinished(() => tail.close());
    tail.beginEpoch(1, variant, null, audio);
    const packets = media(0, 7_000, { video: false });
    await write(tail, packets);
    expect((await tail.packetsAfter(1, -Infinity)).map(nameOf)).toEqual(packets.map(nameOf));
    expect(await readdir(folder)).toHaveLength(4);
    // A segment ends in the middle of a file.
    const closedMs = packets[100]!.dtsMs;
    await tail.closedUpTo(closedMs);
    const rest = packets.filter(({ dtsMs }) => dtsMs > closedMs);
    expect((await tail.packetsAfter(1, closedMs)).map(nameOf)).toEqual(rest.map(nameOf));
  });

  test('of earlier terms goes when it is told to', async () => {
    const folder = await scratchFolder();
    for (const term of [1, 2, 3]) await write(await tailIn(folder, { term }), media(0, 200));
    const latest = await tailIn(folder, { term: 4 });
    await write(latest, media(200, 400));
    await latest.packetsAfter(1, 0);
    expect((await readTail(folder))?.firstTerm).toBe(1);
    await removeTail(folder, 4);
    expect(await readdir(folder)).toEqual(['0004-000001.flv']);
  });

  test('comes in order though the numbers outgrow their width', async () => {
    const folder = await scratchFolder();
    for (const term of [10_000, 9_999]) {
      const tail = await tailIn(folder, { term });
      await write(tail, media(term === 10_000 ? 1_000 : 0, term === 10_000 ? 1_200 : 200));
      await tail.close();
    }
    expect(await namesOf(folder)).toEqual([...media(0, 200), ...media(1_000, 1_200)].map(nameOf));
  });
});

describe('a crash', () => {
  test('that tore the newest file at any byte leaves every whole packet', async () => {
    const folder = await scratchFolder();
    const tail = await tailIn(folder);
    const packets = media(0, GOP_MS + 130);
    await write(tail, packets);
    await tail.close();
    const path = join(folder, '0001-000002.flv');
    const bytes = await readFile(path);
    const firstGop = packets.filter(({ dtsMs }) => dtsMs < 60_000 + GOP_MS).length;
    let before = 0;
    for (let length = 0; length <= bytes.length; length += 1) {
      await truncate(path, length);
      const names = await namesOf(folder);
      expect(names).toEqual(packets.slice(0, names.length).map(nameOf));
      expect(names.length).toBeGreaterThanOrEqual(Math.max(firstGop, before));
      before = names.length;
      await writeFile(path, bytes);
    }
    expect(before).toBe(packets.length);
  });

  test(
    'that left a hole anywhere in a file: nothing behind it counts, and it is told from a torn end',
    { tags: 'power-cut' },
    async () => {
      const folder = await scratchFolder();
      const tail = await tailIn(folder);
      const packets = media(0, 500);
      await write(tail, packets);
      await tail.close();
      const path = join(folder, '0001-000001.flv');
      const bytes = await readFile(path);
      expect(await isTailDamaged(path)).toBe(false);
      for (let at = FLV_HEADER.length; at < bytes.length - 40; at += 7) {
        const holed = Buffer.from(bytes);
        for (let i = at; i < at + 3; i += 1) holed[i] = holed[i]! ^ 0xff;
        await writeFile(path, holed);
        const names = await namesOf(folder);
        expect(names.length).toBeLessThan(packets.length + 1);
        expect(names).toEqual(packets.slice(0, names.length).map(nameOf));
      }
      await writeFile(path, Buffer.from(bytes).fill(0, 800, 900));
      expect(await isTailDamaged(path)).toBe(true);
    },
  );

  test(
    'of the process, by kill -9 at any moment: what was flushed is there',
    { tags: 'killed' },
    async () => {
      const program = fileURLToPath(new URL('endless-tail.ts', import.meta.url));
      for (const lines of [1, 3, 12, 40]) {
        const folder = await scratchFolder();
        const child = spawn(process.execPath, [program, folder], { stdio: ['ignore', 'pipe', 'inherit'] });
        let written = 0;
        let seen = 0;
        for await (const line of createInterface(child.stdout)) {
          written = Number(line);
          seen += 1;
          if (seen === lines) child.kill('SIGKILL');
        }
        if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
        const names = await namesOf(folder);
        expect(written).toBeGreaterThan(0);
        expect(names.length).toBeGreaterThanOrEqual(written);
        expect(names).toEqual(media(0, 100_000).slice(0, names.length).map(nameOf));
      }
    },
  );
});

describe('a disk that cannot be written', () => {
  test('is told once; the next GOP is written again', async () => {
    const folder = await scratchFolder();
    const errors: unknown[] = [];
    const tail = await tailIn(folder, { onError: (error) => errors.push(error) });
    await write(tail, media(0, 500));
    await tail.packetsAfter(1, Infinity);
    const free = await limitFiles(4_000);
    await write(tail, media(500, 3_500));
    await tail.packetsAfter(1, Infinity);
    expect(errors).toHaveLength(1);
    await free();
    await write(tail, media(3_500, 4_500));
    await tail.packetsAfter(1, Infinity);
    expect(errors).toHaveLength(1);
    const names = await namesOf(folder);
    // Of each torn GOP its beginning is left; from the first keyframe after the disk had room again, all.
    expect(names).toEqual(expect.arrayContaining(media(0, 500).map(nameOf)));
    expect(names.slice(-media(4_000, 4_500).length)).toEqual(media(4_000, 4_500).map(nameOf));
  });

  test('its folder gone, replaced by a file, and back', async () => {
    const folder = join(await scratchFolder(), 'tail');
    await mkdir(folder);
    const errors: unknown[] = [];
    const tail = await tailIn(folder, { onError: (error) => errors.push(error) });
    await write(tail, media(0, 500));
    await tail.packetsAfter(1, Infinity);
    await rm(folder, { recursive: true });
    await writeFile(folder, 'no folder');
    await write(tail, media(500, 2_500));
    expect(await tail.packetsAfter(1, -Infinity)).toEqual([]);
    expect(errors).toMatchObject([{ code: 'ENOTDIR' }]);
    await tail.closedUpTo(61_500);
    await rm(folder);
    await mkdir(folder);
    await write(tail, media(2_500, 4_200));
    await tail.packetsAfter(1, Infinity);
    expect(await namesOf(folder)).toEqual(media(3_000, 4_200).map(nameOf));
  });
});
