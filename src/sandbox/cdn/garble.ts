/** Bytes that have no business in an FLV stream, as data lost or altered on its way leaves them. */
import { encodeFlvTag, flvTagPrefix, FLV_HEADER } from '../../media/flv.ts';

export const GARBLES = [
  'garbage',
  'torn-tag',
  'endless-tag',
  'torn-picture',
  'torn-header',
  'new-file',
] as const;
export type Garble = (typeof GARBLES)[number];

/** The same each time: a generator of the Lehmer kind. */
function noise(length: number): Buffer {
  let state = 20_261_122;
  return Buffer.from(Array.from({ length }, () => (state = (state * 48_271) % 0x7fff_ffff) & 0xff));
}

/** @param timestampMs of what is made to look like media */
export function garbledBytes(how: Garble, timestampMs: number): Buffer {
  switch (how) {
    case 'garbage':
      return noise(4_000);
    case 'torn-tag':
      return Buffer.concat([
        flvTagPrefix(9, timestampMs, 3_000),
        Buffer.from('2701000000', 'hex'),
        noise(700),
      ]);
    case 'endless-tag':
      return flvTagPrefix(9, timestampMs, 0xff_ffff);
    case 'torn-picture': {
      const data = Buffer.concat([Buffer.from('270100000000000fff41', 'hex'), noise(600)]);
      return encodeFlvTag({ type: 9, timestampMs, data });
    }
    case 'torn-header':
      return encodeFlvTag({ type: 9, timestampMs, data: Buffer.from('170000000001640028ff', 'hex') });
    case 'new-file':
      return FLV_HEADER;
  }
}
