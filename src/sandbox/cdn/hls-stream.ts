/** One variant's HLS: a sliding playlist, and segments that are made once for all clients. */
import type { ServerResponse } from 'node:http';
import type { Broadcast, ScheduledFault } from '../broadcast.ts';
import type { Ledger } from '../ledger.ts';
import { GOP_MS } from '../media/grid.ts';
import type { MediaLibrary } from '../media/library.ts';
import type { ScenarioVariant } from '../scenario.ts';
import { wholeEndMs } from './cursor.ts';
import { segmentMedia, type SegmentMedia } from './hls-segment.ts';
import { hlsTimeline, type HlsSegment } from './hls-timeline.ts';
import { MpegTsWriter } from './mpegts.ts';

/** Segments stay for so many windows after they left the playlist. */
const WINDOWS_KEPT = 3;

interface MadeSegment {
  data: Buffer;
  media: SegmentMedia;
}

export class HlsStream {
  readonly #broadcast: Broadcast;
  readonly #variant: ScenarioVariant;
  readonly #ledger: Ledger;
  readonly #library: MediaLibrary;
  readonly #window: number;
  readonly #writer = new MpegTsWriter();
  readonly #made = new Map<number, MadeSegment>();
  readonly #told = new Set<number>();

  constructor(deps: {
    broadcast: Broadcast;
    variant: ScenarioVariant;
    ledger: Ledger;
    library: MediaLibrary;
    window: number;
  }) {
    this.#broadcast = deps.broadcast;
    this.#variant = deps.variant;
    this.#ledger = deps.ledger;
    this.#library = deps.library;
    this.#window = deps.window;
  }

  servePlaylist(response: ServerResponse): void {
    const broadcast = this.#broadcast;
    const edgeMs = broadcast.edgeMs();
    const frozen = broadcast.active('hls-frozen', edgeMs, this.#variant, 'hls');
    if (frozen) {
      this.#fired(frozen, false);
    }
    const all = hlsTimeline(broadcast, this.#variant, frozen?.atMs ?? edgeMs);
    const shown = all.slice(-this.#window);
    if (shown.length === 0) {
      response.writeHead(404, { 'content-type': 'text/plain' }).end('nothing yet\n');
      return;
    }
    for (const fault of shown.flatMap(({ by }) => by)) {
      this.#fired(fault, true);
    }
    const ended = broadcast.over && !frozen;
    const { handle } = broadcast;
    const firstSequence = shown[0]!.sequence;
    this.#ledger.say({ type: 'playlist', handle, firstSequence, segments: shown.length, ended });
    response
      .writeHead(200, { 'content-type': 'application/vnd.apple.mpegurl', 'cache-control': 'no-store' })
      .end(playlistText(all, shown, ended));
  }

  serveSegment(response: ServerResponse, sequence: number, roomId: string): void {
    const all = hlsTimeline(this.#broadcast, this.#variant, this.#broadcast.edgeMs());
    const segment = all[sequence];
    const { handle } = this.#broadcast;
    if (!segment || sequence < all.length - this.#window * (1 + WINDOWS_KEPT)) {
      this.#ledger.say({ type: 'refused', handle, status: 404, why: `no segment ${sequence} now` });
      response.writeHead(404).end();
      return;
    }
    const missing = this.#broadcast.active('hls-missing', segment.fromMs, this.#variant, 'hls');
    if (missing) {
      this.#fired(missing, false);
      this.#ledger.say({
        type: 'refused',
        handle,
        status: missing.fault.status,
        why: `segment ${sequence} is missing`,
      });
      response.writeHead(missing.fault.status).end();
      return;
    }
    const { data, media } = this.#make(segment);
    const { qualityKey } = this.#variant;
    const transfer = this.#ledger.open({
      handle,
      roomId,
      protocol: 'hls',
      qualityKey,
      media: segment.media,
      sequence,
    });
    response.once('close', () => this.#ledger.close(transfer, 'client'));
    response.writeHead(200, { 'content-type': 'video/mp2t', 'content-length': data.length }).end(data, () => {
      const times = media.pieces.map(({ dtsMs }) => dtsMs);
      this.#ledger.sent(transfer, {
        bytes: data.length,
        pictures: media.pictures,
        frames: media.frames,
        firstTimestampMs: Math.min(...times),
        lastTimestampMs: Math.max(...times),
      });
      this.#ledger.close(transfer, 'done');
    });
  }

  #make(segment: HlsSegment): MadeSegment {
    const known = this.#made.get(segment.sequence);
    if (known) {
      return known;
    }
    const track = this.#library.track(segment.media, 'legacy');
    const end = this.#broadcast.end();
    const toMs = segment.toMs === end?.atMs ? wholeEndMs(track, segment.toMs) : segment.toMs;
    const media = segmentMedia(track, segment.gop, toMs, segment.shiftMs);
    const made = { data: this.#writer.segment(track.codec, media.pieces), media };
    this.#made.set(segment.sequence, made);
    this.#made.delete(segment.sequence - this.#window * (1 + WINDOWS_KEPT));
    return made;
  }

  #fired({ id, fault, atMs }: ScheduledFault, once: boolean): void {
    if (once && this.#told.has(id)) {
      return;
    }
    this.#told.add(id);
    const { handle, originMs } = this.#broadcast;
    const positionMs = atMs - originMs;
    this.#ledger.say({ type: 'fault', handle, fault: fault.type, faultId: id, transfer: null, positionMs });
  }
}

function playlistText(all: readonly HlsSegment[], shown: readonly HlsSegment[], ended: boolean): string {
  const first = shown[0]!.sequence;
  const discontinuitiesGone = all.slice(0, first).filter(({ discontinuity }) => discontinuity).length;
  return [
    '#EXTM3U',
    '#EXT-X-VERSION:3',
    `#EXT-X-TARGETDURATION:${Math.ceil(GOP_MS / 1_000)}`,
    `#EXT-X-MEDIA-SEQUENCE:${first}`,
    ...(discontinuitiesGone > 0 ? [`#EXT-X-DISCONTINUITY-SEQUENCE:${discontinuitiesGone}`] : []),
    ...shown.flatMap(({ sequence, fromMs, toMs, discontinuity }) => [
      ...(discontinuity ? ['#EXT-X-DISCONTINUITY'] : []),
      `#EXTINF:${((toMs - fromMs) / 1_000).toFixed(3)},`,
      `${sequence}.ts`,
    ]),
    ...(ended ? ['#EXT-X-ENDLIST'] : []),
    '',
  ].join('\n');
}
