/** Whether a request for media is let in, and what it gets instead. The same rules for HTTP-FLV and HLS. */
import type { Broadcast, ScheduledFault } from '../broadcast.ts';
import type { SimulatedCreator } from '../creators.ts';
import type { ScenarioVariant } from '../scenario.ts';
import type { Addresses, StreamAddress } from './addresses.ts';

export type Admission =
  | {
      admitted: true;
      creator: SimulatedCreator;
      broadcast: Broadcast;
      variant: ScenarioVariant;
      roomId: string;
    }
  /** `html`: a web page with this status. `by` is the fault that did it. */
  | { admitted: false; status: number; why: string; html?: boolean; by?: ScheduledFault };

const refused = (status: number, why: string, by?: ScheduledFault): Admission => ({
  admitted: false,
  status,
  why,
  ...(by ? { by } : {}),
});

export function admit(
  creators: ReadonlyMap<string, SimulatedCreator>,
  addresses: Addresses,
  request: { address: StreamAddress; path: string; query: URLSearchParams; nowMs: number },
): Admission {
  const { address, path, query, nowMs } = request;
  const creator = creators.get(address.handle);
  const broadcast = creator?.broadcast;
  const variant = creator?.creator.variants[address.variant];
  if (!creator || !broadcast || !variant) {
    return refused(404, 'no such stream');
  }
  const isSegment = typeof address.file === 'object';
  const signature = isSegment ? 'good' : addresses.check(path, query, nowMs);
  if (signature !== 'good') {
    return refused(403, signature);
  }
  if (variant.status !== undefined) {
    return refused(variant.status, 'the variant never works');
  }
  const protocol = address.file === 'stream.flv' ? 'flv' : 'hls';
  const edgeMs = broadcast.edgeMs();
  const expired = broadcast.active('expire', edgeMs, variant, protocol);
  if (expired && !isSegment && Number(query.get('issued')) < expired.atMs) {
    return refused(403, 'expired by the script', expired);
  }
  const broken = broadcast.faults.findLast(
    ({ fault, atMs }) => fault.type === 'room' && fault.media === 'breaks' && atMs <= edgeMs,
  );
  if (broken && isRoomBefore(broadcast, address.roomId, broken.atMs)) {
    return refused(404, 'the room is over', broken);
  }
  if (!broadcast.rooms.some((room) => room.roomId === address.roomId)) {
    return refused(404, 'another broadcast');
  }
  if (broadcast.over && protocol === 'flv') {
    return refused(404, 'the broadcast is over', broadcast.end());
  }
  const refusal = broadcast.active('refuse', edgeMs, variant, protocol);
  if (refusal) {
    return refused(refusal.fault.status, 'refused by the script', refusal);
  }
  const offline = broadcast.active('offline', edgeMs);
  if (offline?.fault.media === 'stops') {
    return refused(404, 'offline for a while', offline);
  }
  const empty = broadcast.active('no-media', edgeMs, variant, protocol);
  if (empty && (empty.fault.how === 'no-streams' || protocol === 'hls')) {
    return refused(404, 'no media', empty);
  }
  const html = broadcast.active('html', edgeMs, variant, protocol);
  if (html) {
    return { admitted: false, status: 200, why: 'a web page', html: true, by: html };
  }
  return { admitted: true, creator, broadcast, variant, roomId: address.roomId };
}

function isRoomBefore(broadcast: Broadcast, roomId: string, positionMs: number): boolean {
  const room = broadcast.rooms.find((candidate) => candidate.roomId === roomId);
  return room !== undefined && room.fromMs < positionMs;
}
