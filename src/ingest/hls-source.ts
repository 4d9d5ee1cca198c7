/**
 * HLS with MPEG-TS segments: the playlist is read again as it grows, and each segment is fetched once, in order, its media
 * given on as it arrives. Everything the window offers is taken, from its oldest segment on. One segment is in the air at
 * a time and none is held: a connection that breaks in the middle of one is made again and what was had is passed over.
 */
import { isLivestowError, LivestowError } from '../kernel/errors.ts';
import { MpegTsDemuxer } from '../media/mpegts.ts';
import { mediaError } from '../net/media-client.ts';
import { HlsPoller } from './hls-poller.ts';
import { fetchSegment } from './hls-segment.ts';
import type { Turn } from './hls-window.ts';
import type { MediaSource, SourceDeps, SourceItem } from './source.ts';

/** Tries for one segment; the pauses between them are together about one segment long. */
const SEGMENT_TRIES = 5;
const RETRY_BASE_MS = 250;
/** When so many segments in a row can't be had, another variant may do better. */
const MISSING_MAX = 3;
const TS_SYNC = 0x47;

/** A refusal that trying again can't mend. */
const isFinal = (error: unknown): boolean =>
  !isLivestowError(error) || isLivestowError(error, 'MEDIA_FORBIDDEN_HOST', 'MEDIA_UNSUPPORTED');

export async function* openHlsSource(url: string, deps: SourceDeps, signal: AbortSignal): MediaSource {
  const { clock } = deps;
  const poller = new HlsPoller(url, deps, signal);
  let demuxer = new MpegTsDemuxer();
  let missingInARow = 0;
  await poller.begin();
  if (poller.window.ended) yield { kind: 'complete', upTo: poller.window.lastName };

  try {
    for (;;) {
      signal.throwIfAborted();
      const { missedMs, restarted } = poller.takeNews();
      if (restarted) {
        demuxer = new MpegTsDemuxer();
        yield { kind: 'note', event: 'playlist-restarted', detail: {} };
        yield { kind: 'discontinuity' };
      }
      if (missedMs > 0) yield missing(missedMs, false);

      const turn = poller.window.take();
      if (turn === undefined) {
        if (poller.window.ended) return { reason: 'endlist', upTo: poller.window.lastName };
        if (poller.frozen) return { reason: 'frozen' };
        await poller.wait();
        continue;
      }
      if (turn.segment.discontinuity) {
        demuxer = new MpegTsDemuxer();
        yield { kind: 'discontinuity' };
      }
      const failure = yield* readSegment(turn);
      if (failure === undefined) {
        missingInARow = 0;
      } else {
        missingInARow += 1;
        if (missingInARow >= MISSING_MAX && failure !== 'gap') throw failure;
      }
      await poller.pollIfDue();
    }
  } catch (error) {
    throw mediaError(error, url, signal);
  }

  /** Gives the segment's media, or says that it is missing; returns why. */
  async function* readSegment(
    turn: Turn,
  ): AsyncGenerator<SourceItem, LivestowError | 'gap' | undefined, undefined> {
    // Of a window all segments come at once, and only the last of them was just made.
    const madeBeforeMs = (): number => clock.monotonic() - poller.window.behindMs(turn);
    let receivedBytes = 0;
    let failure: LivestowError | 'gap' | undefined = turn.segment.gap ? 'gap' : undefined;
    for (let tries = 1; failure !== 'gap'; tries += 1) {
      const segment = poller.window.latest(turn);
      if (segment === undefined) break;
      try {
        const idleTimeoutMs = Math.max(5_000, 2 * poller.targetDurationMs);
        for await (const chunk of fetchSegment(segment, deps, {
          signal,
          idleTimeoutMs,
          skipBytes: receivedBytes,
        })) {
          const arrivedAtMs = madeBeforeMs();
          // The demultiplexer looks for packets in anything; an error page would pass as a segment without media.
          if (receivedBytes === 0 && chunk[0] !== TS_SYNC) throw notTransportStream(chunk);
          receivedBytes += chunk.length;
          const units = demuxer.push(chunk);
          if (units.length > 0) yield { kind: 'media', units, arrivedAtMs, bytes: chunk.length };
        }
        const units = demuxer.flush();
        if (units.length > 0) yield { kind: 'media', units, arrivedAtMs: madeBeforeMs(), bytes: 0 };
        return undefined;
      } catch (error) {
        const known = mediaError(error, segment.url, signal);
        if (isFinal(known)) throw known;
        failure = known as LivestowError;
        yield {
          kind: 'note',
          event: 'segment-failed',
          detail: { sequence: segment.sequence, tries, code: failure.code },
        };
        // What has been demultiplexed can't be taken back: bytes that are no media would be none the second time too.
        const spoilt = failure.code === 'MEDIA_NOT_MEDIA' && receivedBytes > 0;
        if (tries >= SEGMENT_TRIES || spoilt) break;
        await clock.delay(RETRY_BASE_MS * 2 ** (tries - 1), signal);
        await poller.pollIfDue();
      }
    }
    // Half a picture at its end must not come out as one.
    demuxer = new MpegTsDemuxer();
    yield missing(turn.segment.durationMs, receivedBytes > 0);
    return failure;
  }
}

const missing = (durationMs: number, partial: boolean): SourceItem => ({
  kind: 'missing',
  cause: 'segment-missing',
  durationMs,
  partial,
});

const notTransportStream = (bytes: Buffer): LivestowError =>
  new LivestowError('MEDIA_NOT_MEDIA', 'a segment of the playlist is no MPEG-TS', {
    retryable: true,
    context: { beginsWith: bytes.toString('hex', 0, 16) },
  });
