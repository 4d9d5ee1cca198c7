/**
 * How the operator asks for an end, as the reason of an abort signal: `interrupt` ends the recording and seals it,
 * `drain` leaves the session open for the next start.
 */

export type StopKind = 'interrupt' | 'drain';

export class StopRequest extends Error {
  readonly kind: StopKind;

  constructor(kind: StopKind) {
    super(kind === 'interrupt' ? 'interrupted' : 'asked to drain');
    this.name = 'AbortError';
    this.kind = kind;
  }
}

/** Which kind of stop aborted the signal; undefined when it was none, or something else. */
export function stopKind(signal: AbortSignal): StopKind | undefined {
  return signal.reason instanceof StopRequest ? signal.reason.kind : undefined;
}
