/** Bytes over HTTP: all of them, or the range that is asked for. */
import { Readable } from 'node:stream';
import type { Context } from 'hono';
import type { ByteRange } from '../store/store.ts';
import { parseRange } from './byte-range.ts';

export interface SentBytes {
  size: number;
  /** Of every answer, also of one that refuses the range. */
  always?: Record<string, string>;
  /** Of one that has bytes. */
  headers: Record<string, string>;
  open: (range: Required<ByteRange> | undefined) => Promise<Readable> | Readable;
}

export async function sendBytes(
  c: Context,
  { size, always = {}, headers, open }: SentBytes,
): Promise<Response> {
  const range = parseRange(c.req.header('Range'), size);
  if (range === 'unsatisfiable') return c.body(null, 416, { ...always, 'Content-Range': `bytes */${size}` });
  const part = range === 'whole' ? undefined : range;
  const answer = {
    ...always,
    ...headers,
    'Accept-Ranges': 'bytes',
    'Content-Length': String(part ? part.end - part.start + 1 : size),
    ...(part ? { 'Content-Range': `bytes ${part.start}-${part.end}/${size}` } : {}),
  };
  const status = part ? 206 : 200;
  // Hono answers HEAD by GET and drops the body: nothing may be opened for it.
  if (c.req.method === 'HEAD') return c.body(null, status, answer);
  return c.body(Readable.toWeb(await open(part)) as ReadableStream, status, answer);
}
