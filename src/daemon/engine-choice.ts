/**
 * Which engine writes what, by the setting `engine`, and what can be recorded with it. Without ffmpeg only the builtin
 * engine works, and only who asks for it goes without ffmpeg: another recording would lack what nobody knew it lacked.
 */
import { findFfmpeg } from '../ffmpeg/capabilities.ts';
import type { Clock } from '../kernel/clock.ts';
import { isLivestowError, LivestowError } from '../kernel/errors.ts';
import type { Logger } from '../kernel/logger.ts';
import type { Variant, VariantLabel } from '../model/variant.ts';
import { createBuiltinEngine } from '../record/builtin/builtin-engine.ts';
import type { Engine, EpochSpec } from '../record/engine.ts';
import { createFfmpegEngine } from '../record/ffmpeg/ffmpeg-engine.ts';

export interface EngineChoice {
  engineFor: (spec: Pick<EpochSpec, 'video'>, variant: Pick<VariantLabel, 'protocol'>) => Engine;
  /** True, or why not. */
  canRecord: (variant: Pick<Variant, 'protocol'>) => true | string;
  /** For posters. Undefined when there is none, which is no matter for the builtin engine. */
  ffmpegPath: string | undefined;
}

export interface EngineChoiceOptions {
  engine: 'auto' | 'ffmpeg' | 'builtin';
  clock: Clock;
  logger: Logger;
  env?: Record<string, string | undefined>;
}

/** Throws FFMPEG_MISSING unless the setting says `builtin`. */
export async function chooseEngines(options: EngineChoiceOptions): Promise<EngineChoice> {
  const { engine, clock, logger, env } = options;
  const builtin = createBuiltinEngine({ logger });
  if (engine === 'builtin') {
    return {
      engineFor: () => builtin,
      canRecord: ({ protocol }) => protocol === 'flv' || 'the builtin engine records FLV only',
      ffmpegPath: await ffmpegIfThere(env),
    };
  }
  const { path: ffmpegPath } = await ffmpegOrAdvice(env);
  const ffmpeg = createFfmpegEngine({ ffmpegPath, clock, logger });
  return {
    engineFor: ({ video }, { protocol }) =>
      engine === 'auto' && protocol === 'flv' && video?.codec === 'h265' ? builtin : ffmpeg,
    canRecord: () => true,
    ffmpegPath,
  };
}

async function ffmpegIfThere(env: EngineChoiceOptions['env']): Promise<string | undefined> {
  try {
    return (await findFfmpeg(env)).path;
  } catch (error) {
    if (isLivestowError(error, 'FFMPEG_MISSING')) return undefined;
    throw error;
  }
}

async function ffmpegOrAdvice(env: EngineChoiceOptions['env']): Promise<{ path: string }> {
  try {
    return await findFfmpeg(env);
  } catch (error) {
    if (!isLivestowError(error, 'FFMPEG_MISSING')) throw error;
    const hint = `${error.hint ?? ''} Or record FLV without it: --engine builtin`.trim();
    throw new LivestowError('FFMPEG_MISSING', error.message, { hint, cause: error });
  }
}
