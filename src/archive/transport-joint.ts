/**
 * Joins MPEG-TS segments into one stream for a strict reader: each segment counts its packets from anew, which within
 * one stream would mean that packets were lost. A packet with the discontinuity indicator (ISO/IEC 13818-1 2.4.3.4)
 * before the first one of each PID says that it is meant so; losses within a segment stay visible.
 */

const PACKET_BYTES = 188;
const SYNC = 0x47;
const ADAPTATION_ONLY = 0x20;
const DISCONTINUITY = 0x80;

/** The packets to put before a segment that follows another. */
export function transportJoint(segment: Uint8Array): Buffer {
  const joints = new Map<number, Buffer>();
  for (let at = 0; at + PACKET_BYTES <= segment.length && segment[at] === SYNC; at += PACKET_BYTES) {
    const [, high = 0, low = 0, flags = 0] = segment.subarray(at, at + 4);
    const pid = ((high & 0x1f) << 8) | low;
    if (!joints.has(pid)) joints.set(pid, jointPacket(pid, flags & 0x0f));
  }
  return Buffer.concat([...joints.values()]);
}

function jointPacket(pid: number, nextCounter: number): Buffer {
  const packet = Buffer.alloc(PACKET_BYTES, 0xff);
  packet[0] = SYNC;
  packet.writeUInt16BE(pid, 1);
  packet[3] = ADAPTATION_ONLY | ((nextCounter + 15) & 0x0f);
  packet[4] = PACKET_BYTES - 5;
  packet[5] = DISCONTINUITY;
  return packet;
}
