/** Tells how attempts ended: each as an event, and each kind of trouble of a variant once in the log. */
import type { Logger } from '../kernel/logger.ts';
import type { Variant } from '../model/variant.ts';
import type { AttemptOutcome } from './attempt.ts';
import type { SessionRecording } from './session-recording.ts';

export class OutcomeLog {
  readonly #recording: SessionRecording;
  readonly #log: Logger;
  /** Which troubles of which variants the log has explained; after that the events do. */
  readonly #told = new Set<string>();

  constructor({ recording, log }: { recording: SessionRecording; log: Logger }) {
    this.#recording = recording;
    this.#log = log;
  }

  note(variant: Variant, { cause, mediaMs, error }: AttemptOutcome): void {
    const trouble = `${variant.id} ${error?.code}`;
    if (error && !this.#told.has(trouble)) {
      this.#told.add(trouble);
      this.#log.warn({ err: error, variant: variant.id }, error.message);
    }
    const status = error?.context['status'];
    this.#recording.event('media-broke', {
      variant: variant.id,
      cause,
      mediaMs: Math.round(mediaMs),
      code: error?.code ?? null,
      ...(typeof status === 'number' ? { status } : {}),
    });
  }
}
