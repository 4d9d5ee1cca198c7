/** The `onMetaData` script tag that every FLV begins with, in AMF 0. */

const NUMBER = 0x00;
const STRING = 0x02;
const ECMA_ARRAY = 0x08;
const OBJECT_END = Buffer.from([0, 0, 9]);

export function encodeOnMetaData(properties: Record<string, number>): Buffer {
  const entries = Object.entries(properties);
  const count = Buffer.alloc(5);
  count[0] = ECMA_ARRAY;
  count.writeUInt32BE(entries.length, 1);
  return Buffer.concat([
    Buffer.from([STRING]),
    name('onMetaData'),
    count,
    ...entries.flatMap(([key, value]) => [name(key), number(value)]),
    OBJECT_END,
  ]);
}

function name(text: string): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(text.length);
  return Buffer.concat([length, Buffer.from(text, 'latin1')]);
}

function number(value: number): Buffer {
  const bytes = Buffer.alloc(9);
  bytes[0] = NUMBER;
  bytes.writeDoubleBE(value, 1);
  return bytes;
}
