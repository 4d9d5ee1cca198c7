/** Counts pictures in recorded media: every picture of the sandbox bears its own number. */
import { LOOP_PICTURES } from '../../src/sandbox/media/grid.ts';
import { CODE_BITS, CODE_ROWS, decodePictureCode } from '../../src/sandbox/media/picture-code.ts';
import { RangeSet, type Range } from '../../src/sandbox/ranges.ts';
import { decode, type MediaSource } from './media-source.ts';

/** Stands where a picture's number can't be read: the picture is damaged. */
export const GARBLED = -1;

export interface ReadPicture {
  /** Modulo LOOP_PICTURES, or GARBLED. */
  number: number;
  ptsMs: number;
}

const BLOCK = 'if(gte(iw,720),32,16)';
const FILTER = [
  `crop=w='${CODE_BITS}*${BLOCK}':h='${CODE_ROWS}*${BLOCK}':x=0:y=0`,
  `scale=${CODE_BITS}:${CODE_ROWS}:flags=area`,
  'format=gray',
  'showinfo=checksum=0',
].join(',');
const PICTURE_BYTES = CODE_BITS * CODE_ROWS;

/** All pictures in the order in which they are shown, and what the decoder complained about. */
export async function readPictures(
  source: MediaSource,
): Promise<{ pictures: ReadPicture[]; errors: string[] }> {
  // A fine time base: in one of a picture's length two pictures may fall on one tick, and one of them is left out.
  const asTheyCome = ['-fps_mode', 'passthrough', '-enc_time_base', '1:90000', '-f', 'rawvideo'];
  const { output, log, errors } = await decode(source, ['-map', '0:v:0', '-vf', FILTER, ...asTheyCome]);
  const times = log.flatMap((line) => {
    const time = /showinfo.* n: *\d+ pts: *\S+ +pts_time:(\S+)/.exec(line)?.[1];
    return time === undefined ? [] : [Number(time) * 1_000];
  });
  const pictures = Array.from({ length: Math.floor(output.length / PICTURE_BYTES) }, (_, i) => ({
    number: decodePictureCode(output.subarray(i * PICTURE_BYTES, (i + 1) * PICTURE_BYTES)) ?? GARBLED,
    ptsMs: times[i] ?? Number.NaN,
  }));
  return { pictures, errors };
}

/** The number of each picture in the order in which they are shown; GARBLED for a damaged one. */
export async function pictureNumbers(source: MediaSource): Promise<number[]> {
  return (await readPictures(source)).pictures.map(({ number }) => number);
}

export interface PictureAccount {
  /** Null when there is no readable picture. */
  first: number | null;
  last: number | null;
  /** All pictures, readable or not. */
  count: number;
  present: Range[];
  /** Numbers between first and last that are not there. */
  missing: Range[];
  /** Pictures that were there before. */
  repeats: number;
  garbled: number;
  /** Steps to a number that is not larger. */
  backwards: number;
}

/**
 * What is there and what is not. Numbers that went round are straightened: a step of more than half a loop is one in the
 * other direction. `near` says which round the first is of, when it is not the first.
 */
export function accountPictures(numbers: readonly number[], near = 0): PictureAccount {
  const readable = straighten(
    numbers.filter((number) => number !== GARBLED),
    near,
  );
  const present = new RangeSet();
  let repeats = 0;
  let backwards = 0;
  for (const [i, number] of readable.entries()) {
    repeats += present.has(number) ? 1 : 0;
    backwards += i > 0 && number <= readable[i - 1]! ? 1 : 0;
    present.add(number);
  }
  const [first, last] = [present.first ?? null, present.last ?? null];
  return {
    first,
    last,
    count: numbers.length,
    present: present.runs,
    missing: first === null || last === null ? [] : new RangeSet([[first, last]]).minus(present),
    repeats,
    garbled: numbers.length - readable.length,
    backwards,
  };
}

function straighten(numbers: readonly number[], near: number): number[] {
  let previous = near;
  return numbers.map((number, i) => {
    const reference = i === 0 && near === 0 ? number : previous;
    previous = number + Math.round((reference - number) / LOOP_PICTURES) * LOOP_PICTURES;
    return previous;
  });
}

/** The runs of `sent` that are not in `present`: what an archive lacks of what the CDN sent. */
export const lacking = (sent: readonly Range[], present: readonly Range[]): Range[] =>
  new RangeSet(sent).minus(new RangeSet(present));
