/**
 * Signed addresses of media, as a CDN hands them out:
 * `/cdn/<handle>/<roomId>/<variant>/stream.flv?expire=…&issued=…&sign=…`. `expire` is in seconds since 1970; `issued` is the
 * broadcast's position when the address was made, so that a scripted expiry knows old from new.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { LivestowError } from '../../kernel/errors.ts';

export interface StreamAddress {
  handle: string;
  roomId: string;
  /** Index in the creator's variants. */
  variant: number;
  file: 'stream.flv' | 'index.m3u8' | 'index.mpd' | { sequence: number };
}

export type AddressCheck = 'good' | 'unsigned' | 'expired';

const PATH = /^\/cdn\/([^/]+)\/([^/]+)\/(\d+)\/(?:(stream\.flv|index\.m3u8|index\.mpd)|(\d+)\.ts)$/;

export class Addresses {
  readonly #secret = randomBytes(16);

  /** Path and query. */
  sign(address: StreamAddress, expireAtMs: number, issuedMs: number): string {
    const path = pathOf(address);
    const expire = String(Math.ceil(expireAtMs / 1_000));
    const issued = issuedMs.toFixed(3);
    const sign = this.#signature(path, expire, issued);
    return `${path}?${new URLSearchParams({ expire, issued, sign }).toString()}`;
  }

  check(path: string, query: URLSearchParams, nowMs: number): AddressCheck {
    const [expire, issued] = [query.get('expire') ?? '', query.get('issued') ?? ''];
    const expected = Buffer.from(this.#signature(path, expire, issued));
    const given = Buffer.from(query.get('sign') ?? '');
    if (given.length !== expected.length || !timingSafeEqual(given, expected)) {
      return 'unsigned';
    }
    return Number(expire) * 1_000 < nowMs ? 'expired' : 'good';
  }

  #signature(path: string, expire: string, issued: string): string {
    return createHmac('sha256', this.#secret)
      .update(`${path}\n${expire}\n${issued}`)
      .digest('hex')
      .slice(0, 32);
  }
}

function pathOf({ handle, roomId, variant, file }: StreamAddress): string {
  if (typeof file === 'object') {
    throw new LivestowError(
      'USAGE',
      'An HLS segment has no address of its own: it is relative to its playlist.',
    );
  }
  return `/cdn/${handle}/${encodeURIComponent(roomId)}/${variant}/${file}`;
}

/** Undefined for a path that is no media. */
export function parseStreamPath(path: string): StreamAddress | undefined {
  const match = PATH.exec(path);
  if (!match) {
    return undefined;
  }
  const [, handle, roomId, variant, file, sequence] = match;
  return {
    handle: handle!,
    roomId: decodeURIComponent(roomId!),
    variant: Number(variant),
    file:
      file === undefined
        ? { sequence: Number(sequence) }
        : (file as 'stream.flv' | 'index.m3u8' | 'index.mpd'),
  };
}
