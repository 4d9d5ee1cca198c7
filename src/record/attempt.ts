/**
 * One attempt: one connection to one variant, from opening it to its end. It knows nothing of retry, holds or looks; it
 * says how it ended and whether it brought anything new.
 */
import { AnySignal } from '../kernel/any-signal.ts';
import type { Clock } from '../kernel/clock.ts';
import { isLivestowError, type LivestowError } from '../kernel/errors.ts';
import type { Timeline, TimelineItem } from '../ingest/timeline.ts';
import type { MediaSource, SourceItem } from '../ingest/source.ts';
import type { GapCause } from '../model/causes.ts';
import { variantLabel, type Variant } from '../model/variant.ts';
import type { SessionRecording } from './session-recording.ts';
import { StallWatchdog } from './stall-watchdog.ts';

export interface AttemptOutcome {
  /** Why media may be missing after it. */
  cause: GapCause;
  /** Milliseconds of new media it brought; 0: none. */
  mediaMs: number;
  /** Of the error that ended it, if one did. */
  error: LivestowError | null;
  /** A complete playlist was read to its end: its last segment's name. */
  completedUpTo: string | null;
  /** The playlist stands still: it will not move for being opened anew. */
  frozen: boolean;
}

/** A CDN without a cache begins in the middle of a GOP: so long the first keyframe may take, while pictures come. */
const KEYFRAME_WAIT_MS = 15_000;

export type OpenSource = (variant: Variant, signal: AbortSignal) => MediaSource;

export interface AttemptDeps {
  openSource: OpenSource;
  timeline: Timeline;
  recording: SessionRecording;
  clock: Clock;
  /** No new media for this long, on an open connection, ends the attempt. */
  stallMs: number;
  /** Whether a playlist that is complete already, up to the segment of this name, is left alone: it was recorded. */
  passesOver: (upTo: string) => boolean;
  /** Whose fault it is: not the CDN's while livestow itself stood still. */
  blame: (cause: GapCause) => GapCause;
  /** Called with the first new media. */
  onMedia(): void;
}

/** Rejects only with what is no attempt's matter: a failing spool or engine. */
export async function attempt(
  variant: Variant,
  deps: AttemptDeps,
  signal: AbortSignal,
): Promise<AttemptOutcome> {
  const { timeline, recording } = deps;
  const label = variantLabel(variant);
  let fromMs = timeline.endDtsMs;
  const patientUntilMs = deps.clock.awake() + KEYFRAME_WAIT_MS;
  const watchdog = new StallWatchdog(deps.clock, deps.stallMs);
  using until = new AnySignal(signal, watchdog.signal);
  let delivered = false;
  let frozen = false;
  let ended: { cause: GapCause; error: LivestowError | null };
  let completedUpTo: string | null = null;
  try {
    const source = deps.openSource(variant, until.signal);
    for (;;) {
      const step = await source.next();
      if (step.done) {
        frozen = step.value.reason === 'frozen';
        ended = { cause: frozen ? 'stall' : 'connection-lost', error: null };
        if (step.value.reason === 'endlist') completedUpTo = step.value.upTo;
        break;
      }
      const item = step.value;
      if (item.kind === 'note') {
        recording.event(item.event, item.detail);
        continue;
      }
      if (item.kind === 'complete') {
        if (!deps.passesOver(item.upTo)) continue;
        ended = { cause: 'connection-lost', error: null };
        break;
      }
      const items = onTimeline(deps, item);
      const isNew = items.some(({ kind }) => kind === 'video' || kind === 'audio');
      if (isNew && !delivered) {
        delivered = true;
        fromMs ??= timeline.endDtsMs;
        deps.onMedia();
      }
      watchdog.pause();
      await recording.take(items, label);
      // Only at the beginning: later on, media that has to be looked at twice is what a dead connection sends.
      const isBeginning = !delivered && deps.clock.awake() < patientUntilMs;
      watchdog.resume(isNew || (isBeginning && timeline.isWaiting));
    }
  } catch (error) {
    if (signal.aborted) ended = { cause: 'connection-lost', error: null };
    else if (watchdog.signal.aborted) ended = { cause: 'stall', error: null };
    else if (isLivestowError(error) && error.code.startsWith('MEDIA_'))
      ended = { cause: causeOf(error), error };
    else throw error;
  } finally {
    watchdog.stop();
  }
  await recording.take(timeline.finish(), label);
  const mediaMs = (timeline.endDtsMs ?? 0) - (fromMs ?? 0);
  return {
    ...ended,
    cause: deps.blame(ended.cause),
    mediaMs: delivered ? Math.max(1, mediaMs) : 0,
    completedUpTo,
    frozen,
  };
}

function onTimeline(
  { timeline, blame }: AttemptDeps,
  item: Exclude<SourceItem, { kind: 'note' | 'complete' }>,
): TimelineItem[] {
  switch (item.kind) {
    case 'media':
      return timeline.push(item.units, item.arrivedAtMs);
    case 'discontinuity':
      return timeline.interrupt(blame('source-skip'));
    case 'missing':
      return timeline.interrupt(blame(item.cause));
  }
}

function causeOf(error: LivestowError): GapCause {
  if (error.code === 'MEDIA_HTTP' || error.code === 'MEDIA_FORBIDDEN_HOST') return 'refused';
  return error.code === 'MEDIA_NETWORK' ? 'connection-lost' : 'not-media';
}
