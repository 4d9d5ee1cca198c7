/** Takes the API's list of streams apart into variants: one for each protocol that a stream is offered over. */
import type { OfferedStream } from '../model/look.ts';
import type { Protocol, Variant } from '../model/variant.ts';
import { isAudioOnly } from './quality.ts';

const MAX_SIDE = 16_384;

/**
 * `720x1280`, `1280*720`; of `1080p` only the short side is known, which then stands as height. Nulls for anything else.
 */
export function parseResolution(text: string | null): { width: number | null; height: number | null } {
  const unknown = { width: null, height: null };
  const [, first, second] = /^(\d{2,5})(?:\s*[x*×]\s*(\d{2,5})|p)$/i.exec(text?.trim() ?? '') ?? [];
  if (first === undefined) return unknown;
  const size =
    second === undefined
      ? { width: null, height: Number(first) }
      : { width: Number(first), height: Number(second) };
  return size.height > MAX_SIDE || (size.width ?? 0) > MAX_SIDE ? unknown : size;
}

/** In the order of the list. */
export function variantsOf(streams: readonly OfferedStream[]): Variant[] {
  const seen = new Map<string, number>();
  return streams.flatMap((stream) => {
    const offers: [Protocol, string | null][] = [
      ['flv', stream.flvUrl],
      ['hls', stream.hlsUrl],
      ['cmaf', stream.cmafUrl],
    ];
    return offers.flatMap(([protocol, url]) => {
      if (url === null || url === '') return [];
      const { codecFamily, source, qualityKey, qualityLabel, bitrateBps } = stream;
      const name = `${codecFamily}/${qualityKey}/${protocol}`;
      const nth = (seen.get(name) ?? 0) + 1;
      seen.set(name, nth);
      return {
        id: nth === 1 ? name : `${name}#${nth}`,
        codecFamily,
        source,
        qualityKey,
        qualityLabel,
        protocol,
        url,
        ...parseResolution(stream.resolution),
        bitrateBps,
        audioOnly: isAudioOnly(qualityKey, url),
      };
    });
  });
}
