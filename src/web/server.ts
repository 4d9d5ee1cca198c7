/**
 * The HTTP server of `livestow serve` and `livestow browse`: pages, API, health, metrics, behind one guard. It listens
 * before anything else is there, so that an address that cannot be had is known before anything is looked up, and says
 * meanwhile that it starts.
 */
import { randomUUID } from 'node:crypto';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createAdaptorServer } from '@hono/node-server';
import { Hono, type Context } from 'hono';
import { isLoopback, urlOf, type ListenAddress } from '../config/listen-address.ts';
import type { Config } from '../config/schema.ts';
import type { Clock } from '../kernel/clock.ts';
import { LivestowError } from '../kernel/errors.ts';
import type { Logger } from '../kernel/logger.ts';
import { Access, type Tokens } from './access.ts';
import type { DaemonView } from './daemon-view.ts';
import { errorAnswer, statusOf } from './errors.ts';
import { EventStreams } from './event-stream.ts';
import { guard, type Guarded } from './guard.ts';
import { healthRoutes, LoopWatch } from './health.ts';
import { close, listen } from './listening.ts';
import { Metrics } from './metrics.ts';
import { operations } from './operations.ts';

export interface WebServerOptions {
  listen: ListenAddress;
  tokens: Tokens;
  clock: Clock;
  log: Logger;
  version: string;
}

/** Pages for people. */
export interface Pages {
  routes(): Hono<Guarded>;
  /** What went wrong, as a page; undefined where a program asked. */
  problem(c: Context<Guarded>, error: unknown, status: number): Response | Promise<Response> | undefined;
}

/** What the server answers for. */
export interface Served {
  daemon: DaemonView | null;
  pages: Pages | null;
}

/** @throws CONFIG: others than this machine's users could reach it, and nothing keeps them out */
export function requireToken({
  listen,
  token,
  viewerToken,
}: Pick<Config, 'listen' | 'token' | 'viewerToken'>): void {
  if (listen === null || token !== null || viewerToken !== null || isLoopback(listen.host)) return;
  throw new LivestowError('CONFIG', `other machines reach ${listen.host}, and there is no token`, {
    hint: 'set LIVESTOW_TOKEN (openssl rand -hex 24 makes one), or listen on 127.0.0.1',
  });
}

export class WebServer {
  readonly #options: WebServerOptions;
  readonly #server: Server;
  readonly #loop: LoopWatch;
  readonly access: Access;
  #app: Hono<Guarded>;
  #pages: Pages | null = null;
  #closing: (() => void)[] = [];

  private constructor(options: WebServerOptions) {
    this.#options = options;
    this.access = new Access(options.tokens, options.clock);
    this.#loop = new LoopWatch(options.clock);
    this.#app = this.#guarded((app) => {
      app.route('/', healthRoutes(this.#loop, undefined));
      app.all('*', () => {
        throw new LivestowError('UNAVAILABLE', 'livestow is starting', { retryable: true });
      });
    });
    this.#server = createAdaptorServer({
      fetch: (request, environment) => this.#app.fetch(request, environment),
    }) as Server;
  }

  /** @throws CONFIG when it must not or cannot listen there */
  static async open(options: WebServerOptions): Promise<WebServer> {
    requireToken({ listen: options.listen, ...options.tokens });
    const server = new WebServer(options);
    const { host, port } = options.listen;
    try {
      await listen(server.#server, host, port);
    } catch (cause) {
      server.#loop.close();
      throw new LivestowError('CONFIG', `nothing can listen on ${urlOf(options.listen)}`, {
        cause,
        hint: 'something else listens there, another livestow perhaps: --listen takes another address, or off',
      });
    }
    return server;
  }

  /** For whoever connects. */
  get url(): string {
    const { port } = this.#server.address() as AddressInfo;
    return urlOf({ ...this.#options.listen, port });
  }

  /** From now on it answers for these. */
  serve({ daemon, pages }: Served): void {
    this.#pages = pages;
    this.#app = this.#guarded((app) => {
      app.route('/', healthRoutes(this.#loop, daemon));
      if (daemon) this.#serveDaemon(app, daemon);
      if (pages) app.route('/', pages.routes());
    });
  }

  #serveDaemon(app: Hono<Guarded>, daemon: DaemonView): void {
    const { clock, version } = this.#options;
    const run = randomUUID().slice(0, 8);
    const streams = new EventStreams(daemon.events, run, clock);
    const metrics = new Metrics(daemon, version, () => streams.readers);
    this.#closing.push(
      () => streams.close(),
      () => metrics.close(),
    );
    app.get('/metrics', async (c) =>
      c.body(await metrics.text(), 200, { 'Content-Type': metrics.contentType }),
    );
    app.route('/', operations({ daemon, streams, run, version, hasToken: !this.access.isOpen }));
  }

  /** Ends every connection. */
  async close(): Promise<void> {
    for (const end of this.#closing) end();
    this.#loop.close();
    await close(this.#server);
  }

  #guarded(fill: (app: Hono<Guarded>) => void): Hono<Guarded> {
    const app = new Hono<Guarded>();
    app.use(guard(this.access));
    fill(app);
    app.onError((error, c) => this.#problem(c, error));
    app.notFound((c) => {
      const error = new LivestowError('NOT_FOUND', 'there is nothing of this name', {
        hint: '/api/openapi.json says what there is',
      });
      return this.#problem(c, error);
    });
    return app;
  }

  #problem(c: Context<Guarded>, error: unknown): Response | Promise<Response> {
    const status = statusOf(error);
    if (status === 500)
      this.#options.log.error({ err: error, path: c.req.path }, 'a request failed: this is a bug');
    return this.#pages?.problem(c, error, status) ?? errorAnswer(c, error);
  }
}
