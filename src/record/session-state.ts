/**
 * The life of a session as one value and one pure step:
 *
 *     recording ──media broke──► holding ──media──► recording
 *         │                         │
 *         │ stop                    │ stop, new room, offline confirmed, hold used up
 *         └──────────► ended ◄──────┘
 *
 * - recording: media flows. No look ends it, not even one that shows another room: its turn comes when media breaks off.
 * - holding: media broke off. The known URL is tried at once beside a fresh look; the session waits for either. Two
 *   looks in a row that say offline, uncached and `confirmMs` apart, end it; a look that failed says nothing. A hold that
 *   the process or the machine slept in begins anew.
 * - ended: final. The first cause wins. What was recorded is closed and sealed by the caller.
 *
 * Everything durable is in the spool and its journals, not here: after a crash a session begins in `holding`.
 */
import type { EndCause } from '../model/causes.ts';

export type SessionState =
  | { phase: 'recording' }
  | { phase: 'holding'; sinceMs: number; firstOfflineAtMs: number | null }
  | { phase: 'ended'; cause: EndCause };

export type SessionFact =
  | { type: 'media' }
  | { type: 'media-broke' }
  | { type: 'look'; says: 'same-room' | 'other-room' | 'offline'; cached: boolean }
  | { type: 'tick' }
  /** The process stood still, or the machine slept. */
  | { type: 'suspended' }
  /** The disk had no room to record, and has again. */
  | { type: 'room' }
  | { type: 'stop'; cause: Extract<EndCause, 'stopped' | 'max-duration'> };

export interface EndPolicy {
  /** How long a session waits for media to come back. */
  maxHoldMs: number;
  /** How far apart two looks must be to confirm an end. */
  confirmMs: number;
}

export const holdingSince = (nowMs: number): SessionState => ({
  phase: 'holding',
  sinceMs: nowMs,
  firstOfflineAtMs: null,
});

export function next(state: SessionState, fact: SessionFact, nowMs: number, policy: EndPolicy): SessionState {
  if (state.phase === 'ended') return state;
  switch (fact.type) {
    case 'stop':
      return { phase: 'ended', cause: fact.cause };
    case 'media':
      return { phase: 'recording' };
    case 'media-broke':
      return state.phase === 'recording' ? holdingSince(nowMs) : state;
    case 'suspended':
      // What was seen before is old, and nobody waited: as if media had broken off now.
      return state.phase === 'holding' ? holdingSince(nowMs) : state;
    case 'tick':
      return state.phase === 'holding' && nowMs - state.sinceMs >= policy.maxHoldMs
        ? { phase: 'ended', cause: 'media-lost' }
        : state;
    // Media could not have come: the hold is for waiting for it.
    case 'room':
      return state.phase === 'holding' ? { ...state, sinceMs: nowMs } : state;
    case 'look':
      return afterLook(state, fact, nowMs, policy);
  }
}

function afterLook(
  state: Exclude<SessionState, { phase: 'ended' }>,
  look: Extract<SessionFact, { type: 'look' }>,
  nowMs: number,
  policy: EndPolicy,
): SessionState {
  // A cached answer is stale in both directions.
  if (look.cached || state.phase === 'recording') return state;
  if (look.says === 'other-room') return { phase: 'ended', cause: 'new-room' };
  if (look.says === 'same-room') return { ...state, firstOfflineAtMs: null };
  const firstOfflineAtMs = state.firstOfflineAtMs ?? nowMs;
  return nowMs - firstOfflineAtMs >= policy.confirmMs
    ? { phase: 'ended', cause: 'room-ended' }
    : { ...state, firstOfflineAtMs };
}

/** Looks while holding: close at first, then rarer, since each costs credits. */
const HOLD_LOOKS_MS = [10_000, 10_000, 10_000, 20_000, 30_000, 60_000];

/** How long after the last look the next one comes; an end that one look told is confirmed as soon as it can be. */
export const holdLookInMs = (
  { firstOfflineAtMs }: Extract<SessionState, { phase: 'holding' }>,
  round: number,
  { confirmMs }: EndPolicy,
): number =>
  firstOfflineAtMs === null
    ? (HOLD_LOOKS_MS[Math.min(round, HOLD_LOOKS_MS.length - 1)] ?? 60_000)
    : confirmMs;
