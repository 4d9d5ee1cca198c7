/** The worlds that come with livestow: the one of `livestow sandbox`, and the short one of the demo. */
import type { ScenarioInput } from './scenario.ts';

/** One broadcast of 40 s with a guest who changes the picture's size, a drop in mid-GOP and a stall. Small media only. */
export const demoScenario: ScenarioInput = {
  creators: {
    alice: {
      displayName: 'Alice in the Sandbox',
      title: 'Painting the garden, live',
      liveAtMs: 2_000,
      durationMs: 40_000,
      variants: [{ media: 'small', qualityKey: 'hd', qualityLabel: 'HD', protocols: ['flv', 'hls'] }],
      faults: [
        { type: 'media', media: 'small-landscape', atMs: 10_000 },
        { type: 'drop', atMs: 17_300 },
        { type: 'media', media: 'small', atMs: 22_000 },
        { type: 'stall', forMs: 8_000, atMs: 26_500 },
      ],
    },
  },
};

/** Five creators, each with a trouble of their own; they stay live until told to end. */
export const defaultScenario: ScenarioInput = {
  creators: {
    alice: {
      displayName: 'Alice in the Sandbox',
      title: 'A guest joins, and the line is bad',
      liveAtMs: 0,
      variants: [
        {
          media: 'portrait',
          qualityKey: 'origin',
          qualityLabel: 'Original',
          protocols: ['flv', 'hls', 'cmaf'],
        },
        { media: 'small', qualityKey: 'sd', qualityLabel: '480p', protocols: ['flv', 'hls'] },
        { media: 'sound', qualityKey: 'ao' },
      ],
      faults: [
        { type: 'media', media: 'landscape', replaces: 'portrait', atMs: 30_000 },
        { type: 'drop', atMs: 45_700 },
        { type: 'media', media: 'portrait', replaces: 'portrait', atMs: 60_000 },
        { type: 'stall', forMs: 20_000, atMs: 75_300 },
        { type: 'jump', byMs: 3_600_000, atMs: 110_000 },
      ],
    },
    bob: {
      displayName: 'Bob, two qualities',
      title: 'The best one answers 404',
      liveAtMs: 0,
      variants: [
        { media: 'portrait', qualityKey: 'origin', status: 404 },
        { media: 'small', qualityKey: 'hd' },
      ],
    },
    carol: {
      displayName: 'Carol, h265',
      title: 'HEVC in HLS, and in FLV with codec id 12',
      liveAtMs: 0,
      variants: [{ media: 'hevc', source: 'hevc', qualityKey: 'origin', protocols: ['hls', 'flv'] }],
    },
    dora: { displayName: 'Dora, offline', liveAtMs: null },
    erin: {
      displayName: 'Erin, live without media',
      title: 'Be right back',
      liveAtMs: 0,
      variants: [{ media: 'small' }],
      faults: [{ type: 'no-media', forMs: 86_400_000, atMs: 0 }],
    },
  },
};
