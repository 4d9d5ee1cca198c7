/** Looks as the API answers them, in short. */
import type { Look } from '../../src/model/look.ts';

const profile = { handle: 'alice', platformUserId: '1', displayName: null, avatarUrl: null };
const meta = (cached: boolean) => ({ requestId: 'r', creditsCharged: 1, cached });

export const offline = (cached = false): Look => ({ status: 'offline', profile, meta: meta(cached) });
export const notFound = (cached = false): Look => ({ status: 'not-found', meta: meta(cached) });
export const live = (roomId = 'room', cached = false): Extract<Look, { status: 'live' }> => ({
  status: 'live',
  profile,
  meta: meta(cached),
  room: { roomId, title: null, coverUrl: null, startedAt: null, viewerCount: 0, enterCount: 0, streams: [] },
});
