/** ffmpeg and what it can do. */
import { findFfmpeg, type FfmpegCapabilities, type HevcInFlv } from '../../ffmpeg/capabilities.ts';
import type { Config } from '../../config/schema.ts';
import { isLivestowError, type LivestowError } from '../../kernel/errors.ts';
import type { Check, Finding } from './finding.ts';

/** @param engine the setting: the builtin engine needs none */
export const checkFfmpeg =
  (env: Readonly<Record<string, string | undefined>>, engine: Config['engine']): Check =>
  async (signal) => {
    try {
      const ffmpeg = await findFfmpeg(env, signal);
      return [versionFinding(ffmpeg), probeFinding(ffmpeg)];
    } catch (error) {
      if (engine !== 'builtin' || !isLivestowError(error, 'FFMPEG_MISSING')) throw error;
      return [withoutFfmpeg(error)];
    }
  };

const withoutFfmpeg = ({ hint }: LivestowError): Finding => ({
  check: 'ffmpeg',
  status: 'warn',
  found:
    'was not found: the builtin engine records without it; posters, export and decoding in verify need it',
  ...(hint === undefined ? {} : { advice: hint }),
});

/** livestow reads FLV itself, so that no ffmpeg stands between it and h265; worth knowing all the same. */
const READS_HEVC: Record<HevcInFlv, string> = {
  none: 'does not read h265 in FLV itself',
  enhanced: 'reads h265 in enhanced FLV',
  legacy: 'reads h265 in FLV',
};

function versionFinding({ path, version, lacks, readsHevcInFlv }: FfmpegCapabilities): Finding {
  if (lacks.length > 0) {
    return {
      check: 'ffmpeg',
      status: 'fail',
      found: `${version} lacks ${lacks.join(', ')}`,
      advice: `install the full ffmpeg 5.1 or later of your system (this one is ${path})`,
    };
  }
  return { check: 'ffmpeg', status: 'ok', found: `${version}, ${READS_HEVC[readsHevcInFlv]}` };
}

function probeFinding({ probePath }: FfmpegCapabilities): Finding {
  if (probePath !== undefined) return { check: 'ffprobe', status: 'ok', found: probePath };
  return {
    check: 'ffprobe',
    status: 'warn',
    found: 'was not found beside ffmpeg nor on the PATH',
    advice: 'install it for export and verify; it comes with ffmpeg on most systems',
  };
}
