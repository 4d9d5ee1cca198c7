/**
 * Writes a fragment of a fragmented MP4 (ISO/IEC 14496-12 8.8): `moof` and `mdat`, one run for each track. Decode times
 * are absolute and offsets signed, so a fragment stands for itself, wherever on the time line and in whichever file it
 * lies. Payloads are not copied.
 */

export interface Mp4Sample {
  durationTicks: number;
  /** Presentation minus decode time. */
  compositionTicks: number;
  /** A decoder can begin here. */
  key: boolean;
  data: Buffer;
}

export interface Mp4Run {
  trackId: number;
  /** Pictures say more about each sample than sound does. */
  kind: 'video' | 'audio';
  /** Decode time of the first sample. */
  baseTick: number;
  samples: readonly Mp4Sample[];
}

const BOX_BYTES = 8;
const MFHD_BYTES = 16;
const TFHD_BYTES = 20;
const TFDT_BYTES = 20;
const TRUN_HEAD_BYTES = 20;

/** tfhd: sample flags for the whole run; offsets count from the moof. */
const TFHD_FLAGS = 0x02_0020;
/** trun: data offset; durations and sizes. */
const SOUND_RUN = 0x301;
/** And flags and composition offsets. */
const PICTURE_RUN = 0xf01;
/** Sample flags: depends on no other; depends on others and is nothing to begin at. */
const SYNC = 0x0200_0000;
const NON_SYNC = 0x0101_0000;

/** The fragment's bytes, to be written behind one another, the `moof` first. `sequence` counts fragments from 1. */
export function fragmentBuffers(sequence: number, runs: readonly Mp4Run[]): Buffer[] {
  const moofBytes = BOX_BYTES + MFHD_BYTES + runs.reduce((sum, run) => sum + trafBytes(run), 0);
  const moof = Buffer.allocUnsafe(moofBytes);
  const mdat = Buffer.allocUnsafe(BOX_BYTES);
  const buffers: Buffer[] = [moof, mdat];
  let at = box(moof, 0, moofBytes, 'moof');
  at = fullBox(moof, at, MFHD_BYTES, 'mfhd', 0, 0);
  at = moof.writeUInt32BE(sequence % 2 ** 32, at);
  let dataAt = moofBytes + BOX_BYTES;
  for (const run of runs) {
    at = writeTraf(moof, at, run, dataAt);
    for (const { data } of run.samples) {
      buffers.push(data);
      dataAt += data.length;
    }
  }
  box(mdat, 0, dataAt - moofBytes, 'mdat');
  return buffers;
}

const entryBytes = (run: Mp4Run): number => (run.kind === 'video' ? 16 : 8);
const trunBytes = (run: Mp4Run): number => TRUN_HEAD_BYTES + run.samples.length * entryBytes(run);
const trafBytes = (run: Mp4Run): number => BOX_BYTES + TFHD_BYTES + TFDT_BYTES + trunBytes(run);

function writeTraf(into: Buffer, from: number, run: Mp4Run, dataAt: number): number {
  let at = box(into, from, trafBytes(run), 'traf');
  at = fullBox(into, at, TFHD_BYTES, 'tfhd', 0, TFHD_FLAGS);
  at = into.writeUInt32BE(run.trackId, at);
  at = into.writeUInt32BE(SYNC, at);
  at = fullBox(into, at, TFDT_BYTES, 'tfdt', 1, 0);
  at = into.writeUInt32BE(Math.floor(run.baseTick / 2 ** 32), at);
  at = into.writeUInt32BE(run.baseTick % 2 ** 32, at);
  const pictures = run.kind === 'video';
  at = fullBox(into, at, trunBytes(run), 'trun', 1, pictures ? PICTURE_RUN : SOUND_RUN);
  at = into.writeUInt32BE(run.samples.length, at);
  at = into.writeUInt32BE(dataAt, at);
  for (const sample of run.samples) {
    at = into.writeUInt32BE(sample.durationTicks, at);
    at = into.writeUInt32BE(sample.data.length, at);
    if (pictures) {
      at = into.writeUInt32BE(sample.key ? SYNC : NON_SYNC, at);
      at = into.writeInt32BE(sample.compositionTicks, at);
    }
  }
  return at;
}

function box(into: Buffer, at: number, bytes: number, type: string): number {
  into.writeUInt32BE(bytes, at);
  into.write(type, at + 4, 'latin1');
  return at + BOX_BYTES;
}

function fullBox(
  into: Buffer,
  at: number,
  bytes: number,
  type: string,
  version: number,
  flags: number,
): number {
  return into.writeUInt32BE(version * 2 ** 24 + flags, box(into, at, bytes, type));
}
