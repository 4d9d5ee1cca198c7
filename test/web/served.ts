/** A daemon in this process, over the sandbox, with its web server: everything is real but the world that it watches. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { onTestFinished, vi } from 'vitest';
import { z } from 'zod';
import { openSite } from '../../src/cli/open-site.ts';
import { loadConfig, type LoadedConfig } from '../../src/config/load.ts';
import { Daemon } from '../../src/daemon/daemon.ts';
import { WebView } from '../../src/daemon/web-view.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { silentLogger } from '../../src/kernel/logger.ts';
import type { LivestowEvent } from '../../src/model/event.ts';
import { createSandbox, type Sandbox } from '../../src/sandbox/sandbox.ts';
import { creatorSchema } from '../../src/web/schemas.ts';
import { WebServer } from '../../src/web/server.ts';
import { CANARY } from '../e2e/canary.ts';
import { scratchFolder } from '../spool/scratch.ts';

export const SECRETS = { apiKey: `sfk_${CANARY}`, token: `token-${CANARY}` };

const CONFIG = `
creators:
  - alice
  - handle: bob
    group: slow
    note: of the file
groups:
  slow:
    priority: -5
`;

export interface Plan {
  config?: string;
  env?: Record<string, string>;
  /** Without one, as on a machine of one's own. */
  token?: string | null;
}

export class Served {
  readonly sandbox: Sandbox;
  readonly folder: string;
  readonly daemon: Daemon;
  readonly server: WebServer;
  readonly inForce: { first: LoadedConfig; latest: LoadedConfig; waiting: string[] };
  readonly #env: Record<string, string>;
  readonly #token: string | null;

  private constructor(
    parts: Pick<Served, 'sandbox' | 'folder' | 'daemon' | 'server' | 'inForce'> & {
      env: Record<string, string>;
      token: string | null;
    },
  ) {
    this.sandbox = parts.sandbox;
    this.folder = parts.folder;
    this.daemon = parts.daemon;
    this.server = parts.server;
    this.inForce = parts.inForce;
    this.#env = parts.env;
    this.#token = parts.token;
  }

  static async open({ config = CONFIG, env = {}, token = null }: Plan = {}): Promise<Served> {
    const folder = await scratchFolder();
    const creators = Object.fromEntries(
      ['alice', 'bob', 'carol'].map((handle) => [handle, { variants: [{ media: 'small' as const }] }]),
    );
    const sandbox = await createSandbox({ scenario: { apiKey: SECRETS.apiKey, creators } });
    onTestFinished(() => sandbox.close());
    await writeFile(join(folder, 'livestow.yaml'), config);
    const settings = {
      LIVESTOW_API_KEY: SECRETS.apiKey,
      LIVESTOW_API_URL: sandbox.apiUrl,
      LIVESTOW_MEDIA_HOSTS: '127.0.0.1',
      LIVESTOW_POLL_INTERVAL: '500ms',
      LIVESTOW_SEGMENT_DURATION: '2s',
      LIVESTOW_LISTEN: '127.0.0.1:0',
      LIVESTOW_CACHE: join(folder, 'cache'),
      ...(token === null ? {} : { LIVESTOW_TOKEN: token }),
      ...env,
    };
    const first = await loadConfig({ flags: {}, env: settings, cwd: folder });
    const inForce = { first, latest: first, waiting: [] as string[] };
    const shared = { clock: systemClock, log: silentLogger(), version: '1.2.3' };
    const { listen, token: secret, viewerToken } = first.config;
    if (listen === null) throw new Error('nobody listens');
    const server = await WebServer.open({ listen, tokens: { token: secret, viewerToken }, ...shared });
    onTestFinished(() => server.close());
    const daemon = await Daemon.open({ config: first.config, ...shared });
    onTestFinished(async () => {
      daemon.giveUp();
      await daemon.end('drain');
      await daemon.close();
    });
    const view = new WebView(daemon, { ...shared, config: () => inForce });
    const ending = new AsyncDisposableStack();
    onTestFinished(() => ending.disposeAsync());
    const parts = {
      store: daemon.recorder.store,
      config: first.config,
      env: settings,
      access: server.access,
    };
    const pages = await openSite({ ...shared, ...parts, daemon: view, inForce: () => view.config() }, ending);
    server.serve({ daemon: view, pages });
    return new Served({ sandbox, folder, daemon, server, inForce, env: settings, token });
  }

  /** Reads the config file as it is now. */
  async reload(config: string): Promise<void> {
    await writeFile(join(this.folder, 'livestow.yaml'), config);
    this.inForce.latest = await loadConfig({ flags: {}, env: this.#env, cwd: this.folder });
    this.inForce.waiting = this.daemon.reload(this.inForce.latest.config).waiting;
  }

  fetch(path: string, init: RequestInit = {}): Promise<Response> {
    const token: Record<string, string> =
      this.#token === null ? {} : { authorization: `Bearer ${this.#token}` };
    return fetch(`${this.server.url}${path}`, {
      ...init,
      headers: { ...token, ...(init.headers as Record<string, string> | undefined) },
    });
  }

  /** What an operation answers, with its status. */
  async call(method: string, path: string, body?: unknown): Promise<{ status: number; body: unknown }> {
    const response = await this.fetch(`/api/v1${path}`, {
      method,
      ...(body === undefined
        ? {}
        : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    });
    return { status: response.status, body: await response.json() };
  }

  /** The first event, past or to come, that the predicate is true of. */
  happens(predicate: (event: LivestowEvent) => boolean): Promise<LivestowEvent> {
    const { events } = this.daemon;
    const past = events.since(0).find(predicate);
    if (past) return Promise.resolve(past);
    return new Promise((resolve) => {
      const listener = (event: LivestowEvent): void => {
        if (!predicate(event)) return;
        events.off('event', listener);
        resolve(event);
      };
      events.on('event', listener);
    });
  }

  /** Alice is live, and media comes. */
  async recordsAlice(): Promise<void> {
    this.sandbox.goLive('alice');
    await this.isAt('alice', 'recording');
  }

  async isAt(handle: string, state: string): Promise<void> {
    await vi.waitFor(
      async () => {
        const { body } = await this.call('GET', `/creators/${handle}`);
        const at = creatorSchema.parse(body).state;
        if (at !== state) throw new Error(`@${handle} is ${at}, not ${state}`);
      },
      { timeout: 20_000 },
    );
  }
}

export const errorOf = (body: unknown): { code: string; message: string; hint: string | null } =>
  z
    .object({ error: z.object({ code: z.string(), message: z.string(), hint: z.string().nullable() }) })
    .parse(body).error;
