/** What the operator may say about the choice of a variant. Each default is the contract's default order. */
import { z } from 'zod';
import type { CodecFamily } from '../model/look.ts';

const CRITERIA = ['codec', 'quality', 'bitrate', 'protocol', 'resolution'] as const;
export type Criterion = (typeof CRITERIA)[number];

const unique = (values: readonly string[]): boolean => new Set(values).size === values.length;
const positive = z.number().int().positive();

/** What each says stands in its description, which the JSON Schema and the commented example show too. */
export const preferencesSchema = z.strictObject({
  codecFamilies: z
    .array(z.enum(['h264', 'h265']))
    .min(1)
    .refine(unique, 'names a codec family twice')
    .default(['h264', 'h265'])
    .describe('Best first; a family that is left out comes last.'),
  qualityKeys: z
    .array(z.string().min(1))
    .refine(unique, 'names a quality key twice')
    .default([])
    .describe('Quality keys before all others, best first; for the rest the known order holds.'),
  protocols: z
    .array(z.enum(['flv', 'hls']))
    .min(1)
    .refine(unique, 'names a protocol twice')
    .default(['flv', 'hls'])
    .describe('Best first; one that is left out comes last.'),
  order: z
    .array(z.enum(CRITERIA))
    .min(1)
    .refine(unique, 'names a criterion twice')
    .refine((order) => {
      const bitrate = order.indexOf('bitrate');
      return bitrate === -1 || order.slice(0, bitrate).includes('codec');
    }, 'bitrate must come after codec: bitrates of two codec families do not compare')
    .default([...CRITERIA])
    .describe('What decides first, second, …; a criterion that is left out decides nothing.'),
  maxBitrate: positive.optional().describe('Bits per second. A variant whose bitrate is not told passes.'),
  minBitrate: positive.optional().describe('Bits per second. A variant whose bitrate is not told passes.'),
  maxHeight: positive.optional().describe('Pixels. A variant whose size is not told passes.'),
  maxWidth: positive.optional().describe('Pixels. A variant whose size is not told passes.'),
  maxShortSide: positive
    .optional()
    .describe('Pixels of the shorter side: 1080 allows 1080x1920 and 1920x1080.'),
  audioOnly: z
    .enum(['never', 'last-resort'])
    .default('never')
    .describe('Streams without a picture: never, or last-resort, when nothing else can be recorded.'),
  exception: z
    .boolean()
    .default(true)
    .describe('A preferred codec family with nothing at hd or better gives way to one that has.'),
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
