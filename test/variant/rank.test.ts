import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Variant } from '../../src/model/variant.ts';
import { DEFAULT_PREFERENCES, preferencesSchema, preferringCodec } from '../../src/variant/preferences.ts';
import { rankVariants, type Machine } from '../../src/variant/rank.ts';

const able: Machine = { canRecord: () => true };

/** `h264 origin flv 2500k 720x1280`, the last two optional. */
function variant(text: string): Variant {
  const [codecFamily, qualityKey, protocol, ...rest] = text.split(' ');
  const kilobits = rest.find((word) => word.endsWith('k'));
  const [width, height] =
    rest
      .find((word) => word.includes('x'))
      ?.split('x')
      .map(Number) ?? [];
  return {
    id: text,
    codecFamily: codecFamily as Variant['codecFamily'],
    source: 'primary',
    qualityKey: qualityKey as string,
    qualityLabel: null,
    protocol: protocol as Variant['protocol'],
    url: `https://cdn.example/${qualityKey}?sign=s3cret`,
    width: width ?? null,
    height: height ?? null,
    bitrateBps: kilobits === undefined ? null : Number.parseInt(kilobits, 10) * 1_000,
    audioOnly: qualityKey === 'ao',
  };
}

const rank = (texts: string[], preferences: object = {}, machine: Machine = able) =>
  rankVariants(texts.map(variant), preferencesSchema.parse(preferences), machine);
const order = (...args: Parameters<typeof rank>) =>
  rank(...args)
    .filter(({ verdict }) => verdict === 'ranked')
    .map(({ variant }) => variant.id);

describe('the default order', () => {
  test.each<[string, string[]]>([
    ['h264 before h265', ['h264 hd flv', 'h265 origin flv 9000k']],
    [
      'then the quality key',
      [
        'h264 origin hls',
        'h264 uhd_60 flv',
        'h264 uhd flv',
        'h264 hd flv',
        'h264 sd flv',
        'h264 ld flv',
        'h264 odd flv 9000k',
      ],
    ],
    ['then the bitrate', ['h264 hd hls 1800k', 'h264 hd flv 1000k', 'h264 hd flv']],
    ['then FLV before HLS', ['h264 hd flv 1800k 360x640', 'h264 hd hls 1800k 720x1280']],
    [
      'then the larger picture',
      ['h264 hd flv 1800k 720x1280', 'h264 hd flv 1800k 640x1280', 'h264 hd flv 1800k'],
    ],
    ['a bitrate of 0 counts as unknown, the key still decides', ['h264 origin flv', 'h264 hd flv 4000k']],
  ])('%s', (_what, expected) => {
    expect(order(expected)).toEqual(expected);
    expect(order(expected.toReversed())).toEqual(expected);
  });

  test('what is alike stays in the order of the list', () => {
    const twins = [variant('h264 hd flv'), { ...variant('h264 hd flv'), id: 'twin' }];
    const ranked = rankVariants(twins, DEFAULT_PREFERENCES, able);
    expect(ranked.map(({ variant }) => variant.id)).toEqual(['h264 hd flv', 'twin']);
    expect(ranked[1]?.reason).toContain('later in the list');
  });

  test('a preferred family without hd gives way to one that has it', () => {
    expect(order(['h264 sd flv', 'h264 ld flv', 'h265 hd flv', 'h265 sd flv'])).toEqual([
      'h265 hd flv',
      'h265 sd flv',
      'h264 sd flv',
      'h264 ld flv',
    ]);
    expect(rank(['h264 sd flv', 'h265 hd flv'])[0]?.reason).toContain('h264 gives way');
  });

  test('and only then', () => {
    expect(order(['h265 sd flv 900k', 'h264 ld flv'])).toEqual(['h264 ld flv', 'h265 sd flv 900k']);
    expect(order(['h265 origin flv', 'h264 sd flv'], { exception: false })).toEqual([
      'h264 sd flv',
      'h265 origin flv',
    ]);
    // What can't be recorded is no reason to give way.
    const noHevc: Machine = { canRecord: ({ codecFamily }) => codecFamily === 'h264' || 'no h265 here' };
    expect(order(['h265 origin flv', 'h264 sd flv'], {}, noHevc)).toEqual(['h264 sd flv']);
  });
});

describe('preferences', () => {
  const offered = [
    'h264 origin flv 2500k',
    'h264 origin hls 2500k',
    'h265 origin flv 1500k',
    'h265 hd hls 900k',
  ];

  test.each<[string, object, string]>([
    ['codec families', { codecFamilies: ['h265'] }, 'h265 origin flv 1500k'],
    ['quality keys', { qualityKeys: ['HD'], order: ['quality'] }, 'h265 hd hls 900k'],
    ['protocols', { protocols: ['hls'] }, 'h264 origin hls 2500k'],
    [
      'order',
      { order: ['protocol', 'quality'], protocols: ['hls', 'flv'], codecFamilies: ['h265', 'h264'] },
      'h264 origin hls 2500k',
    ],
    ['maxBitrate', { maxBitrate: 2_000_000 }, 'h265 origin flv 1500k'],
  ])('%s', (_what, preferences, first) => {
    expect(order(offered, preferences)[0]).toBe(first);
  });

  test.each<[string, object, string[]]>([
    ['maxBitrate', { maxBitrate: 1_500_000 }, ['h265 origin flv 1500k', 'h264 ld flv']],
    ['minBitrate', { minBitrate: 1_600_000 }, ['h264 uhd hls 2000k 1080x1920', 'h264 ld flv']],
    ['maxHeight', { maxHeight: 1280 }, ['h265 origin flv 1500k', 'h264 ld flv']],
    ['maxWidth', { maxWidth: 720 }, ['h265 origin flv 1500k', 'h264 ld flv']],
    ['maxShortSide', { maxShortSide: 720 }, ['h265 origin flv 1500k', 'h264 ld flv']],
  ])('%s is a limit that only what is known breaks', (name, preferences, left) => {
    const texts = ['h264 uhd hls 2000k 1080x1920', 'h265 origin flv 1500k', 'h264 ld flv'];
    expect(order(texts, preferences).toSorted()).toEqual(left.toSorted());
    const out = rank(texts, preferences).find(({ verdict }) => verdict === 'excluded');
    expect(out).toMatchObject({ place: null, reason: expect.stringContaining(name) as string });
  });

  test('a short side of 1080 allows portrait and landscape', () => {
    expect(order(['h264 hd flv 1080x1920', 'h264 hd hls 1920x1080'], { maxShortSide: 1080 })).toHaveLength(2);
  });

  test('sound alone: never, or after everything else', () => {
    const texts = ['h264 ao flv 64k', 'h265 ld hls'];
    expect(rank(texts).find(({ variant }) => variant.audioOnly)).toMatchObject({
      verdict: 'excluded',
      place: null,
    });
    expect(order(texts, { audioOnly: 'last-resort' })).toEqual(['h265 ld hls', 'h264 ao flv 64k']);
    expect(order(['h264 ao flv'], { audioOnly: 'last-resort' })).toEqual(['h264 ao flv']);
  });

  test.each([
    [{ order: ['bitrate', 'codec'] }],
    [{ order: ['bitrate'] }],
    [{ order: [] }],
    [{ codecFamilies: ['h264', 'h264'] }],
    [{ codecFamilies: ['av1'] }],
    [{ protocols: ['cmaf'] }],
    [{ maxBitrate: -1 }],
    [{ maxbitrate: 1 }],
  ])('%j is refused', (preferences) => {
    expect(preferencesSchema.safeParse(preferences).success).toBe(false);
  });
});

test('failover keeps to the codec of the session', () => {
  const texts = ['h264 origin flv 2500k', 'h265 sd flv', 'h265 ld hls'];
  const preferences = preferringCodec(
    preferencesSchema.parse({ order: ['quality', 'codec', 'bitrate'] }),
    'h265',
  );
  expect(preferencesSchema.safeParse(preferences).success).toBe(true);
  expect(rankVariants(texts.map(variant), preferences, able).map(({ variant }) => variant.id)).toEqual([
    'h265 sd flv',
    'h265 ld hls',
    'h264 origin flv 2500k',
  ]);
});

test('what cannot be recorded is listed with its reason', () => {
  const noHevc: Machine = {
    canRecord: ({ codecFamily }) => codecFamily === 'h264' || 'this ffmpeg reads no h265',
  };
  const bad = { ...variant('h264 hd flv'), id: 'bad', url: 'rtmp://cdn.example/x' };
  const ranked = rankVariants(
    [variant('h264 origin cmaf'), variant('h265 origin flv'), bad, variant('h264 hd hls')],
    DEFAULT_PREFERENCES,
    noHevc,
  );
  expect(ranked.map(({ variant, verdict, place }) => [variant.id, verdict, place])).toEqual([
    ['h264 hd hls', 'ranked', 1],
    ['h264 origin cmaf', 'unsupported', null],
    ['h265 origin flv', 'unsupported', null],
    ['bad', 'unsupported', null],
  ]);
  expect(ranked[2]?.reason).toBe('this ffmpeg reads no h265');
});

test('each place has the reason that put it behind the one before', () => {
  const reasons = rank([
    'h264 origin flv 2500k 720x1280',
    'h264 origin hls 2500k',
    'h264 origin hls 2000k',
    'h264 hd hls',
    'h265 hd hls',
  ]).map(({ reason }) => reason);
  expect(reasons).toEqual([
    'first choice: h264, origin, 2.50 Mbit/s, 720x1280, FLV',
    'HLS comes after FLV',
    '2.00 Mbit/s comes after 2.50 Mbit/s',
    'quality hd comes after origin',
    'codec family h265 comes after h264',
  ]);
});

test('whatever the order of the list, the ranking of different variants is the same', () => {
  const anyVariant = fc
    .tuple(
      fc.constantFrom('h264', 'h265'),
      fc.constantFrom('origin', 'hd', 'sd', 'odd', 'ao'),
      fc.constantFrom('flv', 'hls', 'cmaf'),
      fc.constantFrom('', ' 500k', ' 2500k'),
      fc.constantFrom('', ' 720x1280', ' 1080x1920'),
    )
    .map((parts) => parts.slice(0, 3).join(' ') + parts.slice(3).join(''));
  const lists = fc
    .uniqueArray(anyVariant, { maxLength: 12 })
    .chain((list) => fc.tuple(fc.constant(list), fc.shuffledSubarray(list, { minLength: list.length })));
  fc.assert(
    fc.property(lists, fc.constantFrom('never', 'last-resort'), ([list, shuffled], audioOnly) => {
      expect(order(shuffled, { audioOnly })).toEqual(order(list, { audioOnly }));
      const ranked = rank(list, { audioOnly });
      expect(ranked).toHaveLength(list.length);
      expect(JSON.stringify(ranked.map(({ reason }) => reason))).not.toContain('s3cret');
    }),
  );
});
