/**
 * The tail: what was received and is in no closed segment yet, as received, in one small FLV file a GOP beside the
 * session. It costs one sequential write per byte and makes a `kill -9` of livestow and its engine cost nothing that had
 * arrived: the next start reads it back, and an engine that dies is fed from it again.
 *
 * The newest GOPs are kept even when their segments have closed, so that the next term recognises what a CDN sends again:
 * a connection begins with the last one or some, a playlist lists half a minute.
 *
 * It is never synced: after a power cut its files may have any holes. So each tag bears a checksum where FLV has its
 * stream id, which is always 0 and which nobody reads.
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { z } from 'zod';
import { removeFile } from '../kernel/files.ts';
import { FLV_HEADER, flvTagPrefix, flvTagSuffix, type FlvTag } from '../media/flv.ts';
import { unitOfFlvTag } from '../media/flv-units.ts';
import type { MediaUnit } from '../media/packet.ts';
import { variantLabelSchema } from '../model/manifest.ts';
import type { VariantLabel } from '../model/variant.ts';

const FORMAT = 'livestow-tail/2';

const track = z.object({ lastDtsMs: z.number(), frameMs: z.number() }).nullable();
const headSchema = z.object({
  format: z.literal(FORMAT),
  term: z.number(),
  epoch: z.number(),
  variant: variantLabelSchema,
  state: z.object({
    offsetMs: z.number(),
    earlierMs: z.array(z.number()).default([]),
    wallMs: z.number(),
    video: track,
    audio: track,
  }),
});
type TailHead = z.infer<typeof headSchema>;
/** As the time line gives it. */
export type TailState = TailHead['state'];

export interface Tail {
  /** The earliest term that any of it is from. */
  firstTerm: number;
  /** That the newest of it came by. */
  variant: VariantLabel;
  /** Of the newest file: the last state of the time line that was written down. */
  state: TailState;
  units: MediaUnit[];
}

/** So much of what is in closed segments is kept. */
export const KEPT_MS = 30_000;

const pad = (value: number, width: number): string => String(value).padStart(width, '0');

export const tailFile = (term: number, n: number): string => `${pad(term, 4)}-${pad(n, 6)}.flv`;

const PREFIX_BYTES = 11;
const CHECKSUM_AT = 8;
const SUFFIX_BYTES = 4;
const SCRIPT = 18;

/** A tag in its pieces, the last of which is FLV's suffix; gets its checksum. */
export function checkedTag(pieces: readonly [Buffer, ...Buffer[]]): readonly Buffer[] {
  const [prefix] = pieces;
  prefix.writeUIntBE(checksumOf(pieces.slice(0, -1)), CHECKSUM_AT, 3);
  return pieces;
}

/** 24 bits, of all but the place where it stands. */
function checksumOf([head = Buffer.alloc(0), ...rest]: readonly Buffer[]): number {
  const first = crc32(head.subarray(CHECKSUM_AT + 3), crc32(head.subarray(0, CHECKSUM_AT)));
  return rest.reduce((sum, piece) => crc32(piece, sum), first) & 0xff_ffff;
}

/** The script tag that a file of the tail begins with. */
export function encodeTailHead(head: Omit<TailHead, 'format'>): readonly Buffer[] {
  const json = Buffer.from(JSON.stringify({ format: FORMAT, ...head }));
  return checkedTag([flvTagPrefix(SCRIPT, 0, json.length), json, flvTagSuffix(json.length)]);
}

/** What an earlier term left in the folder, oldest first; undefined when there is nothing that can be read. */
export async function readTail(folder: string): Promise<Tail | undefined> {
  const names = (await readdir(folder)).filter(isTailFile);
  const found = await Promise.all(names.map((name) => readGop(join(folder, name))));
  const gops = names
    .flatMap((name, i) => (found[i] ? [{ ...found[i], order: orderOf(name) }] : []))
    .sort((a, b) => a.order[0] - b.order[0] || a.order[1] - b.order[1]);
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

const NAME = /^(\d{4,})-(\d{6,})\.flv$/;
export const isTailFile = (name: string): boolean => NAME.test(name);

/** Term and number; they may outgrow their width. */
function orderOf(name: string): [number, number] {
  const [, term, n] = NAME.exec(name) ?? [];
  return [Number(term ?? 0), Number(n ?? 0)];
}

/** Removes what earlier terms left, once the running term has it in closed segments. */
export async function removeTail(folder: string, beforeTerm: number): Promise<void> {
  const names = (await readdir(folder)).filter((name) => isTailFile(name) && orderOf(name)[0] < beforeTerm);
  await Promise.all(names.map((name) => removeFile(join(folder, name))));
}

export interface TailGop {
  head: TailHead;
  units: MediaUnit[];
}

/** One file; undefined when it cannot be read. A torn end is what a crash leaves: everything whole before it counts. */
export async function readGop(path: string): Promise<TailGop | undefined> {
  const bytes = await readFile(path).catch(() => undefined);
  return bytes && decodeGop(bytes).gop;
}

/** Whether there is more in it than what can be read and what a crash tore off its end. */
export async function isTailDamaged(path: string): Promise<boolean> {
  const bytes = await readFile(path);
  const isZero = (part: Buffer): boolean => part.every((byte) => byte === 0);
  if (!FLV_HEADER.equals(bytes.subarray(0, FLV_HEADER.length))) return !isZero(bytes);
  const { gop, rest } = decodeGop(bytes);
  return rest.isWhole ? !isZero(rest.bytes) : !gop && rest.bytes.length === 0;
}

/** `rest`: what follows the last good tag, and whether a tag begins there that is whole by its length, or nonsense. */
function decodeGop(bytes: Buffer): { gop: TailGop | undefined; rest: { bytes: Buffer; isWhole: boolean } } {
  const tags: FlvTag[] = [];
  let at = FLV_HEADER.length;
  let isWhole = false;
  while (at + PREFIX_BYTES <= bytes.length) {
    const end = at + PREFIX_BYTES + bytes.readUIntBE(at + 1, 3);
    isWhole = end <= bytes.length;
    const tag = bytes.subarray(at, end);
    if (!isWhole || checksumOf([tag]) !== tag.readUIntBE(CHECKSUM_AT, 3)) break;
    tags.push({
      type: tag[0] as FlvTag['type'],
      timestampMs: ((tag[7]! << 24) | tag.readUIntBE(4, 3)) >>> 0,
      data: tag.subarray(PREFIX_BYTES),
    });
    at = end + SUFFIX_BYTES;
    isWhole = false;
  }
  const rest = { bytes: bytes.subarray(Math.min(at, bytes.length)), isWhole };
  const head = headSchema.safeParse(jsonOf(tags.shift()));
  if (!head.success) return { gop: undefined, rest };
  const units = tags.flatMap((tag) => {
    const unit = unitOfFlvTag(tag);
    return unit && (unit.kind === 'video' || unit.kind === 'audio') ? [unit] : [];
  });
  return { gop: { head: head.data, units }, rest };
}

function jsonOf(tag: FlvTag | undefined): unknown {
  try {
    return JSON.parse(tag?.data.toString('utf8') ?? '');
  } catch {
    return undefined;
  }
}
