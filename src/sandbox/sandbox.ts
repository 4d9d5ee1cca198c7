/**
 * The simulated world on loopback: the lookup API, a live CDN with scripted faults, and the ground truth of what it sent.
 * Serves the demo, the tests, the benchmarks and users (`livestow sandbox`).
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { systemClock, type Clock } from '../kernel/clock.ts';
import { apiRuleSchema, type ApiRuleInput } from './api-rules.ts';
import { serveControl } from './control.ts';
import type { FaultInput, FaultType } from './faults.ts';
import type { FiredFault, SandboxEvent, Truth } from './ledger.ts';
import { defaultMediaFolder, imagePath } from './media/folder.ts';
import { MediaLibrary } from './media/library.ts';
import { prepareMedia, type PrepareProgress } from './media/prepare.ts';
import { mediaOf, scenarioSchema, type ScenarioInput } from './scenario.ts';
import { stateOf, type SandboxState } from './state.ts';
import { World } from './world.ts';

export interface SandboxOptions {
  scenario?: ScenarioInput;
  /** Cache folder of the media, `defaultMediaFolder()` unless told; what is missing in it is made. */
  media?: string;
  clock?: Clock;
  /** On 127.0.0.1; any free one unless told. */
  port?: number;
  ffmpeg?: string;
  /** How often what has come due is sent. */
  tickMs?: number;
  onProgress?: (progress: PrepareProgress) => void;
  signal?: AbortSignal;
}

export interface Sandbox {
  /** `http://127.0.0.1:port`: the base URL of the lookup API; the media is there too. */
  readonly apiUrl: string;
  readonly apiKey: string;
  /** Everything starts again from nothing, ledger and clock included. */
  setScenario(scenario: ScenarioInput): Promise<void>;
  /** Begins a broadcast of this creator now, unless one is on. */
  goLive(handle: string): void;
  /** Ends it now. */
  end(handle: string, media?: 'close' | 'drop' | 'silence'): void;
  /** Begins a fault: now, or at its `atMs` since going live. */
  inject(handle: string, fault: FaultInput): Promise<void>;
  /** Adds a rule to the lookup API, on the scenario's clock. */
  answer(rule: ApiRuleInput): void;
  /** What was really sent to this creator's audience. */
  truth(handle: string): Truth;
  /** The faults that had an effect. */
  fired(handle?: string, type?: FaultType): FiredFault[];
  readonly events: readonly SandboxEvent[];
  /** Calls back for each event from now on, until the returned function is called. */
  subscribe(listener: (event: SandboxEvent) => void): () => void;
  /** The first event of this scenario, past or to come, that the predicate is true of. Rejects when the signal aborts. */
  waitFor(predicate: (event: SandboxEvent) => boolean, signal?: AbortSignal): Promise<SandboxEvent>;
  state(): SandboxState;
  /** Ends all connections. */
  close(): Promise<void>;
}

export async function createSandbox(options: SandboxOptions): Promise<Sandbox> {
  const sandbox = new LoopbackSandbox(options);
  await sandbox.start(options.scenario ?? {}, options.port ?? 0);
  return sandbox;
}

class LoopbackSandbox implements Sandbox {
  readonly #options: SandboxOptions;
  readonly #library: MediaLibrary;
  readonly #server: Server;
  #world: World | undefined;

  constructor(options: SandboxOptions) {
    this.#options = options;
    this.#library = new MediaLibrary(options.media ?? defaultMediaFolder());
    this.#server = createServer((request, response) => {
      this.#serve(request, response).catch(() => response.destroy());
    });
  }

  async start(scenario: ScenarioInput, port: number): Promise<void> {
    await this.setScenario(scenario);
    this.#server.listen(port, '127.0.0.1');
    await once(this.#server, 'listening').catch((error: unknown) => {
      this.#world?.close();
      throw error;
    });
  }

  get apiUrl(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get apiKey(): string {
    return this.#playing.scenario.apiKey;
  }

  async setScenario(input: ScenarioInput): Promise<void> {
    const scenario = scenarioSchema.parse(input);
    await this.#load(mediaOf(scenario));
    this.#world?.close();
    const { clock = systemClock, tickMs } = this.#options;
    this.#world = new World(scenario, this.#library, clock, tickMs);
  }

  goLive(handle: string): void {
    this.#playing.creator(handle).goLive();
  }

  end(handle: string, media: 'close' | 'drop' | 'silence' = 'close'): void {
    this.#playing.creator(handle).inject({ type: 'end', media });
  }

  async inject(handle: string, fault: FaultInput): Promise<void> {
    if (fault.type === 'media') {
      await this.#load([fault.media]);
    }
    this.#playing.creator(handle).inject(fault);
  }

  answer(rule: ApiRuleInput): void {
    this.#playing.api.addRule(apiRuleSchema.parse(rule));
  }

  truth(handle: string): Truth {
    return this.#playing.ledger.truth(handle);
  }

  fired(handle?: string, type?: FaultType): FiredFault[] {
    return this.#playing.ledger.fired(handle, type);
  }

  get events(): readonly SandboxEvent[] {
    return this.#playing.ledger.events;
  }

  subscribe(listener: (event: SandboxEvent) => void): () => void {
    return this.#playing.ledger.subscribe(listener);
  }

  waitFor(predicate: (event: SandboxEvent) => boolean, signal?: AbortSignal): Promise<SandboxEvent> {
    return this.#playing.ledger.waitFor(predicate, signal);
  }

  state(): SandboxState {
    return stateOf(this.#playing);
  }

  async close(): Promise<void> {
    this.#world?.close();
    this.#server.close();
    this.#server.closeAllConnections();
    if (this.#server.listening) {
      await once(this.#server, 'close');
    }
  }

  get #playing(): World {
    if (!this.#world) {
      throw new Error('The sandbox has not started.');
    }
    return this.#world;
  }

  async #load(names: ReturnType<typeof mediaOf>): Promise<void> {
    const { ffmpeg, signal, onProgress } = this.#options;
    const { folder } = this.#library;
    await prepareMedia({
      folder,
      names,
      ...(ffmpeg === undefined ? {} : { ffmpeg }),
      ...(signal ? { signal } : {}),
      ...(onProgress ? { onProgress } : {}),
    });
    await this.#library.load(names);
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    // A client that goes away is no error here.
    response.on('error', () => {});
    const origin = `http://${request.headers.host ?? new URL(this.apiUrl).host}`;
    const url = new URL(request.url ?? '/', origin);
    const world = this.#playing;
    if (await world.api.serve(request, response, url.pathname, origin)) {
      return;
    }
    if (world.cdn.serve(request, response, url) || (await serveControl(this, request, response, url))) {
      return;
    }
    const image = /^\/images\/(avatar|cover)\.jpg$/.exec(url.pathname)?.[1];
    if (image === 'avatar' || image === 'cover') {
      response.writeHead(200, { 'content-type': 'image/jpeg' });
      await pipeline(createReadStream(imagePath(this.#library.folder, image)), response).catch(() => {});
      return;
    }
    response.writeHead(404, { 'content-type': 'text/plain' }).end('nothing here\n');
  }
}
