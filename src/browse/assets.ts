/**
 * What the pages load: scripts and styles, bundled from `src/ui`. Each is named by what is in it, so browsers keep it for
 * good. They are read once, and compressed when a browser first asks.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { brotliCompress, constants } from 'node:zlib';
import { Hono } from 'hono';
import { z } from 'zod';
import { LivestowError } from '../kernel/errors.ts';
import { isMissing } from '../kernel/files.ts';

/** The same from `src` and from `dist`. */
const BUNDLED = fileURLToPath(new URL('../../dist/ui/', import.meta.url));

const manifestSchema = z.record(z.string(), z.object({ file: z.string() }));

const TYPES: Record<string, string> = {
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
  svg: 'image/svg+xml',
};
const typeOf = (name: string): string =>
  TYPES[name.slice(name.lastIndexOf('.') + 1)] ?? 'application/octet-stream';

/** By the source file that each comes from. */
export type AssetName = 'app.ts' | 'session.ts' | 'style.css' | 'icon.svg' | 'hls.worker.js';

interface Asset {
  plain: Buffer<ArrayBuffer>;
  compressed: () => Promise<Buffer<ArrayBuffer>>;
}

const compress = promisify(brotliCompress);
const QUALITY = { params: { [constants.BROTLI_PARAM_QUALITY]: 9 } };

export class Assets {
  readonly #urls: ReadonlyMap<string, string>;
  readonly #files: ReadonlyMap<string, Asset>;

  private constructor(urls: ReadonlyMap<string, string>, files: ReadonlyMap<string, Asset>) {
    this.#urls = urls;
    this.#files = files;
  }

  /** @throws UNAVAILABLE when they were not built */
  static async load(): Promise<Assets> {
    const text = await readFile(join(BUNDLED, 'manifest.json'), 'utf8').catch((cause: unknown) => {
      if (!isMissing(cause)) throw cause;
      throw new LivestowError('UNAVAILABLE', 'the scripts and styles of the pages are not there', {
        cause,
        hint: 'in a checkout, npm run build:ui makes them; scripts/livestow does so by itself',
      });
    });
    const manifest = manifestSchema.parse(JSON.parse(text));
    const files = new Map<string, Asset>();
    for (const { file } of Object.values(manifest)) {
      const plain = await readFile(join(BUNDLED, file));
      let compressed: Promise<Buffer<ArrayBuffer>> | undefined;
      files.set(file, { plain, compressed: () => (compressed ??= compress(plain, QUALITY)) });
    }
    const urls = Object.entries(manifest).map(([source, { file }]): [string, string] => [
      nameOf(source),
      `/${file}`,
    ]);
    return new Assets(new Map(urls), files);
  }

  url(name: AssetName): string {
    const url = this.#urls.get(name);
    if (url === undefined) throw new Error(`${name} was not bundled`);
    return url;
  }

  routes(): Hono {
    const routes = new Hono();
    routes.get('/assets/:name{[\\w.-]+}', async (c) => {
      const name = `assets/${c.req.param('name')}`;
      const asset = this.#files.get(name);
      if (!asset) return c.notFound();
      const takesBrotli = /\bbr\b/.test(c.req.header('Accept-Encoding') ?? '');
      c.header('Content-Type', typeOf(name));
      c.header('Cache-Control', 'public, max-age=31536000, immutable');
      c.header('Vary', 'Accept-Encoding');
      if (takesBrotli) c.header('Content-Encoding', 'br');
      return c.body(takesBrotli ? await asset.compressed() : asset.plain);
    });
    return routes;
  }
}

const nameOf = (source: string): string => source.slice(source.lastIndexOf('/') + 1);
