/** Answers as the provider's reference shows them. */
export const META = { requestId: 'req_1', creditsCharged: 1, version: 'v1' };

export const PROFILE = {
  platform: 'tiktok',
  handle: 'Alice.Live',
  displayName: 'Alice',
  avatarUrl: 'https://p16.tiktokcdn.com/a.jpg?x-signature=s3cret',
  verified: false,
  profileUrl: 'https://www.tiktok.com/@alice.live',
  platformUserId: '6812345',
};

export const STREAM = {
  codecFamily: 'h264',
  source: 'primary',
  qualityKey: 'origin',
  flvUrl: 'https://pull-f5.tiktokcdn.com/stream-1.flv?sign=s3cret',
  resolution: '720x1280',
  bitrate: 2_500_000,
};

const LIVE = {
  roomId: '7301',
  title: 'hello',
  coverUrl: null,
  startedAt: '2026-11-22T14:03:07.000Z',
  viewerCount: 12,
  enterCount: 40,
  streams: [STREAM],
};

export const live = (change: object = {}) => ({
  data: { lookupStatus: 'found', liveStatus: 'live', profile: PROFILE, live: { ...LIVE, ...change } },
  meta: META,
});
export const offline = (meta: object = {}) => ({
  data: { lookupStatus: 'found', liveStatus: 'offline', profile: PROFILE, live: null },
  meta: { ...META, ...meta },
});
export const notFound = () => ({
  data: { lookupStatus: 'not_found', liveStatus: null, profile: null, live: null },
  meta: META,
});
