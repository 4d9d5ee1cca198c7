/**
 * Quality keys, an open set: what is known of them (field notes, section 2) is their order. The same key is 720p in one
 * room and 1080p in another, so a key is compared with keys only.
 */

/** Best first; keys of one line are the same thing in today's and in legacy spelling. */
const KNOWN_KEYS: readonly (readonly string[])[] = [
  ['origin', 'origion'],
  ['uhd_60'],
  ['uhd', 'full_hd1'],
  ['hd_60'],
  ['hd', 'hd1'],
  ['sd', 'sd2'],
  ['ld', 'sd1'],
];
const AUDIO_KEY = 'ao';

const UNKNOWN_RANK = KNOWN_KEYS.length;
const HD_RANK = KNOWN_KEYS.findIndex((spellings) => spellings.includes('hd'));

/** 0 is best. An unknown key ranks below all known ones and above `ao`. */
export function qualityRank(key: string): number {
  const lower = key.toLowerCase();
  if (lower === AUDIO_KEY) return UNKNOWN_RANK + 1;
  const rank = KNOWN_KEYS.findIndex((spellings) => spellings.includes(lower));
  return rank === -1 ? UNKNOWN_RANK : rank;
}

/** Orders keys by the user's own order first, and what that leaves out by what is known. */
export function qualityOrder(preferred: readonly string[]): (key: string) => number {
  if (preferred.length === 0) return qualityRank;
  const places = new Map(preferred.map((key, place) => [key.toLowerCase(), place]));
  return (key) => places.get(key.toLowerCase()) ?? preferred.length + qualityRank(key);
}

/** Of the known keys only: an unknown one promises nothing. */
export const isHdOrBetter = (key: string): boolean => qualityRank(key) <= HD_RANK;

export function isAudioOnly(qualityKey: string, url: string): boolean {
  if (qualityKey.toLowerCase() === AUDIO_KEY) return true;
  return URL.canParse(url) && new URL(url).searchParams.get('only_audio') === '1';
}
