/** The live CDN: lets requests in or not, and keeps its open connections going. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Clock } from '../../kernel/clock.ts';
import type { Broadcast, ScheduledFault } from '../broadcast.ts';
import type { SimulatedCreator } from '../creators.ts';
import type { Ledger } from '../ledger.ts';
import type { MediaLibrary } from '../media/library.ts';
import type { Scenario, ScenarioVariant } from '../scenario.ts';
import { WEB_PAGE } from '../web-page.ts';
import { Addresses, parseStreamPath, type StreamAddress } from './addresses.ts';
import { admit, type Admission } from './admission.ts';
import { FlvConnection } from './flv-connection.ts';
import { HlsStream } from './hls-stream.ts';

/** What `cmafUrl` leads to: a manifest that names no media, for nothing here can record DASH. */
const DASH_MANIFEST =
  '<?xml version="1.0"?>\n<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="dynamic" profiles="urn:mpeg:dash:profile:isoff-live:2011"/>\n';

type Admitted = Extract<Admission, { admitted: true }>;

export class Cdn {
  readonly #scenario: Scenario;
  readonly #creators: ReadonlyMap<string, SimulatedCreator>;
  readonly #ledger: Ledger;
  readonly #library: MediaLibrary;
  readonly #clock: Clock;
  readonly #addresses = new Addresses();
  readonly #connections = new Set<FlvConnection>();
  readonly #hlsStreams = new Map<Broadcast, Map<ScenarioVariant, HlsStream>>();

  constructor(deps: {
    scenario: Scenario;
    creators: ReadonlyMap<string, SimulatedCreator>;
    ledger: Ledger;
    library: MediaLibrary;
    clock: Clock;
  }) {
    this.#scenario = deps.scenario;
    this.#creators = deps.creators;
    this.#ledger = deps.ledger;
    this.#library = deps.library;
    this.#clock = deps.clock;
  }

  get connections(): number {
    return [...this.#connections].filter(({ closed }) => !closed).length;
  }

  /** Path and query of an address that is good from now. */
  address(address: StreamAddress, positionMs: number): string {
    return this.#addresses.sign(address, this.#clock.now() + this.#scenario.urlTtlMs, positionMs);
  }

  /** False when the path is not of the CDN. */
  serve(request: IncomingMessage, response: ServerResponse, url: URL): boolean {
    const address = parseStreamPath(url.pathname);
    if (!address) {
      return false;
    }
    const admission = admit(this.#creators, this.#addresses, {
      address,
      path: url.pathname,
      query: url.searchParams,
      nowMs: this.#clock.now(),
    });
    if (!admission.admitted) {
      this.#refuse(response, address, admission);
      return true;
    }
    const hops = Number(url.searchParams.get('hop') ?? '0');
    if (typeof address.file === 'string' && hops < admission.variant.redirects) {
      url.searchParams.set('hop', String(hops + 1));
      response.writeHead(302, { location: `${url.pathname}${url.search}` }).end();
      return true;
    }
    this.#admitted(request, response, address, admission);
    return true;
  }

  tick(): void {
    for (const connection of this.#connections) {
      connection.pump();
      if (connection.closed) {
        this.#connections.delete(connection);
      }
    }
  }

  close(): void {
    for (const connection of this.#connections) {
      connection.destroy();
    }
    this.#connections.clear();
  }

  #admitted(
    request: IncomingMessage,
    response: ServerResponse,
    address: StreamAddress,
    admitted: Admitted,
  ): void {
    if (address.file === 'stream.flv') {
      this.#openFlv(request, response, admitted);
    } else if (address.file === 'index.m3u8') {
      this.#hlsStream(admitted).servePlaylist(response);
    } else if (address.file === 'index.mpd') {
      response.writeHead(200, { 'content-type': 'application/dash+xml' }).end(DASH_MANIFEST);
    } else {
      this.#hlsStream(admitted).serveSegment(response, address.file.sequence, admitted.roomId);
    }
  }

  #openFlv(
    request: IncomingMessage,
    response: ServerResponse,
    { broadcast, variant, roomId }: Admitted,
  ): void {
    request.socket.setNoDelay(true);
    response.writeHead(200, { 'content-type': 'video/x-flv', 'cache-control': 'no-store' });
    const { handle } = broadcast;
    const { qualityKey, media } = variant;
    const transfer = this.#ledger.open({
      handle,
      roomId,
      protocol: 'flv',
      qualityKey,
      media,
      sequence: null,
    });
    const { gopCache } = this.#scenario;
    const deps = {
      response,
      broadcast,
      variant,
      transfer,
      ledger: this.#ledger,
      library: this.#library,
      gopCache,
    };
    const connection = new FlvConnection(deps);
    this.#connections.add(connection);
    connection.pump();
  }

  #hlsStream({ broadcast, variant }: Admitted): HlsStream {
    const streams = this.#hlsStreams.get(broadcast) ?? new Map<ScenarioVariant, HlsStream>();
    this.#hlsStreams.set(broadcast, streams);
    const deps = {
      broadcast,
      variant,
      ledger: this.#ledger,
      library: this.#library,
      window: this.#scenario.hlsWindow,
    };
    const stream = streams.get(variant) ?? new HlsStream(deps);
    streams.set(variant, stream);
    return stream;
  }

  #refuse(
    response: ServerResponse,
    { handle }: StreamAddress,
    refusal: Extract<Admission, { admitted: false }>,
  ): void {
    const { status, why, html, by } = refusal;
    if (by) {
      this.#fired(handle, by);
    }
    this.#ledger.say({ type: 'refused', handle, status, why });
    response
      .writeHead(status, { 'content-type': html ? 'text/html' : 'text/plain' })
      .end(html ? WEB_PAGE : `${why}\n`);
  }

  #fired(handle: string, { id, fault, atMs }: ScheduledFault): void {
    const positionMs = atMs - (this.#creators.get(handle)?.broadcast?.originMs ?? 0);
    this.#ledger.say({ type: 'fault', handle, fault: fault.type, faultId: id, transfer: null, positionMs });
  }
}
