/** The bytes of one HLS segment, from where an earlier try broke off. */
import { LivestowError } from '../kernel/errors.ts';
import { bareUrl } from '../kernel/redact.ts';
import type { HlsSegment } from './hls-playlist.ts';
import type { SourceDeps } from './source.ts';

export interface SegmentFetch {
  signal: AbortSignal;
  /** A body that is silent for this long is given up. */
  idleTimeoutMs: number;
  /** Had already. The beginning is fetched again and passed over: not every server knows ranges. */
  skipBytes: number;
}

/** Throws MEDIA_*, and raw errors of the body. */
export async function* fetchSegment(
  { url, byteRange }: HlsSegment,
  { media }: SourceDeps,
  { signal, idleTimeoutMs, skipBytes }: SegmentFetch,
): AsyncGenerator<Buffer, void, undefined> {
  const headers: Record<string, string> = byteRange
    ? { range: `bytes=${byteRange.offset}-${byteRange.offset + byteRange.length - 1}` }
    : {};
  const response = await media.open(url, { signal, idleTimeoutMs, headers });
  // A server without ranges sends the whole resource.
  const from = (byteRange && response.status !== 206 ? byteRange.offset : 0) + skipBytes;
  let leftToSkip = from;
  let left = byteRange ? byteRange.length - skipBytes : Number.POSITIVE_INFINITY;
  let given = 0;
  try {
    for await (const chunk of response.body as AsyncIterable<Buffer>) {
      const skipped = Math.min(leftToSkip, chunk.length);
      leftToSkip -= skipped;
      const fresh = chunk.subarray(skipped, skipped + Math.min(left, chunk.length - skipped));
      if (fresh.length > 0) {
        left -= fresh.length;
        given += fresh.length;
        yield fresh;
      }
      if (left <= 0) return;
    }
  } finally {
    response.body.destroy();
  }
  const short = byteRange ? left > 0 : leftToSkip > 0 || (given === 0 && skipBytes === 0);
  if (short) {
    throw new LivestowError('MEDIA_HTTP', `${new URL(url).host} sent less of a segment than it has`, {
      retryable: true,
      context: { status: response.status, url: bareUrl(url) },
    });
  }
}
