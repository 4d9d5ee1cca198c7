/** What media the sandbox has, by name. */
import { z } from 'zod';

interface PictureRecipe {
  codec: 'h264' | 'h265';
  width: number;
  height: number;
  bitrateBps: number;
}

export const RECIPES = {
  portrait: { codec: 'h264', width: 720, height: 1280, bitrateBps: 2_500_000 },
  landscape: { codec: 'h264', width: 1280, height: 720, bitrateBps: 2_500_000 },
  small: { codec: 'h264', width: 360, height: 640, bitrateBps: 600_000 },
  'small-landscape': { codec: 'h264', width: 640, height: 360, bitrateBps: 600_000 },
  'portrait-hevc': { codec: 'h265', width: 720, height: 1280, bitrateBps: 2_500_000 },
  hevc: { codec: 'h265', width: 360, height: 640, bitrateBps: 500_000 },
  /** Sound without pictures. */
  sound: null,
} as const satisfies Record<string, PictureRecipe | null>;

export type MediaName = keyof typeof RECIPES;
export const MEDIA_NAMES = Object.keys(RECIPES) as [MediaName, ...MediaName[]];
export const mediaNameSchema = z.enum(MEDIA_NAMES);

export const AUDIO_BITRATE_BPS = 64_000;
export const IMAGE_NAMES = ['avatar', 'cover'] as const;
export type ImageName = (typeof IMAGE_NAMES)[number];
