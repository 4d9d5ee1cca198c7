/**
 * The boundary to Social Fetch: what an answer may look like, and what of it livestow uses. Unknown fields are let
 * through unread, a field that is not as documented makes the answer malformed; but one odd stream among many costs only
 * itself, for the broadcast is there all the same.
 */
import { z } from 'zod';
import { createHash } from 'node:crypto';
import { isoUtc } from '../kernel/clock.ts';
import { shorten } from '../kernel/foreign-text.ts';
import { handleSchema } from '../model/handle.ts';
import type { Look, LookMeta, OfferedStream } from '../model/look.ts';

const count = z.number().int().nonnegative();
const name = z.string().min(1);

/** Creators write what they like, and each look is kept: more than this is cut, and ends in an ellipsis. */
const TITLE_CHARS = 2_048;
const NAME_CHARS = 256;
const WORD_CHARS = 64;
/** What servers take. */
const URL_CHARS = 8_192;
const STREAMS = 100;
const ID_CHARS = 128;

const text = (chars: number) => z.string().transform((all) => shorten(all, chars));
const word = name.transform((all) => shorten(all, WORD_CHARS));
/** Compared, so never cut: what is too long or no text is known by its digest. */
const id = name.transform((all) =>
  all.length <= ID_CHARS && all.isWellFormed()
    ? all
    : `sha256-${createHash('sha256').update(all, 'utf16le').digest('hex')}`,
);
const streamUrl = z.string().max(URL_CHARS, `longer than ${URL_CHARS} characters`).optional();
const pictureUrl = z
  .string()
  .nullable()
  .transform((url) => (url !== null && url.length > URL_CHARS ? null : url));

const profileSchema = z.object({
  platform: z.literal('tiktok'),
  handle: handleSchema,
  displayName: text(NAME_CHARS).nullable(),
  avatarUrl: pictureUrl,
  verified: z.boolean(),
  profileUrl: name,
  platformUserId: id.optional(),
  secUid: z.string().optional(),
  followerCount: count.optional(),
  followingCount: count.optional(),
  bio: z.string().nullable().optional(),
});

const streamSchema = z.object({
  codecFamily: z.enum(['h264', 'h265']),
  source: z.enum(['primary', 'hevc']),
  qualityKey: word,
  qualityLabel: text(WORD_CHARS).optional(),
  flvUrl: streamUrl,
  hlsUrl: streamUrl,
  cmafUrl: streamUrl,
  resolution: text(WORD_CHARS).optional(),
  bitrate: count.optional(),
});

const liveSchema = z.object({
  roomId: id,
  title: text(TITLE_CHARS).nullable(),
  coverUrl: pictureUrl,
  startedAt: z.iso.datetime({ offset: true }).nullable(),
  viewerCount: count,
  enterCount: count,
  streamId: z.string().optional(),
  streams: z.array(z.unknown()),
});

const metaSchema = z.object({
  requestId: name.transform((all) => shorten(all, ID_CHARS)),
  creditsCharged: count,
  version: z.literal('v1'),
  cached: z.boolean().optional(),
});

const dataSchema = z.discriminatedUnion('lookupStatus', [
  z.object({ lookupStatus: z.literal('not_found'), liveStatus: z.null(), profile: z.null(), live: z.null() }),
  z.object({
    lookupStatus: z.literal('found'),
    liveStatus: z.enum(['live', 'offline']),
    profile: profileSchema,
    live: liveSchema.nullable(),
  }),
]);

const responseSchema = z.object({ data: dataSchema, meta: metaSchema });

const errorSchema = z.object({
  error: z.object({
    code: name,
    message: z.string().catch(''),
    requestId: z.string().optional().catch(undefined),
    checkoutUrl: z.string().optional().catch(undefined),
  }),
});

export type ApiError = z.infer<typeof errorSchema>['error'];

export type ParsedLook =
  /** `oddStreams`: one line for each stream that was left out. */
  | { look: Look; oddStreams: string[] }
  /** Not as documented: where, without values. */
  | { malformed: string };

export function parseLookResponse(body: unknown): ParsedLook {
  const parsed = responseSchema.safeParse(body);
  if (!parsed.success) return { malformed: describeIssues(parsed.error) };
  const { data, meta } = parsed.data;
  const lookMeta: LookMeta = {
    requestId: meta.requestId,
    creditsCharged: meta.creditsCharged,
    cached: meta.cached ?? false,
  };
  if (data.lookupStatus === 'not_found')
    return { look: { status: 'not-found', meta: lookMeta }, oddStreams: [] };

  const profile = {
    handle: data.profile.handle,
    platformUserId: data.profile.platformUserId ?? null,
    displayName: data.profile.displayName,
    avatarUrl: data.profile.avatarUrl,
  };
  if (data.liveStatus === 'offline')
    return { look: { status: 'offline', profile, meta: lookMeta }, oddStreams: [] };
  if (data.live === null) return { malformed: 'data.live: missing although liveStatus is live' };

  const { streams, oddStreams } = parseStreams(data.live.streams);
  const { roomId, title, coverUrl, startedAt, viewerCount, enterCount } = data.live;
  const room = {
    roomId,
    title,
    coverUrl,
    startedAt: startedAt === null ? null : startOf(startedAt),
    viewerCount,
    enterCount,
    streams,
  };
  return { look: { status: 'live', profile, room, meta: lookMeta }, oddStreams };
}

/** Null for what lies outside of the years that four digits can write. */
function startOf(startedAt: string): string | null {
  const iso = isoUtc(Date.parse(startedAt));
  return /^\d{4}-/.test(iso) ? iso : null;
}

/** What a malformed answer has charged all the same; undefined when it does not say. */
export function chargeOf(body: unknown): number | undefined {
  return z.object({ meta: z.object({ creditsCharged: count }) }).safeParse(body).data?.meta.creditsCharged;
}

/** The documented error body, or undefined. */
export function parseErrorResponse(body: unknown): ApiError | undefined {
  return errorSchema.safeParse(body).data?.error;
}

function parseStreams(entries: unknown[]): { streams: OfferedStream[]; oddStreams: string[] } {
  const streams: OfferedStream[] = [];
  const oddStreams: string[] = [];
  if (entries.length > STREAMS)
    oddStreams.push(`data.live.streams: only the first ${STREAMS} of ${entries.length} are read`);
  for (const [index, entry] of entries.slice(0, STREAMS).entries()) {
    const { success, data: stream, error } = streamSchema.safeParse(entry);
    if (!success) {
      oddStreams.push(`data.live.streams.${index}: ${describeIssues(error)}`);
      continue;
    }
    streams.push({
      codecFamily: stream.codecFamily,
      source: stream.source,
      qualityKey: stream.qualityKey,
      qualityLabel: stream.qualityLabel ?? null,
      flvUrl: stream.flvUrl ?? null,
      hlsUrl: stream.hlsUrl ?? null,
      cmafUrl: stream.cmafUrl ?? null,
      resolution: stream.resolution ?? null,
      // Field notes: 0 stands for "not told", also for `origin`.
      bitrateBps: stream.bitrate === undefined || stream.bitrate === 0 ? null : stream.bitrate,
    });
  }
  return { streams, oddStreams };
}

const describeIssues = (error: z.ZodError): string =>
  error.issues
    .slice(0, 5)
    .map((issue) => `${issue.path.join('.') || 'body'}: ${issue.message}`)
    .join('; ');
