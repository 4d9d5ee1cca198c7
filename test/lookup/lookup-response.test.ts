import { describe, expect, test } from 'vitest';
import { chargeOf, parseErrorResponse, parseLookResponse } from '../../src/lookup/lookup-response.ts';
import { live, META, notFound, offline, PROFILE, STREAM } from './answers.ts';

const withData = (data: object) => ({ data: { ...live().data, ...data }, meta: META });

describe('parseLookResponse', () => {
  test('a live room, narrowed to what is used', () => {
    expect(parseLookResponse(live())).toEqual({
      oddStreams: [],
      look: {
        status: 'live',
        profile: {
          handle: 'alice.live',
          platformUserId: '6812345',
          displayName: 'Alice',
          avatarUrl: PROFILE.avatarUrl,
        },
        room: {
          roomId: '7301',
          title: 'hello',
          coverUrl: null,
          startedAt: '2026-11-22T14:03:07.000Z',
          viewerCount: 12,
          enterCount: 40,
          streams: [
            {
              codecFamily: 'h264',
              source: 'primary',
              qualityKey: 'origin',
              qualityLabel: null,
              flvUrl: STREAM.flvUrl,
              hlsUrl: null,
              cmafUrl: null,
              resolution: '720x1280',
              bitrateBps: 2_500_000,
            },
          ],
        },
        meta: { requestId: 'req_1', creditsCharged: 1, cached: false },
      },
    });
  });

  test('offline, cached or not, and not found', () => {
    expect(parseLookResponse(offline())).toMatchObject({
      look: { status: 'offline', meta: { cached: false } },
    });
    expect(parseLookResponse(offline({ cached: true }))).toMatchObject({ look: { meta: { cached: true } } });
    expect(parseLookResponse(notFound())).toMatchObject({ look: { status: 'not-found' } });
  });

  test('unknown extra fields are let through everywhere', () => {
    const body = {
      ...live({ extra: 1, streams: [{ ...STREAM, extra: 1 }] }),
      extra: 1,
      meta: { ...META, extra: { a: 1 } },
    };
    expect(parseLookResponse(body)).toMatchObject({ oddStreams: [], look: { room: { streams: [{}] } } });
  });

  test.each([
    ['2026-11-22T15:03:07+01:00', '2026-11-22T14:03:07.000Z'],
    ['2026-11-22T14:03:07.123456Z', '2026-11-22T14:03:07.123Z'],
    [null, null],
  ])('startedAt %s is read as %s', (startedAt, expected) => {
    expect(parseLookResponse(live({ startedAt }))).toMatchObject({ look: { room: { startedAt: expected } } });
  });

  test.each([[0], [undefined]])('a bitrate of %s is not known', (bitrate) => {
    const parsed = parseLookResponse(live({ streams: [{ ...STREAM, bitrate }] }));
    expect(parsed).toMatchObject({ look: { room: { streams: [{ bitrateBps: null }] } } });
  });

  test.each([
    ['an unknown codec family', { codecFamily: 'av1' }],
    ['an unknown source', { source: 'tertiary' }],
    ['an empty quality key', { qualityKey: '' }],
    ['a bitrate that is no number', { bitrate: '2M' }],
  ])('a stream with %s costs only itself', (_what, change) => {
    const parsed = parseLookResponse(live({ streams: [{ ...STREAM, ...change }, STREAM] }));
    expect(parsed).toMatchObject({
      look: { room: { streams: [{ qualityKey: 'origin' }] } },
      oddStreams: [expect.stringContaining(`data.live.streams.0: ${Object.keys(change)[0]}`)],
    });
    expect(JSON.stringify(parsed)).not.toContain('tertiary');
  });

  test.each<[string, unknown]>([
    ['null', null],
    ['a list', []],
    ['no meta', { data: live().data }],
    ['another version', { ...live(), meta: { ...META, version: 'v2' } }],
    ['credits that are negative', { ...live(), meta: { ...META, creditsCharged: -1 } }],
    ['no request id', { ...live(), meta: { ...META, requestId: '' } }],
    ['an unknown lookup status', withData({ lookupStatus: 'maybe' })],
    ['an unknown live status', withData({ liveStatus: 'paused' })],
    ['found without a live status', withData({ liveStatus: null })],
    ['live without a room', withData({ live: null })],
    ['live without a profile', withData({ profile: null })],
    ['a profile of another platform', withData({ profile: { ...PROFILE, platform: 'twitch' } })],
    ['a handle that leaves its folder', withData({ profile: { ...PROFILE, handle: '../bob' } })],
    ['an empty room id', live({ roomId: '' })],
    ['viewers that are no number', live({ viewerCount: '12' })],
    ['a start that is no time', live({ startedAt: 'yesterday' })],
    ['streams that are no list', live({ streams: {} })],
  ])('%s is malformed', (_what, body) => {
    expect(parseLookResponse(body)).toEqual({ malformed: expect.any(String) as string });
  });
});

test('what a malformed answer charged is still known', () => {
  expect(chargeOf({ data: 'nonsense', meta: { creditsCharged: 3 } })).toBe(3);
  expect(chargeOf({ data: {} })).toBeUndefined();
});

test('an error body', () => {
  const error = { code: 'unauthorized', message: 'no', requestId: 'r', new: true };
  expect(parseErrorResponse({ error })).toEqual({ code: 'unauthorized', message: 'no', requestId: 'r' });
  expect(parseErrorResponse({ error: { code: 'x', message: 5 } })).toMatchObject({ code: 'x', message: '' });
  expect(parseErrorResponse({ error: 'unauthorized' })).toBeUndefined();
  expect(parseErrorResponse(live())).toBeUndefined();
});
