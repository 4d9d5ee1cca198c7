/**
 * Writes the tail (`tail.ts`): every packet as it is recorded, in one file a GOP. A disk that cannot be written must not
 * stop a recording: what is lost then is lost to a crash only, and the next GOP tries anew.
 */
import { open, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { removeFile } from '../kernel/files.ts';
import { FLV_HEADER } from '../media/flv.ts';
import { flvBuffersOf } from '../media/flv-units.ts';
import {
  isConfig,
  type AudioConfig,
  type MediaPacket,
  type MediaUnit,
  type VideoConfig,
} from '../media/packet.ts';
import type { VariantLabel } from '../model/variant.ts';
import { checkedTag, encodeTailHead, KEPT_MS, readGop, tailFile, type TailState } from './tail.ts';

/** Without pictures, sound is cut into files of this length. */
const AUDIO_GOP_MS = 2_000;
/** So much may wait for a slow disk; then whoever feeds the tail waits too. */
const BACKLOG_BYTES_MAX = 8 * 1024 * 1024;

const isPacket = (unit: MediaUnit): unit is MediaPacket => !isConfig(unit);

interface Gop {
  path: string;
  epoch: number;
  firstDtsMs: number;
  /** Of the leading track. */
  lastDtsMs: number;
}

/** What goes to the disk in one piece. */
interface Batch {
  gop: Gop;
  buffers: Buffer[];
  bytes: number;
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
  /** On the disk until what stands in their place is. */
  #replaced: Gop[] = [];
  #waiting: Batch[] = [];
  #waitingBytes = 0;
  #pumping: Promise<void> | null = null;
  #file: { gop: Gop; handle: FileHandle | null } | null = null;
  #failing = false;

  /** @param onError told when writing begins to fail, and again after it worked in between */
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

  /** @param state of the time line, for the head of a new file */
  append(packet: MediaPacket, state: () => TailState): void {
    const gop = this.#startsGop(packet) ? this.#beginGop(packet, state()) : this.#gops.at(-1);
    if (!gop) return;
    if (packet.kind === (this.#video ? 'video' : 'audio')) gop.lastDtsMs = packet.dtsMs;
    this.#add(gop, checkedTag(flvBuffersOf(packet, this.#video?.codec)));
  }

  /** Hands what was appended to the disk; call once per batch. Resolves when more may come. */
  async flush(): Promise<void> {
    if (this.#waiting.length > 0) this.#pumping ??= this.#pump();
    if (this.#waitingBytes > BACKLOG_BYTES_MAX) await this.#pumping;
  }

  /** The media up to `lastDtsMs` of the leading track is in closed segments. */
  async closedUpTo(lastDtsMs: number): Promise<void> {
    const keptFromMs = (this.#gops.at(-1)?.firstDtsMs ?? 0) - KEPT_MS;
    await this.#remove(this.#gops.filter((gop) => gop.lastDtsMs <= lastDtsMs && gop.lastDtsMs < keptFromMs));
  }

  /**
   * What an epoch has from this picture on is replaced by what comes next: it goes when some of that is on the disk, so
   * that whoever is killed in between has one of the two.
   */
  drop(epoch: number, fromDtsMs: number): void {
    const replaced = this.#gops.filter((gop) => gop.epoch === epoch && gop.firstDtsMs >= fromDtsMs);
    this.#gops = this.#gops.filter((gop) => !replaced.includes(gop));
    this.#replaced.push(...replaced);
  }

  async #remove(gops: readonly Gop[]): Promise<void> {
    this.#gops = this.#gops.filter((gop) => !gops.includes(gop));
    await Promise.all(gops.map(({ path }) => removeFile(path).catch(this.#onError)));
  }

  /** The packets of an epoch that come after `closedDtsMs`, to feed an engine again: what of them is on the disk. */
  async packetsAfter(epoch: number, closedDtsMs: number): Promise<MediaPacket[]> {
    await this.#settled();
    const wanted = this.#gops.filter((gop) => gop.epoch === epoch && gop.lastDtsMs > closedDtsMs);
    const files = await Promise.all(wanted.map(({ path }) => readGop(path)));
    const packets = files.flatMap((file) => file?.units ?? []).filter(isPacket);
    const isAlone = !packets.some(({ kind }) => kind === 'video');
    return isAlone ? packets.filter(({ dtsMs }) => dtsMs > closedDtsMs) : packets;
  }

  async close(): Promise<void> {
    await this.#settled();
    await this.#closeFile();
  }

  async #settled(): Promise<void> {
    await this.flush();
    while (this.#pumping) await this.#pumping;
  }

  #startsGop(packet: MediaPacket): boolean {
    const current = this.#gops.at(-1);
    if (!current || current.epoch !== this.#epoch) return true;
    if (packet.kind === 'video') return packet.key;
    return !this.#video && packet.dtsMs - current.firstDtsMs >= AUDIO_GOP_MS;
  }

  #beginGop(packet: MediaPacket, state: TailState): Gop {
    if (!this.#variant) throw new Error('no epoch was begun on this tail');
    this.#count += 1;
    const path = join(this.#folder, tailFile(this.#term, this.#count));
    const gop = { path, epoch: this.#epoch, firstDtsMs: packet.dtsMs, lastDtsMs: packet.dtsMs };
    this.#gops.push(gop);
    const head = encodeTailHead({ term: this.#term, epoch: this.#epoch, variant: this.#variant, state });
    const configs = [this.#video, this.#audio].filter((config) => config !== null);
    this.#add(gop, [FLV_HEADER, ...head, ...configs.flatMap((config) => checkedTag(flvBuffersOf(config)))]);
    return gop;
  }

  #add(gop: Gop, buffers: readonly Buffer[]): void {
    const last = this.#waiting.at(-1);
    const batch = last?.gop === gop ? last : { gop, buffers: [], bytes: 0 };
    if (batch !== last) this.#waiting.push(batch);
    const bytes = buffers.reduce((sum, { length }) => sum + length, 0);
    batch.buffers.push(...buffers);
    batch.bytes += bytes;
    this.#waitingBytes += bytes;
  }

  async #pump(): Promise<void> {
    for (let batch = this.#waiting.shift(); batch; batch = this.#waiting.shift()) {
      await this.#write(batch);
      this.#waitingBytes -= batch.bytes;
    }
    this.#pumping = null;
  }

  /** Never rejects. After a failure the rest of the GOP is left out: behind a torn packet nothing can be read. */
  async #write({ gop, buffers, bytes }: Batch): Promise<void> {
    try {
      if (this.#file?.gop !== gop) {
        await this.#closeFile();
        this.#file = { gop, handle: null };
        this.#file.handle = await open(gop.path, 'w');
      }
      const { handle } = this.#file;
      if (!handle) return;
      const { bytesWritten } = await handle.writev(buffers);
      if (bytesWritten < bytes) throw new Error(`wrote ${bytesWritten} of ${bytes} bytes of the tail`);
      this.#failing = false;
      if (this.#gops.includes(gop) && this.#replaced.length > 0) await this.#remove(this.#replaced.splice(0));
    } catch (error) {
      await this.#closeFile();
      this.#file = { gop, handle: null };
      if (!this.#failing) this.#onError(error);
      this.#failing = true;
    }
  }

  async #closeFile(): Promise<void> {
    const handle = this.#file?.handle;
    this.#file = null;
    await handle?.close().catch(() => {});
  }
}
