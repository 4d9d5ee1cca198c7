/**
 * Still pictures of a session, made of what is in the bucket: a storyboard (many small pictures in one, and a WebVTT track
 * that says which belongs to which time) and a poster. Only the beginnings of some segments are fetched, each once, and
 * only their keyframes are decoded. What cannot be had, or read, is left out; nothing is written.
 */
import { buffer } from 'node:stream/consumers';
import { drawKeyframes, encodeSheet, encodeStill, type DrawOptions } from '../ffmpeg/keyframe-pictures.ts';
import { forEachAtOnce } from '../kernel/at-once.ts';
import { isLivestowError } from '../kernel/errors.ts';
import { sessionKeys } from '../layout/keys.ts';
import { firstKeyframe, type Keyframe } from '../media/first-keyframe.ts';
import type { Manifest } from '../model/manifest.ts';
import type { Store } from '../store/store.ts';
import { keyIn, openSession, type SessionRef } from './session-reader.ts';
import { columnsFor, planStoryboard, thumbnailTrack, type Moment } from './storyboard-plan.ts';

/** More than most keyframes; the next parts are larger. */
const FIRST_PART_BYTES = 192 * 1024;
/** A keyframe beyond this is left out. */
const MOST_HEAD_BYTES = 4 * 1024 * 1024;
const FETCHES_AT_ONCE = 4;
/** Keyframes in memory, and of one ffmpeg process. */
const BATCH = 25;
const POSTER_WIDTH = 720;
/** Of the first segments, any will do. */
const POSTER_TRIES = 3;

export interface Storyboard {
  jpg: Buffer;
  /** Names the picture `storyboard.jpg`. */
  vtt: string;
}

/**
 * Undefined when the session has no pictures, or none that can be had. Throws NOT_FOUND, MANIFEST, FFMPEG_MISSING,
 * FFMPEG_FAILED, what the store throws, and the signal's reason.
 */
export async function makeStoryboard(
  store: Store,
  ref: SessionRef,
  options: DrawOptions,
): Promise<Storyboard | undefined> {
  const { manifest } = await openSession(store, ref, { quick: true, signal: options.signal });
  return storyboardOf(store, ref, manifest, options);
}

/** Of a session whose manifest is at hand. */
export async function storyboardOf(
  store: Store,
  ref: SessionRef,
  manifest: Manifest,
  options: DrawOptions,
): Promise<Storyboard | undefined> {
  const plan = planStoryboard(manifest);
  if (!plan) return undefined;
  const heads = new SegmentHeads(store, ref, options.signal);
  const shown: { atMs: number; picture: Buffer }[] = [];
  for (let from = 0; from < plan.moments.length; from += BATCH) {
    const found = await heads.keyframesOf(plan.moments.slice(from, from + BATCH));
    const pictures = await drawKeyframes(
      found.map(({ keyframe }) => keyframe),
      plan.tile,
      options,
    );
    for (const [i, picture] of pictures.entries())
      if (picture) shown.push({ atMs: found[i]?.atMs ?? 0, picture });
  }
  if (shown.length === 0) return undefined;
  const sheet = { ...plan.tile, columns: columnsFor(shown.length) };
  const pictures = shown.map(({ picture }) => picture);
  const times = shown.map(({ atMs }) => atMs);
  return {
    jpg: await encodeSheet(pictures, sheet, options),
    vtt: thumbnailTrack(sessionKeys.storyboard, times, plan),
  };
}

/** The first picture that can be had, as a JPEG at most 720 pixels wide; for the rest as `makeStoryboard`. */
export async function makePosterOf(
  store: Store,
  ref: SessionRef,
  options: DrawOptions,
): Promise<Buffer | undefined> {
  const { manifest } = await openSession(store, ref, { quick: true, signal: options.signal });
  const heads = new SegmentHeads(store, ref, options.signal);
  for (const moment of planStoryboard(manifest)?.moments.slice(0, POSTER_TRIES) ?? []) {
    const [found] = await heads.keyframesOf([moment]);
    if (!found) continue;
    try {
      return await encodeStill(found.keyframe, POSTER_WIDTH, options);
    } catch (error) {
      if (!isLivestowError(error, 'FFMPEG_FAILED')) throw error;
    }
  }
  return undefined;
}

/** Fetches the beginnings of segments. */
class SegmentHeads {
  readonly #store: Store;
  readonly #ref: SessionRef;
  readonly #signal: AbortSignal | undefined;
  /** Null: it is not there. */
  readonly #inits = new Map<string, Promise<Buffer | null>>();

  constructor(store: Store, ref: SessionRef, signal: AbortSignal | undefined) {
    this.#store = store;
    this.#ref = ref;
    this.#signal = signal;
  }

  /** Those that are there and can be read, in order. */
  async keyframesOf(moments: readonly Moment[]): Promise<{ atMs: number; keyframe: Keyframe }[]> {
    const found = new Map<Moment, Keyframe>();
    await forEachAtOnce(moments, FETCHES_AT_ONCE, async (moment) => {
      const keyframe = await this.#keyframeOf(moment).catch(unlessUnusable);
      if (keyframe) found.set(moment, keyframe);
    });
    return moments.flatMap((moment) => {
      const keyframe = found.get(moment);
      return keyframe ? [{ atMs: moment.atMs, keyframe }] : [];
    });
  }

  async #keyframeOf({ segment, epoch }: Moment): Promise<Keyframe | undefined> {
    const init = epoch.init === null ? null : await this.#init(epoch.init);
    if (epoch.init !== null && init === null) return undefined;
    const most = Math.min(segment.bytes, MOST_HEAD_BYTES);
    let head = Buffer.alloc(0);
    for (let end = FIRST_PART_BYTES; head.length < most; end *= 3) {
      const range = { start: head.length, end: Math.min(end, most) - 1 };
      const part = await this.#get(segment.key, range);
      head = Buffer.concat([head, part]);
      const isShort = part.length < range.end - range.start + 1;
      const keyframe = firstKeyframe(head, isShort || head.length === segment.bytes, init);
      if (keyframe || isShort) return keyframe;
    }
    return undefined;
  }

  #init(key: string): Promise<Buffer | null> {
    const known =
      this.#inits.get(key) ?? this.#get(key).catch((error: unknown) => unlessUnusable(error) ?? null);
    this.#inits.set(key, known);
    return known;
  }

  async #get(key: string, range?: { start: number; end: number }): Promise<Buffer> {
    const signal = this.#signal ? { signal: this.#signal } : {};
    try {
      const stream = await this.#store.get(keyIn(this.#ref, key), { ...(range ? { range } : {}), ...signal });
      return await buffer(stream);
    } catch (error) {
      // A stream that is ended in the middle gives an error of its own.
      this.#signal?.throwIfAborted();
      throw error;
    }
  }
}

/** Of one segment: the others are worth having. */
function unlessUnusable(error: unknown): undefined {
  const codes = ['STORE_NOT_FOUND', 'MEDIA_NOT_MEDIA', 'MEDIA_UNSUPPORTED'] as const;
  if (codes.some((code) => isLivestowError(error, code))) return undefined;
  throw error;
}
