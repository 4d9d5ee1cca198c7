/**
 * The tail: what was received and is in no closed segment yet, as received, in one small FLV file a GOP beside the
 * session. It costs one sequential write per byte and makes a `kill -9` of livestow and its engine cost nothing that had
 * arrived: the next start reads it back, and an engine that dies is fed from it again.
 *
 * The newest GOPs are kept even when their segments have closed, so that the next term recognises what a CDN sends again:
 * a connection begins with the last one or some, a playlist lists half a minute.
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { removeFile } from '../kernel/files.ts';
import { encodeFlvTag, FlvTagReader, type FlvTag } from '../media/flv.ts';
import { unitOfFlvTag } from '../media/flv-units.ts';
import type { MediaUnit } from '../media/packet.ts';
import { variantLabelSchema } from '../model/manifest.ts';
import type { VariantLabel } from '../model/variant.ts';

const FORMAT = 'livestow-tail/1';

const track = z.object({ lastDtsMs: z.number(), frameMs: z.number() }).nullable();
const headSchema = z.object({
  format: z.literal(FORMAT),
  term: z.number(),
  epoch: z.number(),
  variant: variantLabelSchema,
  state: z.object({ offsetMs: z.number(), wallMs: z.number(), video: track, audio: track }),
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

/** The script tag that a file of the tail begins with. */
export const encodeTailHead = (head: Omit<TailHead, 'format'>): Buffer =>
  encodeFlvTag({ type: 18, timestampMs: 0, data: Buffer.from(JSON.stringify({ format: FORMAT, ...head })) });

/** What an earlier term left in the folder, oldest first; undefined when there is nothing that can be read. */
export async function readTail(folder: string): Promise<Tail | undefined> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.flv'));
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

/** Term and number; they may outgrow their width. */
function orderOf(name: string): [number, number] {
  const [, term, n] = /^(\d+)-(\d+)\.flv$/.exec(name) ?? [];
  return [Number(term ?? 0), Number(n ?? 0)];
}

/** Removes what earlier terms left, once the running term has it in closed segments. */
export async function removeTail(folder: string, beforeTerm: number): Promise<void> {
  const names = (await readdir(folder)).filter((name) => Number.parseInt(name, 10) < beforeTerm);
  await Promise.all(names.map((name) => removeFile(join(folder, name))));
}

/** One file; undefined when it cannot be read. A torn end is what a crash leaves: everything whole before it counts. */
export async function readGop(path: string): Promise<{ head: TailHead; units: MediaUnit[] } | undefined> {
  let tags: FlvTag[];
  let json: unknown;
  try {
    tags = new FlvTagReader().push(await readFile(path));
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
