/** What a daemon is at, as lines for people: one about all, and one for each creator, those that are recorded first. */
import { formatBytes } from '../kernel/byte-size.ts';
import { formatClockTime, formatDuration } from '../kernel/duration.ts';
import { foreign } from '../kernel/foreign-text.ts';
import type { CreatorStatus } from '../model/creator-status.ts';
import type { Status } from '../web/schemas.ts';
import { table } from './table.ts';

type State = CreatorStatus['state'];

const HEADINGS = ['CREATOR', 'STATE', 'RECORDED', 'SHIPPED', 'GAPS', 'NEXT LOOK', ''];
const NUMBERS = new Set([2, 3, 4]);

/** In which order they are shown: what is going on, what is wrong, what waits. */
const PLACE: Record<State, number> = {
  recording: 0,
  holding: 0,
  leaving: 0,
  queued: 1,
  failing: 2,
  finishing: 3,
  watching: 4,
  closed: 5,
  paused: 6,
};

/** @param most lines in all; what has no room is told in the last one */
export function overview(
  status: Status,
  creators: readonly CreatorStatus[],
  nowMs: number,
  most = Infinity,
): string[] {
  const sorted = creators.toSorted(
    (a, b) => PLACE[a.state] - PLACE[b.state] || dueMs(a) - dueMs(b) || (a.handle < b.handle ? -1 : 1),
  );
  const head = about(status);
  if (sorted.length === 0) return [head, 'nobody is watched'];
  // The first line, the headings.
  const room = most - 2;
  const shown = sorted.length <= room ? sorted : sorted.slice(0, Math.max(0, room - 1));
  const left = sorted.slice(shown.length);
  return [
    head,
    ...table([HEADINGS, ...shown.map((creator) => row(creator, nowMs))], NUMBERS),
    ...(left.length === 0 ? [] : [`and ${countsOf(left)}`]),
  ];
}

/** What matters most comes first: a narrow terminal cuts the end off. */
function about({ version, uptimeMs, isEnding, recordings, load, credits, spool, uploads }: Status): string {
  const { running, waiting, most, heldBy } = recordings;
  const waitingFor = heldBy === null || heldBy === 'places' ? '' : ` for ${heldBy}`;
  return [
    `livestow ${version}${isEnding ? ', ending' : ''}`,
    `recording ${running}${most === null ? '' : ` of ${most}`}${waiting === 0 ? '' : `, ${waiting} wait${waitingFor}`}`,
    ...limited('cpu', load.cpuShare, (share) => `${Math.round(share * 100)} %`),
    ...limited('down', load.downloadBytesPerSecond, formatRate),
    ...limited('up', load.uploadBytesPerSecond, formatRate),
    `shipped ${formatBytes(uploads.shippedBytes)}`,
    ...(uploads.storeTakes ? [] : ['the store takes nothing']),
    `spool ${formatBytes(spool.bytes)}${spool.freeBytes === null ? '' : `, ${formatBytes(spool.freeBytes)} free`}`,
    `credits today ${credits.spentToday}${credits.perDay === null ? '' : ` of ${credits.perDay}`}`,
    `up ${formatDuration(Math.floor(uptimeMs / unitOf(uptimeMs)) * unitOf(uptimeMs))}`,
  ].join(' · ');
}

/** `cpu 63 % of 80 %`; nothing where there is no limit. */
function limited(
  what: string,
  { used, most }: Status['load']['cpuShare'],
  show: (value: number) => string,
): string[] {
  return most === null ? [] : [`${what} ${used === null ? '?' : show(used)} of ${show(most)}`];
}

const formatRate = (bytesPerSecond: number): string => `${formatBytes(Math.round(bytesPerSecond))}/s`;

function row(creator: CreatorStatus, nowMs: number): string[] {
  const { handle, state, recording } = creator;
  return [
    `@${handle}`,
    state,
    recording ? formatClockTime(recording.recordedMs) : '',
    recording ? `${formatBytes(recording.shippedBytes)} of ${formatBytes(recording.bytes)}` : '',
    recording ? String(recording.gaps) : '',
    recording ? '' : nextLook(creator, nowMs),
    foreign(creator.problem?.message ?? creator.note ?? ''),
  ];
}

/** `in 40s`, `next opens Fri 18:00 UTC` */
export function nextLook({ state, nextLookAt, nextLookWhy, windows }: CreatorStatus, nowMs: number): string {
  if (state === 'closed' && windows !== null) return windows;
  if (nextLookAt === null) return '';
  const inMs = Date.parse(nextLookAt) - nowMs;
  const when = inMs <= 0 ? 'now' : `in ${formatDuration(Math.ceil(inMs / unitOf(inMs)) * unitOf(inMs))}`;
  return nextLookWhy === 'budget-spent' ? `${when}, credits are spent` : when;
}

/** Seconds below an hour, minutes above. */
const unitOf = (ms: number): number => (ms < 3_600_000 ? 1_000 : 60_000);

const dueMs = ({ nextLookAt }: CreatorStatus): number =>
  nextLookAt === null ? Infinity : Date.parse(nextLookAt);

/** `480 more: 460 watching, 20 paused` */
function countsOf(creators: readonly CreatorStatus[]): string {
  const counts = new Map<State, number>();
  for (const { state } of creators) counts.set(state, (counts.get(state) ?? 0) + 1);
  return `${creators.length} more: ${[...counts].map(([state, count]) => `${count} ${state}`).join(', ')}`;
}
