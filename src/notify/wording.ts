/** What happened, in words for people: a headline, a line or two, and whether somebody should look. Plain text. */
import { counted, formatShare } from '../kernel/amounts.ts';
import { formatBytes } from '../kernel/byte-size.ts';
import { formatClockTime } from '../kernel/duration.ts';
import { foreign, shorten } from '../kernel/foreign-text.ts';
import { scrub } from '../kernel/redact.ts';
import { END_CAUSES, GAP_CAUSES } from '../model/causes.ts';
import type { LivestowEvent } from '../model/event.ts';
import type { GapDigest, Notice } from './gap-digest.ts';

export interface Wording {
  headline: string;
  /** Lines; may be empty. */
  text: string;
  /** Of the broadcast. */
  link?: string;
  urgent: boolean;
}

/** Together short enough for every shape, however much its escaping adds. */
export const HEADLINE_CHARS = 200;
export const TEXT_CHARS = 640;
const TITLE_CHARS = 200;
const MOST_SESSIONS = 5;

const CREDITS: Record<Extract<LivestowEvent, { type: 'credits' }>['level'], string> = {
  low: 'Few credits are left for today',
  spent: 'The credits for today are spent',
  renewed: 'There are credits again',
  refused: 'The key has no credits left',
};

const DISK: Record<Extract<LivestowEvent, { type: 'disk' }>['level'], string> = {
  ample: "The spool's disk has room again",
  low: "The spool's disk nears its reserve",
  lower: "The spool's disk nears its reserve: lower variants are recorded",
  out: "The spool's disk has no room but its reserve: nothing is recorded",
};

const seconds = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`;
const lines = (...parts: (string | null)[]): string =>
  parts.filter((part) => part !== null && part !== '').join('\n');
const mostFirst = <T extends { gaps: number }>(list: readonly T[]): T[] =>
  list.toSorted((a, b) => b.gaps - a.gaps);

/** Bounded, on lines of its own making, without a secret. */
export function wordingOf(notice: Notice): Wording {
  const { headline, text, link, urgent } = draft(notice);
  return {
    headline: shorten(foreign(scrub(headline)), HEADLINE_CHARS),
    text: shorten(
      text
        .split('\n')
        .map((line) => foreign(line))
        .join('\n'),
      TEXT_CHARS,
    ),
    ...(link === undefined ? {} : { link }),
    urgent: urgent ?? false,
  };
}

type Draft = Omit<Wording, 'urgent'> & { urgent?: boolean };

function draft(notice: Notice): Draft {
  switch (notice.type) {
    case 'live': {
      const title = shorten(foreign(notice.title ?? ''), TITLE_CHARS).trim();
      return {
        headline: `@${notice.handle} is live`,
        text: lines(title === '' ? null : `“${title}”`, counted(notice.viewers, 'viewer')),
        link: `https://www.tiktok.com/@${encodeURIComponent(notice.handle)}/live`,
      };
    }
    case 'recording':
      return { headline: `@${notice.handle} is being recorded`, text: `Session ${notice.session}` };
    case 'gap':
      return {
        headline: `@${notice.handle}: ${seconds(notice.ms)} are missing`,
        text: lines(`${notice.from} to ${notice.to}`, GAP_CAUSES[notice.cause]),
      };
    case 'gaps':
      return gapsDraft(notice);
    case 'ended':
      return {
        headline: `@${notice.handle}: the recording ended`,
        text: END_CAUSES[notice.cause].meaning,
      };
    case 'sealed':
      return {
        headline: `@${notice.handle}: ${formatClockTime(notice.recordedMs)} archived`,
        text: `${counted(notice.gaps, 'gap')}, ${formatShare(notice.coverage)} of it there, ${formatBytes(notice.bytes)}`,
      };
    case 'failed':
      return {
        headline: `${notice.handle === null ? '' : `@${notice.handle}: `}${notice.code}`,
        text: lines(oneLine(notice.message), oneLine(notice.hint)),
        urgent: true,
      };
    case 'credits':
      return {
        headline: CREDITS[notice.level],
        text: `${notice.spentToday} spent today${notice.perDay === null ? '' : ` of ${notice.perDay}`}`,
        urgent: notice.level === 'spent' || notice.level === 'refused',
      };
    case 'disk':
      return {
        headline: DISK[notice.level],
        text: `${formatBytes(notice.freeBytes)} are free`,
        urgent: notice.level === 'lower' || notice.level === 'out',
      };
    case 'config':
      return {
        headline: `The configuration was ${notice.outcome}`,
        text: oneLine(notice.message),
        urgent: notice.outcome === 'refused',
      };
    case 'job':
      return {
        headline: `Job ${notice.job}: ${notice.outcome}`,
        text: oneLine(notice.message),
        urgent: notice.outcome === 'failed',
      };
    case 'digest':
      return digestDraft(notice);
  }
}

function digestDraft(digest: Extract<LivestowEvent, { type: 'digest' }>): Draft {
  const { sessions, creators, recordedMs, liveMs, bytes, credits } = digest;
  const share = liveMs === 0 ? 1 : recordedMs / liveMs;
  const listed = (parts: string[]): string | null => (parts.length === 0 ? null : parts.join(', '));
  const gaps = listed(digest.gaps.map(({ cause, count, ms }) => `${cause} ${count} (${seconds(ms)})`));
  const failures = listed(digest.failures.map(({ code, count }) => `${code} ${count}`));
  const jobs = listed(digest.jobs.map(({ job, outcome, count }) => `${job} ${outcome} ${count}`));
  return {
    headline: `${counted(sessions, 'session')} of ${counted(creators, 'creator')}: ${formatClockTime(recordedMs)} archived`,
    text: lines(
      `${digest.from} to ${digest.to}`,
      `${formatShare(share)} of what was live, ${formatBytes(bytes)}, ${counted(credits, 'credit')}`,
      gaps && `Gaps: ${gaps}`,
      failures && `Failures: ${failures}`,
      jobs && `Jobs: ${jobs}`,
    ),
  };
}

function gapsDraft({ gaps, ms, causes, sessions }: GapDigest): Draft {
  const told = mostFirst(sessions).slice(0, MOST_SESSIONS);
  const more = sessions.length - told.length;
  return {
    headline: `${counted(gaps, 'gap')} in ${counted(sessions.length, 'recording')}: ${seconds(ms)} are missing`,
    text: lines(
      ...told.map((of) => `@${of.handle}: ${counted(of.gaps, 'gap')}, ${seconds(of.ms)}`),
      more === 0 ? null : `and ${more} more`,
      Object.entries(causes)
        .map(([cause, count]) => `${cause} ${count}`)
        .join(', '),
    ),
  };
}

/** Errors quote what came from outside, and may tell of secrets. */
const oneLine = (text: string | null): string => shorten(foreign(scrub(text ?? '')), TEXT_CHARS / 2);
