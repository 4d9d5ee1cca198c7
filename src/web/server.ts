/**
 * The HTTP server of `livestow serve`: API, health, metrics, behind one guard. It listens before the daemon is there, so
 * that an address that cannot be had is known before anything is looked up, and says meanwhile that it starts.
 */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createAdaptorServer } from '@hono/node-server';
import { Hono } from 'hono';
import { isLoopback, urlOf, type ListenAddress } from '../config/listen-address.ts';
import type { Config } from '../config/schema.ts';
import type { Secret } from '../kernel/secret.ts';
import type { Clock } from '../kernel/clock.ts';
import { LivestowError } from '../kernel/errors.ts';
import type { Logger } from '../kernel/logger.ts';
import type { DaemonView } from './daemon-view.ts';
import { errorAnswer } from './errors.ts';
import { EventStreams } from './event-stream.ts';
import { guard } from './guard.ts';
import { healthRoutes, LoopWatch } from './health.ts';
import { Metrics } from './metrics.ts';
import { operations } from './operations.ts';

export interface WebServerOptions {
  listen: ListenAddress;
  token: Secret | null;
  clock: Clock;
  log: Logger;
  version: string;
}

/** @throws CONFIG: others than this machine's users could reach it, and nothing keeps them out */
export function requireToken({ listen, token }: Pick<Config, 'listen' | 'token'>): void {
  if (listen === null || token !== null || isLoopback(listen.host)) return;
  throw new LivestowError('CONFIG', `other machines reach ${listen.host}, and there is no token`, {
    hint: 'set LIVESTOW_TOKEN (openssl rand -hex 24 makes one), or listen on 127.0.0.1',
  });
}

export class WebServer {
  readonly #options: WebServerOptions;
  readonly #server: Server;
  readonly #loop: LoopWatch;
  #app: Hono;
  #closing: (() => void)[] = [];

  private constructor(options: WebServerOptions) {
    this.#options = options;
    this.#loop = new LoopWatch(options.clock);
    this.#app = this.#guarded((app) => {
      app.route('/', healthRoutes(this.#loop, undefined));
      app.all('*', () => {
        throw new LivestowError('UNAVAILABLE', 'livestow serve is starting', { retryable: true });
      });
    });
    this.#server = createAdaptorServer({
      fetch: (request, environment) => this.#app.fetch(request, environment),
    }) as Server;
  }

  /** @throws CONFIG when it must not or cannot listen there */
  static async open(options: WebServerOptions): Promise<WebServer> {
    requireToken(options);
    const server = new WebServer(options);
    const { host, port } = options.listen;
    server.#server.listen(port, host);
    try {
      await once(server.#server, 'listening');
    } catch (cause) {
      server.#loop.close();
      throw new LivestowError('CONFIG', `nothing can listen on ${urlOf(options.listen)}`, {
        cause,
        hint: 'something else listens there, another livestow serve perhaps: --listen takes another address, or off',
      });
    }
    return server;
  }

  /** For whoever connects. */
  get url(): string {
    const { port } = this.#server.address() as AddressInfo;
    return urlOf({ ...this.#options.listen, port });
  }

  /** From now on it answers for this daemon. */
  serve(daemon: DaemonView): void {
    const { clock, token, version } = this.#options;
    const run = randomUUID().slice(0, 8);
    const streams = new EventStreams(daemon.events, run, clock);
    const metrics = new Metrics(daemon, version, () => streams.readers);
    this.#closing.push(
      () => streams.close(),
      () => metrics.close(),
    );
    this.#app = this.#guarded((app) => {
      app.route('/', healthRoutes(this.#loop, daemon));
      app.get('/metrics', async (c) =>
        c.body(await metrics.text(), 200, { 'Content-Type': metrics.contentType }),
      );
      app.route('/', operations({ daemon, streams, run, version, hasToken: token !== null }));
    });
  }

  /** Ends every connection. */
  async close(): Promise<void> {
    for (const close of this.#closing) close();
    this.#loop.close();
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }

  #guarded(fill: (app: Hono) => void): Hono {
    const app = new Hono();
    app.use(guard(this.#options.token));
    fill(app);
    app.onError((error, c) => errorAnswer(c, error, this.#options.log));
    app.notFound((c) => {
      const error = new LivestowError('NOT_FOUND', 'there is nothing of this name', {
        hint: '/api/openapi.json says what there is',
      });
      return errorAnswer(c, error, this.#options.log);
    });
    return app;
  }
}
