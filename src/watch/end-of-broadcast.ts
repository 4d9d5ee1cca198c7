/**
 * What a run of looks means for a broadcast that is being recorded: the contract's rule for its end, as a pure fold.
 *
 * It is over when two looks in a row, 10 s or more apart, uncached, say offline while no media flows; or when an uncached
 * look names another room while no media flows. While media flows no look ends it, and media that comes clears what looks
 * have said so far. A look that says the same room is live clears it too.
 *
 * These say nothing, neither for nor against: an error, a cached answer (stale in both directions), and `not-found` (the
 * profile could not be resolved, which is no word about the room).
 */
import type { Look } from '../model/look.ts';

/** Two looks that say offline must be at least this far apart. */
const CONFIRM_AFTER_MS = 10_000;

export interface EndEvidence {
  /** Monotonic time of the first look of the present run that said offline. */
  readonly offlineSinceMs: number | null;
}

export const NO_EVIDENCE: EndEvidence = { offlineSinceMs: null };

export type EndVerdict =
  | { kind: 'goes-on'; evidence: EndEvidence; confirmInMs: null }
  /** One look said offline: look again, uncached, after so long. */
  | { kind: 'unconfirmed'; evidence: EndEvidence; confirmInMs: number }
  | { kind: 'ended'; cause: 'room-ended' }
  /** The look that names the new room comes along: it need not be paid twice. */
  | { kind: 'ended'; cause: 'new-room'; look: Extract<Look, { status: 'live' }> };

export interface LookFacts {
  look: Look;
  /** Monotonic time at which the look was answered. */
  atMs: number;
  /** The room that is being recorded. */
  roomId: string;
  mediaFlows: boolean;
}

/** For each answered look. Errors are not folded. */
export function afterLook(evidence: EndEvidence, { look, atMs, roomId, mediaFlows }: LookFacts): EndVerdict {
  if (mediaFlows) return standing(NO_EVIDENCE, atMs);
  if (look.meta.cached || look.status === 'not-found') return standing(evidence, atMs);
  if (look.status === 'live') {
    return look.room.roomId === roomId
      ? standing(NO_EVIDENCE, atMs)
      : { kind: 'ended', cause: 'new-room', look };
  }
  const since = evidence.offlineSinceMs;
  if (since !== null && atMs - since >= CONFIRM_AFTER_MS) return { kind: 'ended', cause: 'room-ended' };
  return standing({ offlineSinceMs: since ?? atMs }, atMs);
}

/** For media that arrives: whatever looks said before, the broadcast is on. */
export const afterMedia = (): EndEvidence => NO_EVIDENCE;

function standing(evidence: EndEvidence, atMs: number): EndVerdict {
  if (evidence.offlineSinceMs === null) return { kind: 'goes-on', evidence: NO_EVIDENCE, confirmInMs: null };
  const confirmInMs = Math.max(0, evidence.offlineSinceMs + CONFIRM_AFTER_MS - atMs);
  return { kind: 'unconfirmed', evidence, confirmInMs };
}
