import { beforeAll, expect, test } from 'vitest';
import { anyTimestamps, damagedFlv, damagedPlaylists, damagedTransportStream } from './hostile.ts';

/** `LIVESTOW_SEED=…` runs the same again. */
const seed = Number(process.env['LIVESTOW_SEED'] ?? Date.now() % 2 ** 31);
beforeAll(() => console.log(`LIVESTOW_SEED=${seed}`));

test('FLV, damaged', { tags: ['hostile-bytes', 'torn-media'] }, () => {
  expect(() => damagedFlv({ numRuns: 2_000, seed })).not.toThrow();
});
test('MPEG-TS, damaged', { tags: ['hostile-bytes', 'torn-media'] }, () => {
  expect(() => damagedTransportStream({ numRuns: 2_000, seed })).not.toThrow();
});
test('playlists, damaged', { tags: ['hostile-bytes', 'hostile-playlist'] }, () => {
  expect(() => damagedPlaylists({ numRuns: 20_000, seed })).not.toThrow();
});
test('any timestamps', { tags: ['hostile-bytes', 'timestamps'] }, () => {
  expect(() => anyTimestamps({ numRuns: 2_000, seed })).not.toThrow();
});
