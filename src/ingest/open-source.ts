/** One connection to a variant, whatever its protocol. */
import { LivestowError } from '../kernel/errors.ts';
import type { Variant } from '../model/variant.ts';
import { openFlvSource } from './flv-source.ts';
import { openHlsSource } from './hls-source.ts';
import type { MediaSource, SourceDeps } from './source.ts';

/** Throws MEDIA_UNSUPPORTED for a protocol that livestow does not read; all else comes from the source itself. */
export function openSource(variant: Variant, deps: SourceDeps, signal: AbortSignal): MediaSource {
  switch (variant.protocol) {
    case 'flv':
      return openFlvSource(variant.url, deps, signal);
    case 'hls':
      return openHlsSource(variant.url, deps, signal);
    case 'cmaf':
      throw new LivestowError(
        'MEDIA_UNSUPPORTED',
        'CMAF is a DASH manifest here, which livestow does not read',
      );
  }
}
