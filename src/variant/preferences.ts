/** What the operator may say about the choice of a variant. Each default is the contract's default order. */
import { z } from 'zod';
import type { CodecFamily } from '../model/look.ts';

const CRITERIA = ['codec', 'quality', 'bitrate', 'protocol', 'resolution'] as const;
export type Criterion = (typeof CRITERIA)[number];

const unique = (values: readonly string[]): boolean => new Set(values).size === values.length;
const positive = z.number().int().positive();

export const preferencesSchema = z.strictObject({
  /** Best first; a family that is left out comes last. */
  codecFamilies: z
    .array(z.enum(['h264', 'h265']))
    .min(1)
    .refine(unique, 'names a codec family twice')
    .default(['h264', 'h265']),
  /** Quality keys before all others, best first; for the rest the known order holds. */
  qualityKeys: z.array(z.string().min(1)).refine(unique, 'names a quality key twice').default([]),
  /** Best first; one that is left out comes last. */
  protocols: z
    .array(z.enum(['flv', 'hls']))
    .min(1)
    .refine(unique, 'names a protocol twice')
    .default(['flv', 'hls']),
  /** What decides first, second, ...; a criterion that is left out decides nothing. */
  order: z
    .array(z.enum(CRITERIA))
    .min(1)
    .refine(unique, 'names a criterion twice')
    .refine((order) => {
      const bitrate = order.indexOf('bitrate');
      return bitrate === -1 || order.slice(0, bitrate).includes('codec');
    }, 'bitrate must come after codec: bitrates of two codec families do not compare')
    .default([...CRITERIA]),
  /** Bits per second. A variant whose bitrate is not told passes. */
  maxBitrate: positive.optional(),
  minBitrate: positive.optional(),
  /** Pixels. A variant whose size is not told passes. */
  maxHeight: positive.optional(),
  maxWidth: positive.optional(),
  /** The shorter side: 1080 allows 1080x1920 and 1920x1080. */
  maxShortSide: positive.optional(),
  /** `last-resort`: recorded only when nothing else can be. */
  audioOnly: z.enum(['never', 'last-resort']).default('never'),
  /** A preferred codec family with nothing at `hd` or better gives way to one that has. */
  exception: z.boolean().default(true),
});
export type Preferences = z.infer<typeof preferencesSchema>;

export const DEFAULT_PREFERENCES: Preferences = preferencesSchema.parse({});

/**
 * For the failover of a session that has begun: its codec before everything, because the container is fixed and a change
 * of codec costs an epoch. The operator's order decides among the rest.
 */
export function preferringCodec(preferences: Preferences, codec: CodecFamily): Preferences {
  return {
    ...preferences,
    codecFamilies: [codec, ...preferences.codecFamilies.filter((family) => family !== codec)],
    order: ['codec', ...preferences.order.filter((criterion) => criterion !== 'codec')],
    exception: false,
  };
}
