/**
 * The way back up: while a lower variant is recorded, those above it that may be tried again are tried beside it, one at a
 * time. One that brings a keyframe, and goes on for a while, is back: its connection is kept open, with what it brought,
 * and takes over. An edge that is dead may still send what it has in its cache.
 */
import type { MediaSource, SourceItem } from '../ingest/source.ts';
import type { Clock } from '../kernel/clock.ts';
import { isLivestowError } from '../kernel/errors.ts';
import { isConfig, type MediaUnit } from '../media/packet.ts';
import type { Variant } from '../model/variant.ts';
import type { OpenSource } from './attempt.ts';
import type { VariantChoice } from './variant-choice.ts';

const CHECK_MS = 5_000;
/** So long a connection may take to bring a keyframe: a GOP, and then some. */
const PATIENCE_MS = 10_000;
/** So long media must keep coming behind its first keyframe. */
const STEADY_MS = 1_000;

export interface Returned {
  variant: Variant;
  /** Gives what it brought already, and goes on. May be called once. */
  open: OpenSource;
  /** Closes the connection, when nobody wants it any more. */
  close(): void;
}

export interface ReturnDeps {
  choice: VariantChoice;
  openSource: OpenSource;
  clock: Clock;
  onFailure(variant: Variant, code: string | null): void;
  onReturn(variant: Variant): void;
}

/** Resolves with a better variant that works, or with null when the signal aborts. */
export async function returnToBetter(
  than: Variant,
  deps: ReturnDeps,
  signal: AbortSignal,
): Promise<Returned | null> {
  const { choice, clock } = deps;
  while (await passed(clock.delay(CHECK_MS, signal), signal)) {
    const variant = choice.better(than, clock.monotonic());
    if (!variant) continue;
    const outcome = await tried(variant, deps, signal);
    if (signal.aborted) {
      if (isBack(outcome)) outcome.close();
      return null;
    }
    if (isBack(outcome)) {
      deps.onReturn(variant);
      return outcome;
    }
    choice.setAside(variant, clock.monotonic());
    deps.onFailure(variant, outcome.code);
  }
  return null;
}

type Tried = Returned | { code: string | null };

const isBack = (outcome: Tried): outcome is Returned => 'open' in outcome;

async function tried(
  variant: Variant,
  { openSource, clock }: ReturnDeps,
  signal: AbortSignal,
): Promise<Tried> {
  const connection = new AbortController();
  const close = (): void => connection.abort();
  signal.addEventListener('abort', close, { once: true });
  const cancelPatience = clock.after(PATIENCE_MS, close);
  const brought: SourceItem[] = [];
  let keyframeAtMs: number | undefined;
  const source = openSource(variant, connection.signal);
  try {
    for (;;) {
      const step = await source.next();
      // What is complete already is no broadcast that goes on.
      if (step.done || step.value.kind === 'complete') break;
      brought.push(step.value);
      if (step.value.kind !== 'media') continue;
      if (hasKeyframe(step.value)) keyframeAtMs ??= clock.monotonic();
      if (keyframeAtMs === undefined || clock.monotonic() - keyframeAtMs < STEADY_MS) continue;
      return { variant, open: (_, until) => goingOn(brought, source, connection, until), close };
    }
    connection.abort();
    return { code: null };
  } catch (error) {
    // By the session's end, or for want of patience.
    const wasEnded = connection.signal.aborted;
    connection.abort();
    if (wasEnded) return { code: null };
    if (isLivestowError(error)) return { code: error.code };
    throw error;
  } finally {
    cancelPatience();
    signal.removeEventListener('abort', close);
  }
}

async function* goingOn(
  brought: readonly SourceItem[],
  source: MediaSource,
  connection: AbortController,
  until: AbortSignal,
): MediaSource {
  const close = (): void => connection.abort(until.reason);
  until.addEventListener('abort', close, { once: true });
  if (until.aborted) close();
  try {
    yield* brought;
    return yield* source;
  } finally {
    until.removeEventListener('abort', close);
  }
}

const hasKeyframe = ({ units }: { units: readonly MediaUnit[] }): boolean =>
  units.some((unit) => unit.kind === 'video' && !isConfig(unit) && unit.key);

/** Whether it came to its end before the signal aborted. */
const passed = (waiting: Promise<void>, signal: AbortSignal): Promise<boolean> =>
  waiting.then(
    () => !signal.aborted,
    (error: unknown) => {
      if (!signal.aborted) throw error;
      return false;
    },
  );
