/**
 * The archive's data: manifest, journal entries, summary. `livestow/1` is the format that this file reads and writes;
 * unknown fields are kept out of the way (ignored), a higher major format is refused by the decoder in `layout/`.
 * Times are ISO-8601 UTC. All keys are relative to the session's folder.
 */
import { z } from 'zod';
import { endCauseSchema, gapCauseSchema } from './causes.ts';

export const FORMAT = 'livestow/1';

const isoTime = z.iso.datetime({ offset: true });
const count = z.number().int().nonnegative();
const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
/** Relative, forward slashes, no way out of the session's folder. */
const objectKey = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._/-]*$/)
  .refine((key) => !key.split('/').includes('..'), 'leaves the session');

export const containerSchema = z.enum(['mpegts', 'fmp4']);
export type Container = z.infer<typeof containerSchema>;

export const codecSchema = z.enum(['h264', 'h265', 'none']);
/** `none` is audio alone, recorded only when it was asked for. */
export type EpochCodec = z.infer<typeof codecSchema>;

export const variantLabelSchema = z.object({
  codecFamily: z.enum(['h264', 'h265']),
  source: z.enum(['primary', 'hevc']),
  qualityKey: z.string(),
  protocol: z.enum(['flv', 'hls', 'cmaf']),
});

const creatorSchema = z.object({
  handle: z.string(),
  platformUserId: z.string().nullable(),
  displayName: z.string().nullable(),
});

const roomSchema = z.object({
  roomId: z.string(),
  title: z.string().nullable(),
  startedAt: isoTime.nullable(),
});

export const fileSchema = z.object({ key: objectKey, bytes: count, sha256 });
export type ArchivedFile = z.infer<typeof fileSchema>;

export const epochSchema = z.object({
  term: count,
  epoch: count,
  codec: codecSchema,
  width: count,
  height: count,
  /** Key of the init segment (fMP4), null for MPEG-TS. */
  init: objectKey.nullable(),
  initBytes: count.nullable(),
  initSha256: sha256.nullable(),
  variant: variantLabelSchema,
});
export type Epoch = z.infer<typeof epochSchema>;

export const segmentSchema = z.object({
  key: objectKey,
  term: count,
  epoch: count,
  bytes: count,
  sha256,
  durationMs: count,
  /** Wall-clock time of the first picture. */
  startsAt: isoTime,
  pictures: count,
  audioFrames: count,
  /** Decode times on the session's own time line, as they stand in the media. */
  firstDtsMs: z.number().int(),
  lastDtsMs: z.number().int(),
});
export type Segment = z.infer<typeof segmentSchema>;

export const gapSchema = z.object({
  /** Key of the segment that holds the last picture before the gap; null for the head. */
  after: objectKey.nullable(),
  from: isoTime,
  to: isoTime,
  ms: count,
  cause: gapCauseSchema,
});
export type Gap = z.infer<typeof gapSchema>;

export const creditsSchema = z.object({ charged: count, lookups: count });
export type Credits = z.infer<typeof creditsSchema>;

export const coverageSchema = z.object({ liveMs: count, recordedMs: count, ratio: z.number().min(0).max(1) });
export type Coverage = z.infer<typeof coverageSchema>;

/** Why a session was removed, and what of; `finishedAt` is null while some of its objects may still be there. */
export const deletionSchema = z.object({
  reason: z.string(),
  segments: count,
  bytes: count,
  finishedAt: isoTime.nullable(),
});
export type Deletion = z.infer<typeof deletionSchema>;

/** What keeps a session from being removed. */
export const holdSchema = z.object({ format: z.string(), heldAt: isoTime, reason: z.string().nullable() });
export type Hold = z.infer<typeof holdSchema>;

export const manifestSchema = z.object({
  format: z.string(),
  writer: z.object({ name: z.string(), version: z.string() }),
  revision: count,
  session: z.string(),
  sealedAt: isoTime.nullable(),
  deletedAt: isoTime.nullable(),
  creator: creatorSchema,
  room: roomSchema,
  foundAt: isoTime,
  endedAt: isoTime.nullable(),
  endCause: endCauseSchema.nullable(),
  container: containerSchema.nullable(),
  epochs: z.array(epochSchema),
  segments: z.array(segmentSchema),
  gaps: z.array(gapSchema),
  coverage: coverageSchema,
  credits: creditsSchema,
  files: z.array(fileSchema),
  /** Only where `deletedAt` is set. */
  deletion: deletionSchema.optional(),
});
export type Manifest = z.infer<typeof manifestSchema>;

/** One line of a journal object. `at` is when it was written down. */
export const journalEntrySchema = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('term'),
    at: isoTime,
    format: z.string(),
    writer: z.object({ name: z.string(), version: z.string() }),
    session: z.string(),
    term: count,
    creator: creatorSchema,
    room: roomSchema,
    foundAt: isoTime,
  }),
  z.object({ type: z.literal('epoch'), at: isoTime, container: containerSchema, epoch: epochSchema }),
  /** `soundUpToMs`: of the last sound in it, when that came after the keyframe behind it: it is not to be recorded again. */
  z.object({
    type: z.literal('segment'),
    at: isoTime,
    segment: segmentSchema,
    soundUpToMs: z.number().int().optional(),
  }),
  z.object({ type: z.literal('gap'), at: isoTime, gap: gapSchema }),
  /** A segment that an earlier entry named and that is lost for good; it leaves the manifest for a gap. */
  z.object({ type: z.literal('lost'), at: isoTime, key: objectKey }),
  z.object({ type: z.literal('file'), at: isoTime, file: fileSchema }),
  z.object({
    type: z.literal('event'),
    at: isoTime,
    event: z.string(),
    detail: z.record(z.string(), z.json()),
  }),
  z.object({
    type: z.literal('sample'),
    at: isoTime,
    viewers: count,
    enters: count,
    title: z.string().nullable(),
  }),
  z.object({ type: z.literal('credits'), at: isoTime, charged: count, lookups: count }),
  z.object({ type: z.literal('end'), at: isoTime, endedAt: isoTime, endCause: endCauseSchema }),
]);
export type JournalEntry = z.infer<typeof journalEntrySchema>;

/** What a list of sessions shows; at most 4 KB as JSON. */
export const summarySchema = z.object({
  format: z.string(),
  session: z.string(),
  handle: z.string(),
  platformUserId: z.string().nullable(),
  displayName: z.string().nullable(),
  roomId: z.string(),
  title: z.string().nullable(),
  startedAt: isoTime.nullable(),
  foundAt: isoTime,
  endedAt: isoTime.nullable(),
  endCause: endCauseSchema.nullable(),
  sealedAt: isoTime.nullable(),
  deletedAt: isoTime.nullable(),
  container: containerSchema.nullable(),
  codecs: z.array(codecSchema),
  width: count,
  height: count,
  recordedMs: count,
  coverageRatio: z.number(),
  gaps: count,
  epochs: count,
  segments: count,
  bytes: count,
  poster: objectKey.nullable(),
});
export type Summary = z.infer<typeof summarySchema>;
