/**
 * HTTP-FLV: one long response, read in the beat that all connections share; a read gives one batch, whatever number of
 * tags lies in it.
 */
import { isLivestowError, LivestowError } from '../kernel/errors.ts';
import { FlvTagReader } from '../media/flv.ts';
import { mediaError, type MediaResponse } from '../net/media-client.ts';
import { FlvRepair } from './flv-repair.ts';
import { gatheredBody } from './gathered-body.ts';
import type { MediaSource, SourceDeps } from './source.ts';

export async function* openFlvSource(url: string, deps: SourceDeps, signal: AbortSignal): MediaSource {
  const response = await deps.media.open(url, { signal });
  const reader = new FlvTagReader();
  const repair = new FlvRepair();
  let bytesBefore = 0;

  try {
    for await (const { chunks, bytes, arrivedAtMs } of gatheredBody(response.body, deps)) {
      const { units, notes, damage } = repair.take(reader.push(chunks));
      bytesBefore += bytes;
      for (const note of notes) yield { kind: 'note', ...note };
      if (units.length > 0) yield { kind: 'media', units, arrivedAtMs, bytes };
      if (damage) throw damage;
    }
  } catch (error) {
    throw bytesBefore === 0 && isLivestowError(error, 'MEDIA_NOT_MEDIA')
      ? whatCameInstead(error, response)
      : mediaError(error, url, signal);
  } finally {
    response.body.destroy();
  }

  const { tornBytes } = reader.end();
  if (tornBytes > 0) yield { kind: 'note', event: 'torn-tag', detail: { bytes: tornBytes } };
  return { reason: repair.ended ? 'end-tag' : 'closed' };
}

/** A body that never was media: an error page, a playlist, JSON. */
function whatCameInstead(error: LivestowError, { headers, status, url }: MediaResponse): LivestowError {
  const contentType = String(headers['content-type'] ?? 'no content type').slice(0, 80);
  return new LivestowError('MEDIA_NOT_MEDIA', `${new URL(url).host} sent ${contentType} instead of FLV`, {
    retryable: true,
    cause: error,
    context: { ...error.context, contentType, status, host: new URL(url).host },
  });
}
