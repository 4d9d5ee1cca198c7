/** Which sessions a retention policy gives up, pure: oldest first, each with the reason. */
import { formatBytes } from '../kernel/byte-size.ts';
import { formatDuration } from '../kernel/duration.ts';

/** Null: no limit. */
export interface Limits {
  maxAgeMs: number | null;
  maxBytes: number | null;
  maxSessions: number | null;
}

export interface RetentionPolicy {
  /** Of each creator. */
  each: Limits;
  /** Of all creators together. */
  all: Limits;
  /** So many of each creator's newest sessions stay, whatever the limits say. */
  keepAtLeast: number;
}

export interface RetainedSession {
  /** Its id: ids sort by time. */
  session: string;
  /** Whose it is, under whatever handle. */
  creator: string;
  /** When the broadcast ended; its age counts from there. */
  endedAtMs: number;
  bytes: number;
  /** It counts for the limits and is never given up: it is held, locked, not sealed, damaged. */
  isFixed: boolean;
  /** Sealed: only such a session counts as one of those that are kept at least. */
  isSealed: boolean;
}

export interface GivenUp<T> {
  of: T;
  reason: string;
}

export function planRetention<T extends RetainedSession>(
  sessions: readonly T[],
  { each, all, keepAtLeast }: RetentionPolicy,
  nowMs: number,
): GivenUp<T>[] {
  const oldestFirst = [...sessions].sort(
    (a, b) => a.endedAtMs - b.endedAtMs || (a.session < b.session ? -1 : 1),
  );
  const creators = [...Map.groupBy(oldestFirst, ({ creator }) => creator).values()];
  const kept = new Set(
    creators.flatMap((own) =>
      keepAtLeast > 0 ? own.filter(({ isSealed }) => isSealed).slice(-keepAtLeast) : [],
    ),
  );
  const mayGo = (session: T): boolean => !session.isFixed && !kept.has(session);
  const reasons = new Map<T, string>();
  for (const own of creators) beyond(own, each, 'of a creator', nowMs, mayGo, reasons);
  const left = oldestFirst.filter((session) => !reasons.has(session));
  beyond(left, all, 'in all', nowMs, mayGo, reasons);
  return oldestFirst.flatMap((of) => {
    const reason = reasons.get(of);
    return reason === undefined ? [] : [{ of, reason }];
  });
}

function beyond<T extends RetainedSession>(
  oldestFirst: readonly T[],
  { maxAgeMs, maxBytes, maxSessions }: Limits,
  scope: string,
  nowMs: number,
  mayGo: (session: T) => boolean,
  reasons: Map<T, string>,
): void {
  let count = oldestFirst.length;
  let bytes = oldestFirst.reduce((sum, session) => sum + session.bytes, 0);
  for (const session of oldestFirst) {
    if (!mayGo(session)) continue;
    let reason: string | undefined;
    if (maxAgeMs !== null && nowMs - session.endedAtMs > maxAgeMs)
      reason = `older than ${formatDuration(maxAgeMs)}`;
    else if (maxSessions !== null && count > maxSessions)
      reason = `more than ${maxSessions} sessions ${scope}`;
    else if (maxBytes !== null && bytes > maxBytes) reason = `more than ${formatBytes(maxBytes)} ${scope}`;
    if (reason === undefined) continue;
    reasons.set(session, reason);
    count -= 1;
    bytes -= session.bytes;
  }
}
