/**
 * HTTP-FLV: one long response, read in the beat that all connections share; a read gives one batch, whatever number of
 * tags lies in it. Repair is not done here: tags come out as they came in, without script data and what livestow knows no
 * codec for.
 */
import { isLivestowError, LivestowError } from '../kernel/errors.ts';
import { unitOfFlvTag } from '../media/flv-units.ts';
import { FlvTagReader } from '../media/flv.ts';
import type { MediaUnit } from '../media/packet.ts';
import { mediaError, type MediaResponse } from '../net/media-client.ts';
import { gatheredBody } from './gathered-body.ts';
import type { MediaSource, SourceDeps, SourceItem } from './source.ts';

/** Oddities that are told, at most: a hostile stream must not fill the events. */
const MAX_NOTES = 16;

export async function* openFlvSource(url: string, deps: SourceDeps, signal: AbortSignal): MediaSource {
  const response = await deps.media.open(url, { signal });
  const reader = new FlvTagReader();
  const noted = new Set<string>();
  let bytesBefore = 0;
  let endTag = false;

  try {
    for await (const { chunks, bytes, arrivedAtMs } of gatheredBody(response.body, deps)) {
      const units: MediaUnit[] = [];
      const notes: SourceItem[] = [];
      for (const tag of reader.push(chunks)) {
        const unit = unitOfFlvTag(tag);
        if (unit === undefined) continue;
        if (unit.kind === 'video' || unit.kind === 'audio') {
          units.push(unit);
          // An encoder that was restarted goes on behind its own end tag.
          endTag = false;
        } else if (unit.kind === 'end') {
          endTag = true;
        } else {
          const oddity = unit.kind === 'script' ? scriptName(unit.data) : unit.what;
          if (oddity === 'onMetaData' || noted.has(oddity) || noted.size >= MAX_NOTES) continue;
          noted.add(oddity);
          const event = unit.kind === 'script' ? 'script-data-dropped' : 'unsupported-dropped';
          notes.push({ kind: 'note', event, detail: { what: oddity } });
        }
      }
      bytesBefore += bytes;
      yield* notes;
      if (units.length > 0) yield { kind: 'media', units, arrivedAtMs, bytes };
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
  return { reason: endTag ? 'end-tag' : 'closed' };
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

/** AMF: a string marker, its length, the name of what follows. */
function scriptName(data: Buffer): string {
  if (data[0] !== 2 || data.length < 3) return 'script data without a name';
  return data.toString('utf8', 3, 3 + Math.min(64, data.readUInt16BE(1)));
}
