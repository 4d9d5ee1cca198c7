/**
 * Reads what ffmpeg's segment muxer announces with `-segment_list_type csv`: one line `name,start,end` for each segment
 * that is complete. Times there are those of the fed time line and of no use here.
 */
import { parseSegmentKey, type SegmentName } from '../../layout/keys.ts';

/** The announced segment; undefined for a line that announces none. */
export function parseListLine(line: string): SegmentName | undefined {
  const name = /^([^",\s]+),-?\d+(?:\.\d+)?,-?\d+(?:\.\d+)?$/.exec(line)?.[1];
  return name === undefined ? undefined : parseSegmentKey(name);
}

/** Cuts a stream of bytes into lines; a line longer than `limit` characters is cut off there. */
export class LineReader {
  readonly #limit: number;
  readonly #decoder = new TextDecoder();
  #rest = '';

  constructor(limit = 2_000) {
    this.#limit = limit;
  }

  /** The lines that this chunk completes; `\r` ends a line too. */
  push(chunk: Uint8Array): string[] {
    const parts = (this.#rest + this.#decoder.decode(chunk, { stream: true })).split(/\r\n|\n|\r/);
    this.#rest = (parts.pop() ?? '').slice(0, this.#limit);
    return parts.map((line) => line.slice(0, this.#limit));
  }

  /** What came after the last end of a line. */
  end(): string[] {
    const rest = this.#rest;
    this.#rest = '';
    return rest === '' ? [] : [rest];
  }
}
