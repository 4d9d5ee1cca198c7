/**
 * The tail: what was received and is in no closed segment yet, as received, in one small FLV file a GOP beside the
 * session. It costs one sequential write per byte and makes a `kill -9` of livestow and its engine cost nothing that had
 * arrived: the next start reads it back, and an engine that dies is fed from it again.
 *
 * The newest GOP is kept even when its segment has closed, so that the next term recognises what a CDN sends again.
 */
import { open, readdir, readFile, rm, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { FLV_HEADER, FlvTagReader, encodeFlvTag, type FlvTag } from '../media/flv.ts';
import { flvBuffersOf, flvTagOfUnit, unitOfFlvTag } from '../media/flv-units.ts';
import {
  isConfig,
  type AudioConfig,
  type MediaPacket,
  type MediaUnit,
  type VideoConfig,
} from '../media/packet.ts';
import { variantLabelSchema } from '../model/manifest.ts';
import type { VariantLabel } from '../model/variant.ts';

/** Without pictures, sound is cut into files of this length. */
const AUDIO_GOP_MS = 2_000;

const track = z.object({ lastDtsMs: z.number(), frameMs: z.number() }).nullable();
const headSchema = z.object({
  format: z.literal('livestow-tail/1'),
  term: z.number(),
  epoch: z.number(),
  variant: variantLabelSchema,
  state: z.object({ offsetMs: z.number(), wallMs: z.number(), video: track, audio: track }),
});
type TailHead = z.infer<typeof headSchema>;
/** As the time line gives it. */
export type TailState = TailHead['state'];

interface Gop {
  path: string;
  firstDtsMs: number;
  epoch: number;
}

export class TailWriter {
  readonly #folder: string;
  readonly #term: number;
  readonly #onError: (error: unknown) => void;
  #gops: Gop[] = [];
  #count = 0;
  #epoch = 0;
  #variant: VariantLabel | null = null;
  #video: VideoConfig | null = null;
  #audio: AudioConfig | null = null;
  #file: Promise<FileHandle | null> = Promise.resolve(null);
  #waiting: Buffer[] = [];
  #writing: Promise<void> | null = null;

  /** @param onError a tail that cannot be written must not stop a recording: it is told once and gives up */
  constructor(folder: string, term: number, onError: (error: unknown) => void) {
    this.#folder = folder;
    this.#term = term;
    this.#onError = onError;
  }

  beginEpoch(
    epoch: number,
    variant: VariantLabel,
    video: VideoConfig | null,
    audio: AudioConfig | null,
  ): void {
    this.#epoch = epoch;
    this.#variant = variant;
    this.#video = video;
    this.#audio = audio;
  }

  /** @param state of the time line before the packet, for the head of a new file */
  append(packet: MediaPacket, state: () => TailState): void {
    if (this.#startsGop(packet)) this.#rotate(packet, state());
    this.#waiting.push(...flvBuffersOf(packet, this.#video?.codec));
  }

  /** Hands what was appended to the disk; call once per batch. */
  flush(): void {
    if (this.#writing || this.#waiting.length === 0) return;
    const buffers = this.#waiting;
    this.#waiting = [];
    const write = async (): Promise<void> => {
      const handle = await this.#file;
      await handle?.writev(buffers);
    };
    this.#writing = write()
      .catch((error: unknown) => {
        this.#file = Promise.resolve(null);
        this.#onError(error);
      })
      .finally(() => {
        this.#writing = null;
        this.flush();
      });
  }

  /** The media up to `lastDtsMs` of the leading track is in closed segments. */
  async closedUpTo(lastDtsMs: number): Promise<void> {
    const spent = this.#gops.filter(
      (gop, index) => gop.firstDtsMs <= lastDtsMs && index < this.#gops.length - 1,
    );
    if (spent.length === 0) return;
    this.#gops = this.#gops.filter((gop) => !spent.includes(gop));
    await Promise.all(spent.map(({ path }) => rm(path, { force: true })));
  }

  /** The packets of an epoch that come after `closedDtsMs`, to feed an engine again. */
  async packetsAfter(epoch: number, closedDtsMs: number): Promise<MediaPacket[]> {
    await this.#settled();
    const wanted = this.#gops.filter((gop) => gop.epoch === epoch && gop.firstDtsMs > closedDtsMs);
    const files = await Promise.all(wanted.map(({ path }) => readGop(path)));
    return files.flatMap((file) => file?.units ?? []).filter((unit): unit is MediaPacket => !isConfig(unit));
  }

  async close(): Promise<void> {
    await this.#settled();
    await (await this.#file)?.close();
    this.#file = Promise.resolve(null);
  }

  async #settled(): Promise<void> {
    this.flush();
    while (this.#writing) await this.#writing;
  }

  #startsGop(packet: MediaPacket): boolean {
    const current = this.#gops.at(-1);
    if (!current || current.epoch !== this.#epoch) return true;
    if (packet.kind === 'video') return packet.key;
    return !this.#video && packet.dtsMs - current.firstDtsMs >= AUDIO_GOP_MS;
  }

  #rotate(packet: MediaPacket, state: TailState): void {
    this.#count += 1;
    const path = join(this.#folder, `${pad(this.#term, 4)}-${pad(this.#count, 6)}.flv`);
    if (!this.#variant) throw new Error('no epoch was begun on this tail');
    const head: TailHead = {
      format: 'livestow-tail/1',
      term: this.#term,
      epoch: this.#epoch,
      variant: this.#variant,
      state,
    };
    const opening = this.#file;
    const finished = this.#waiting;
    this.#waiting = [];
    const before = this.#writing;
    this.#file = (async () => {
      await before;
      const previous = await opening;
      if (finished.length > 0) await previous?.writev(finished);
      await previous?.close();
      return open(path, 'w');
    })();
    this.#file.catch(() => {});
    this.#gops.push({ path, firstDtsMs: packet.dtsMs, epoch: this.#epoch });
    this.#waiting.push(
      FLV_HEADER,
      encodeFlvTag({ type: 18, timestampMs: 0, data: Buffer.from(JSON.stringify(head)) }),
      ...[this.#video, this.#audio].flatMap((config) => (config ? [encodeFlvTag(flvTagOfUnit(config))] : [])),
    );
  }
}

export interface Tail {
  /** The earliest term that any of it is from. */
  firstTerm: number;
  /** That the newest of it came by. */
  variant: VariantLabel;
  /** Of the newest file: the last state of the time line that was written down. */
  state: TailState;
  units: MediaUnit[];
}

/** What an earlier term left in the folder, oldest first; undefined when there is nothing that can be read. */
export async function readTail(folder: string): Promise<Tail | undefined> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.flv')).sort();
  const gops = (await Promise.all(names.map((name) => readGop(join(folder, name))))).filter(
    (gop) => gop !== undefined,
  );
  const last = gops.at(-1);
  return (
    last && {
      firstTerm: Math.min(...gops.map((gop) => gop.head.term)),
      variant: last.head.variant,
      state: last.head.state,
      units: gops.flatMap((gop) => gop.units),
    }
  );
}

/** Removes what earlier terms left, once the running term has it in closed segments. */
export async function removeTail(folder: string, beforeTerm: number): Promise<void> {
  const names = (await readdir(folder)).filter((name) => Number.parseInt(name, 10) < beforeTerm);
  await Promise.all(names.map((name) => rm(join(folder, name), { force: true })));
}

/** A torn end is what a crash leaves: everything whole before it counts. */
async function readGop(path: string): Promise<{ head: TailHead; units: MediaUnit[] } | undefined> {
  const bytes = await readFile(path);
  let tags: FlvTag[];
  let json: unknown;
  try {
    tags = new FlvTagReader().push(bytes);
    json = JSON.parse(tags.shift()?.data.toString('utf8') ?? '');
  } catch {
    return undefined;
  }
  const head = headSchema.safeParse(json);
  if (!head.success) return undefined;
  const units = tags.flatMap((tag) => {
    const unit = unitOfFlvTag(tag);
    return unit && (unit.kind === 'video' || unit.kind === 'audio') ? [unit] : [];
  });
  return { head: head.data, units };
}

const pad = (value: number, width: number): string => String(value).padStart(width, '0');
