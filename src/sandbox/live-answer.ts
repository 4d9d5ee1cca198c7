/** `data` of the lookup API's answer: the truth about one creator at one time. */
import type { StreamAddress } from './cdn/addresses.ts';
import type { Broadcast } from './broadcast.ts';
import type { SimulatedCreator } from './creators.ts';
import { RECIPES } from './media/recipes.ts';
import type { ScenarioVariant } from './scenario.ts';

export interface LiveAnswer {
  lookupStatus: 'found' | 'not_found';
  liveStatus: 'live' | 'offline' | null;
  profile: object | null;
  live: object | null;
}

export interface LiveQuestion {
  handle: string;
  creator: SimulatedCreator | undefined;
  /** Since the scenario began. */
  timeMs: number;
  /** The same as wall clock, since 1970. */
  wallMs: number;
  /** Say that they are offline, whatever is true. */
  offline: boolean;
  streamAddress: (address: StreamAddress, positionMs: number) => string;
  /** `http://host:port`, in front of every address. */
  origin: string;
}

export function liveAnswer(question: LiveQuestion): LiveAnswer {
  const { creator } = question;
  if (!creator) {
    return { lookupStatus: 'not_found', liveStatus: null, profile: null, live: null };
  }
  const profile = profileOf(creator, question.origin);
  const { broadcast } = creator;
  const positionMs = creator.positionAt(question.timeMs);
  const live =
    !question.offline &&
    broadcast !== undefined &&
    positionMs >= broadcast.originMs &&
    positionMs < (broadcast.end()?.atMs ?? Infinity) &&
    !broadcast.active('offline', positionMs);
  if (!live) {
    return { lookupStatus: 'found', liveStatus: 'offline', profile, live: null };
  }
  return {
    lookupStatus: 'found',
    liveStatus: 'live',
    profile,
    live: roomOf(question, creator, broadcast, positionMs),
  };
}

function profileOf(creator: SimulatedCreator, origin: string): object {
  const { handle } = creator;
  const { displayName, verified, images } = creator.creator;
  return {
    platform: 'tiktok',
    handle,
    displayName: displayName === undefined ? handle[0]!.toUpperCase() + handle.slice(1) : displayName,
    avatarUrl: images ? `${origin}/images/avatar.jpg?x-expires=1&x-signature=sandbox` : null,
    verified,
    profileUrl: `https://www.tiktok.com/@${handle}`,
    platformUserId: creator.platformUserId,
    secUid: `MS4wLjABAAAA${creator.platformUserId}`,
    followerCount: 1_200,
    followingCount: 34,
    bio: null,
  };
}

function roomOf(
  question: LiveQuestion,
  creator: SimulatedCreator,
  broadcast: Broadcast,
  positionMs: number,
): object {
  const room = broadcast.room(positionMs);
  const startedAtMs = question.wallMs - (question.timeMs - creator.timeOf(room.fromMs));
  const seconds = Math.floor((positionMs - room.fromMs) / 1_000);
  const { images, startedAtKnown, variants } = creator.creator;
  const streams = broadcast.active('no-media', positionMs)?.fault.how === 'no-streams' ? [] : variants;
  return {
    roomId: room.roomId,
    title: room.title,
    coverUrl: images ? `${question.origin}/images/cover.jpg?x-expires=1&x-signature=sandbox` : null,
    startedAt: startedAtKnown ? new Date(startedAtMs).toISOString() : null,
    viewerCount: 100 + (seconds % 50),
    enterCount: 100 + seconds * 3,
    streamId: `s${room.roomId}`,
    streams: streams.map((variant, index) =>
      streamOf(question, creator.handle, room.roomId, variant, index, positionMs),
    ),
  };
}

function streamOf(
  { origin, streamAddress }: LiveQuestion,
  handle: string,
  roomId: string,
  variant: ScenarioVariant,
  index: number,
  positionMs: number,
): object {
  const recipe = RECIPES[variant.media];
  const { protocols, urls, qualityLabel } = variant;
  const address = (file: 'stream.flv' | 'index.m3u8' | 'index.mpd') =>
    origin +
    streamAddress({ handle, roomId, variant: index, file }, positionMs) +
    (recipe ? '' : '&only_audio=1');
  const resolution =
    variant.resolution === undefined ? recipe && `${recipe.width}x${recipe.height}` : variant.resolution;
  const bitrate = variant.bitrate === undefined ? recipe?.bitrateBps : variant.bitrate;
  const flvUrl = urls.flv ?? (protocols.includes('flv') ? address('stream.flv') : undefined);
  const hlsUrl = urls.hls ?? (protocols.includes('hls') ? address('index.m3u8') : undefined);
  const cmafUrl = urls.cmaf ?? (protocols.includes('cmaf') ? address('index.mpd') : undefined);
  // JSON leaves out what is undefined, as the API does.
  return {
    codecFamily: variant.codecFamily,
    source: variant.source,
    qualityKey: variant.qualityKey,
    qualityLabel,
    flvUrl,
    hlsUrl,
    cmafUrl,
    resolution: resolution ?? undefined,
    bitrate: bitrate ?? undefined,
  };
}
