/** One way to fetch a broadcast: a stream of the API's list over one protocol. */
import type { CodecFamily } from './look.ts';

export type Protocol = 'flv' | 'hls' | 'cmaf';

export interface Variant {
  /** Stable between looks, free of URLs: `h264/origin/flv`; a duplicate gets `#2`. */
  id: string;
  codecFamily: CodecFamily;
  source: 'primary' | 'hevc';
  qualityKey: string;
  qualityLabel: string | null;
  protocol: Protocol;
  /** Signed: for the fetching side only, never for a log, an error or the archive. */
  url: string;
  width: number | null;
  height: number | null;
  bitrateBps: number | null;
  audioOnly: boolean;
}

/** What of a variant may be written down. */
export type VariantLabel = Pick<Variant, 'codecFamily' | 'source' | 'qualityKey' | 'protocol'>;

export const variantLabel = ({ codecFamily, source, qualityKey, protocol }: Variant): VariantLabel => ({
  codecFamily,
  source,
  qualityKey,
  protocol,
});

/** What is recorded, whichever way it comes. */
export type Quality = Pick<VariantLabel, 'codecFamily' | 'qualityKey'>;

export const sameQuality = (a: Quality, b: Quality): boolean =>
  a.codecFamily === b.codecFamily && a.qualityKey === b.qualityKey;
