import { describe, expect, test } from 'vitest';
import type { OfferedStream } from '../../src/model/look.ts';
import { isHdOrBetter, qualityOrder, qualityRank } from '../../src/variant/quality.ts';
import { parseResolution, variantsOf } from '../../src/variant/variants-of.ts';

const stream = (change: Partial<OfferedStream> = {}): OfferedStream => ({
  codecFamily: 'h264',
  source: 'primary',
  qualityKey: 'origin',
  qualityLabel: 'Original',
  flvUrl: 'https://cdn/a.flv?sign=1',
  hlsUrl: null,
  cmafUrl: null,
  resolution: '720x1280',
  bitrateBps: 2_500_000,
  ...change,
});

describe('quality keys', () => {
  test('known before unknown before sound alone, in either spelling', () => {
    const keys = ['ao', 'holo', 'SD1', 'sd', 'HD1', 'hd_60', 'FULL_HD1', 'uhd_60', 'ORIGION'];
    expect(keys.toSorted((a, b) => qualityRank(a) - qualityRank(b))).toEqual(keys.toReversed());
    expect(qualityRank('ORIGION')).toBe(qualityRank('origin'));
  });

  test('an order of the user comes before the known one', () => {
    const place = qualityOrder(['SD', 'holo']);
    const keys = ['sd', 'holo', 'origin', 'hd', 'other', 'ao'];
    expect(keys.toReversed().toSorted((a, b) => place(a) - place(b))).toEqual(keys);
  });

  test.each([
    ['origin', true],
    ['hd', true],
    ['HD1', true],
    ['sd', false],
    ['holo', false],
    ['ao', false],
  ])('%s is hd or better: %s', (key, expected) => {
    expect(isHdOrBetter(key)).toBe(expected);
  });
});

test.each([
  ['720x1280', 720, 1280],
  ['1280*720', 1280, 720],
  ['1280 X 720', 1280, 720],
  ['1080p', null, 1080],
  ['99999x10', null, null],
  ['hd', null, null],
  ['720x', null, null],
  ['', null, null],
  [null, null, null],
])('resolution %s', (text, width, height) => {
  expect(parseResolution(text)).toEqual({ width, height });
});

describe('variantsOf', () => {
  test('one for each protocol, sizes and bitrate with it', () => {
    const offered = stream({ hlsUrl: 'https://cdn/a.m3u8', cmafUrl: 'https://cdn/a.mpd' });
    expect(variantsOf([offered]).map(({ id, url }) => [id, url])).toEqual([
      ['h264/origin/flv', 'https://cdn/a.flv?sign=1'],
      ['h264/origin/hls', 'https://cdn/a.m3u8'],
      ['h264/origin/cmaf', 'https://cdn/a.mpd'],
    ]);
    expect(variantsOf([offered])[0]).toMatchObject({
      width: 720,
      height: 1280,
      bitrateBps: 2_500_000,
      qualityLabel: 'Original',
      audioOnly: false,
    });
  });

  test('the same thing offered twice gets a number', () => {
    expect(variantsOf([stream(), stream({ source: 'hevc' }), stream()]).map(({ id }) => id)).toEqual([
      'h264/origin/flv',
      'h264/origin/flv#2',
      'h264/origin/flv#3',
    ]);
  });

  test.each([
    ['the key ao', stream({ qualityKey: 'AO' }), true],
    ['the query only_audio=1', stream({ flvUrl: 'https://cdn/a.flv?x=1&only_audio=1' }), true],
    ['the query only_audio=0', stream({ flvUrl: 'https://cdn/a.flv?only_audio=0' }), false],
    ['a path that only looks like it', stream({ flvUrl: 'https://cdn/only_audio=1.flv' }), false],
  ])('%s means sound alone', (_what, offered, audioOnly) => {
    expect(variantsOf([offered])[0]?.audioOnly).toBe(audioOnly);
  });

  test('a stream without any URL gives nothing', () => {
    expect(variantsOf([stream({ flvUrl: null }), stream({ flvUrl: '' })])).toEqual([]);
  });
});
