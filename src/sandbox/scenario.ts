/** What the simulated world is: creators, what they stream, when, and what goes wrong. */
import { z } from 'zod';
import { apiRuleSchema } from './api-rules.ts';
import { faultSchema } from './faults.ts';
import { mediaNameSchema, RECIPES, type MediaName } from './media/recipes.ts';

export const variantSchema = z
  .strictObject({
    media: mediaNameSchema,
    /** What the API says; what the media has unless told. */
    codecFamily: z.enum(['h264', 'h265']).optional(),
    source: z.enum(['primary', 'hevc']).default('primary'),
    qualityKey: z.string().min(1).default('origin'),
    qualityLabel: z.string().optional(),
    protocols: z.array(z.enum(['flv', 'hls', 'cmaf'])).default(['flv']),
    /** As the API reports it; the media's own unless told, left out when null. */
    resolution: z.string().nullable().optional(),
    /** Bits per second; the media's own unless told, left out when null. */
    bitrate: z.number().int().nonnegative().nullable().optional(),
    /** How h265 stands in FLV: codec id 12, or FourCC hvc1. */
    flvForm: z.enum(['legacy', 'enhanced']).default('legacy'),
    /** Every request for this variant's media gets this status. */
    status: z.number().int().min(400).max(599).optional(),
    /** So many redirects before the media. */
    redirects: z.number().int().nonnegative().default(0),
    /** Handed out instead of the sandbox's own addresses. */
    urls: z
      .strictObject({ flv: z.string().optional(), hls: z.string().optional(), cmaf: z.string().optional() })
      .default({}),
  })
  .transform((variant) => ({
    ...variant,
    codecFamily: variant.codecFamily ?? RECIPES[variant.media]?.codec ?? ('h264' as const),
  }));
export type ScenarioVariant = z.infer<typeof variantSchema>;

export const creatorSchema = z.strictObject({
  displayName: z.string().nullable().optional(),
  platformUserId: z.string().optional(),
  verified: z.boolean().default(false),
  title: z.string().nullable().default('An evening in the sandbox'),
  /** The first room's; a new room counts up. */
  roomId: z.string().min(1).optional(),
  /** Since the scenario began; null: only when told to go live. */
  liveAtMs: z.number().nonnegative().nullable().default(null),
  /** How long each broadcast lasts; null: until told to end. */
  durationMs: z.number().positive().nullable().default(null),
  /** Avatar and cover pictures are offered. */
  images: z.boolean().default(true),
  startedAtKnown: z.boolean().default(true),
  variants: z.array(variantSchema).default([variantSchema.parse({ media: 'small' })]),
  /** Of each broadcast. */
  faults: z.array(faultSchema).default([]),
});
export type ScenarioCreator = z.infer<typeof creatorSchema>;

export const scenarioSchema = z.strictObject({
  /** Broadcast seconds per second. */
  speed: z.number().positive().max(100).default(1),
  apiKey: z.string().min(1).default('sfk_sandbox'),
  creditsPerLookup: z.number().int().nonnegative().default(1),
  /** After so many credits the API says 402; null: never. */
  credits: z.number().int().nonnegative().nullable().default(null),
  /** How long a stream's URL is good for, wall clock. */
  urlTtlMs: z
    .number()
    .positive()
    .default(14 * 86_400_000),
  /** GOPs that a new connection gets from the CDN's cache. */
  gopCache: z.number().int().positive().default(1),
  hlsWindow: z.number().int().positive().default(6),
  creators: z.record(z.string().regex(/^[a-z0-9._]{1,64}$/), creatorSchema).default({}),
  api: z.array(apiRuleSchema).default([]),
});
export type Scenario = z.infer<typeof scenarioSchema>;
export type ScenarioInput = z.input<typeof scenarioSchema>;

/** All media that a scenario may send. */
export function mediaOf(scenario: Scenario): MediaName[] {
  const names = Object.values(scenario.creators).flatMap((creator) => [
    ...creator.variants.map((variant) => variant.media),
    ...creator.faults.flatMap((fault) => (fault.type === 'media' ? [fault.media] : [])),
  ]);
  return [...new Set(names)];
}
