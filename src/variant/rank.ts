/**
 * Ranks what is offered, pure: first what can't or must not be recorded is set aside, each with its reason; then the rest
 * is ordered by a chain of comparators, of which the first that sees a difference decides and gives the reason.
 *
 * The default chain (contract): video before sound alone; codec family, h264 before h265; quality key; bitrate, higher
 * first; FLV before HLS; then the larger picture; then the order of the list. The one exception: a preferred family that
 * has nothing at `hd` or better gives way to one that has.
 */
import type { CodecFamily } from '../model/look.ts';
import type { Variant } from '../model/variant.ts';
import type { Criterion, Preferences } from './preferences.ts';
import { isHdOrBetter, qualityOrder } from './quality.ts';

export interface RankedVariant {
  variant: Variant;
  /** From 1; null unless ranked. */
  place: number | null;
  /** `unsupported`: livestow or this machine can't record it; `excluded`: the preferences forbid it. */
  verdict: 'ranked' | 'excluded' | 'unsupported';
  /** For people, free of URLs. */
  reason: string;
}

/** What this machine can do, told by whoever knows ffmpeg and the engines. */
export interface Machine {
  /** True, or why not. */
  canRecord(variant: Variant): true | string;
}

interface Comparator {
  /** Below 0: a first. */
  compare(a: Variant, b: Variant): number;
  /** Why `after` stands behind `before`. */
  why(before: Variant, after: Variant): string;
}

/** Ranked ones first, best first; the others behind, in the order of the list. */
export function rankVariants(
  variants: readonly Variant[],
  preferences: Preferences,
  machine: Machine,
): RankedVariant[] {
  const judged = variants.map((variant) => ({ variant, setAside: setAside(variant, preferences, machine) }));
  const usable = judged.filter(({ setAside }) => setAside === undefined).map(({ variant }) => variant);

  const families = familyOrder(usable, preferences);
  const chain: Comparator[] = [
    videoFirst,
    ...preferences.order.map((criterion) => comparatorFor(criterion, preferences, families.order)),
  ];
  const ordered = usable.toSorted((a, b) => firstDifference(chain, a, b)?.compare(a, b) ?? 0);
  const ranked = ordered.map((variant, index): RankedVariant => {
    const before = ordered[index - 1];
    const decider = before && firstDifference(chain, before, variant);
    return {
      variant,
      place: index + 1,
      verdict: 'ranked',
      reason:
        before === undefined
          ? [describe(variant), ...families.gaveWay].join('; ')
          : (decider?.why(before, variant) ?? 'alike in every respect, and later in the list'),
    };
  });
  const others = judged.flatMap(({ variant, setAside }): RankedVariant[] =>
    setAside === undefined ? [] : [{ variant, place: null, ...setAside }],
  );
  return [...ranked, ...others];
}

const firstDifference = (chain: readonly Comparator[], a: Variant, b: Variant): Comparator | undefined =>
  chain.find((comparator) => comparator.compare(a, b) !== 0);

function setAside(
  variant: Variant,
  preferences: Preferences,
  machine: Machine,
): Pick<RankedVariant, 'verdict' | 'reason'> | undefined {
  if (variant.protocol === 'cmaf') {
    return { verdict: 'unsupported', reason: 'CMAF is a DASH manifest here, which livestow does not read' };
  }
  if (!/^https?:\/\//i.test(variant.url) || !URL.canParse(variant.url)) {
    return { verdict: 'unsupported', reason: 'its address is neither http nor https' };
  }
  const recordable = machine.canRecord(variant);
  if (recordable !== true) return { verdict: 'unsupported', reason: recordable };
  if (variant.audioOnly && preferences.audioOnly === 'never') {
    return { verdict: 'excluded', reason: 'sound without pictures (audioOnly: never)' };
  }
  const limit = brokenLimit(variant, preferences);
  return limit === undefined ? undefined : { verdict: 'excluded', reason: limit };
}

/** What is not told breaks no limit. */
function brokenLimit({ bitrateBps, width, height }: Variant, preferences: Preferences): string | undefined {
  const { maxBitrate, minBitrate, maxHeight, maxWidth, maxShortSide } = preferences;
  const over = (value: number | null, limit: number | undefined): boolean =>
    value !== null && limit !== undefined && value > limit;
  const shortSide = height === null ? null : Math.min(height, width ?? height);
  if (over(bitrateBps, maxBitrate)) return `${megabits(bitrateBps)} is above maxBitrate ${maxBitrate}`;
  if (bitrateBps !== null && minBitrate !== undefined && bitrateBps < minBitrate) {
    return `${megabits(bitrateBps)} is below minBitrate ${minBitrate}`;
  }
  if (over(height, maxHeight)) return `height ${height} is above maxHeight ${maxHeight}`;
  if (over(width, maxWidth)) return `width ${width} is above maxWidth ${maxWidth}`;
  if (over(shortSide, maxShortSide)) return `short side ${shortSide} is above maxShortSide ${maxShortSide}`;
  return undefined;
}

/** The families in order, the exception applied; `gaveWay` says so where it made a difference. */
function familyOrder(
  usable: readonly Variant[],
  { codecFamilies, exception }: Preferences,
): { order: CodecFamily[]; gaveWay: string[] } {
  const wanted = [...codecFamilies];
  for (const family of ['h264', 'h265'] as const) {
    if (!wanted.includes(family)) wanted.push(family);
  }
  if (!exception) return { order: wanted, gaveWay: [] };
  const video = usable.filter((variant) => !variant.audioOnly);
  const hasHd = (family: CodecFamily) =>
    video.some((variant) => variant.codecFamily === family && isHdOrBetter(variant.qualityKey));
  const order = [...wanted.filter(hasHd), ...wanted.filter((family) => !hasHd(family))];
  const passedOver = wanted[0];
  const changed = order[0] !== passedOver && video.some(({ codecFamily }) => codecFamily === passedOver);
  return { order, gaveWay: changed ? [`${passedOver} gives way: it has nothing at hd or better`] : [] };
}

const videoFirst: Comparator = {
  compare: (a, b) => Number(a.audioOnly) - Number(b.audioOnly),
  why: () => 'sound without pictures is the last resort',
};

function comparatorFor(
  criterion: Criterion,
  preferences: Preferences,
  families: readonly CodecFamily[],
): Comparator {
  switch (criterion) {
    case 'codec':
      return {
        compare: (a, b) => families.indexOf(a.codecFamily) - families.indexOf(b.codecFamily),
        why: (before, after) => `codec family ${after.codecFamily} comes after ${before.codecFamily}`,
      };
    case 'quality': {
      const place = qualityOrder(preferences.qualityKeys);
      return {
        compare: (a, b) => place(a.qualityKey) - place(b.qualityKey),
        why: (before, after) => `quality ${after.qualityKey} comes after ${before.qualityKey}`,
      };
    }
    case 'bitrate':
      // Within one family only (the schema puts it behind `codec`): h265 needs fewer bits for the same picture.
      return {
        compare: (a, b) => (b.bitrateBps ?? 0) - (a.bitrateBps ?? 0),
        why: (before, after) => `${megabits(after.bitrateBps)} comes after ${megabits(before.bitrateBps)}`,
      };
    case 'protocol':
      return {
        compare: (a, b) => protocolPlace(a, preferences) - protocolPlace(b, preferences),
        why: (before, after) =>
          `${after.protocol.toUpperCase()} comes after ${before.protocol.toUpperCase()}`,
      };
    case 'resolution':
      return {
        compare: (a, b) => pictureSize(b) - pictureSize(a),
        why: (before, after) => `${dimensions(after)} comes after ${dimensions(before)}`,
      };
  }
}

function protocolPlace({ protocol }: Variant, { protocols }: Preferences): number {
  const place = protocol === 'cmaf' ? -1 : protocols.indexOf(protocol);
  return place === -1 ? protocols.length : place;
}

/** By the short side, because of a size like `1080p` nothing else is known; the long side decides between equals. */
function pictureSize({ width, height }: Variant): number {
  if (height === null) return 0;
  const shortSide = Math.min(height, width ?? height);
  return shortSide * 100_000 + Math.max(height, width ?? height);
}

const megabits = (bitrateBps: number | null): string =>
  bitrateBps === null ? 'an unknown bitrate' : `${(bitrateBps / 1e6).toFixed(2)} Mbit/s`;

const dimensions = ({ width, height }: Variant): string => {
  if (height === null) return 'an unknown size';
  return width === null ? `${height}p` : `${width}x${height}`;
};

const describe = (variant: Variant): string =>
  [
    `first choice: ${variant.codecFamily}`,
    variant.qualityKey,
    ...(variant.bitrateBps === null ? [] : [megabits(variant.bitrateBps)]),
    ...(variant.height === null ? [] : [dimensions(variant)]),
    variant.protocol.toUpperCase(),
  ].join(', ');
