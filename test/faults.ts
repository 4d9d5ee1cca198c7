/**
 * The faults that livestow promises to live with. A test that injects one for real, and proves that it fired, bears its
 * name as a tag (`test('…', { tags: 'stall' }, …)`); `docs/operations.md` has a row for each, and `test/docs` holds the
 * three against each other. `vitest run --tags-filter=stall` runs those of one.
 */
export const FAULTS = [
  // The CDN
  'connection-lost',
  'stall',
  'refused',
  'address-expired',
  'not-media',
  'no-media',
  'variant-lost',
  'variant-back',
  'picture-changed',
  'timestamps',
  'sent-again',
  'late-sound-header',
  'torn-media',
  'hostile-bytes',
  'playlist-frozen',
  'playlist-segment-missing',
  'playlist-discontinuity',
  // The lookup API
  'api-trouble',
  'offline-blip',
  'new-room',
  'credits-used-up',
  'unknown-handle',
  // The engine
  'engine-died',
  'engine-wrong',
  // The store
  'store-error',
  'store-denied',
  'store-hangs',
  'store-reset',
  'store-slow',
  'store-lies',
  'store-changed',
  'store-clock-skew',
  'store-away-for-hours',
  // The disk
  'disk-reserve',
  'disk-full',
  'disk-slow',
  'disk-read-only',
  // Time and processes
  'clock-jump',
  'suspended',
  'killed',
  'power-cut',
  'spool-damaged',
  'second-recorder',
  'interrupted',
  'drained',
  // The archive
  'object-missing',
  'object-altered',
  'object-undecodable',
  'manifest-lost',
  'removal-broken-off',
  // Who means harm
  'hostile-text',
  'hostile-address',
  'hostile-playlist',
  'secrets',
] as const;
