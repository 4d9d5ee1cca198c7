/**
 * Where everything lies: the names of the archive's objects, relative to the store's prefix or to a session's folder.
 * Built from validated ids only; nothing that a creator or the API may spell becomes a path here.
 */
import { createHash } from 'node:crypto';
import { parseHandle } from '../model/handle.ts';
import type { Container } from '../model/manifest.ts';

const SAFE_ROOM = /^[A-Za-z0-9_-]{1,64}$/;

/** A room id as it may stand in a key: itself when harmless, a digest of it otherwise. */
export function roomKey(roomId: string): string {
  return SAFE_ROOM.test(roomId)
    ? roomId
    : `x${createHash('sha256').update(roomId).digest('hex').slice(0, 24)}`;
}

/** `20261122T140307Z-<roomId>`: when the room was found and which it is. */
export const sessionIdOf = (foundAtMs: number, roomId: string): string =>
  `${stampOf(foundAtMs)}-${roomKey(roomId)}`;

/** `20261122T140307Z`: how ids begin, so that they sort by time. */
export const stampOf = (ms: number): string =>
  new Date(ms)
    .toISOString()
    .replace(/[-:]/g, '')
    .replace(/\.\d{3}Z$/, 'Z');

const STAMP = /^(\d{4})(\d{2})(\d{2})T(\d{2})(\d{2})(\d{2})Z-/;

/** When a session was found, to the second, by its id alone; undefined for an id that names no time. */
export function foundAtMsOf(session: string): number | undefined {
  const [, year, month, day, hour, minute, second] = STAMP.exec(session) ?? [];
  const atMs = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  return Number.isNaN(atMs) ? undefined : atMs;
}

const SESSION_ID = /^\d{8}T\d{6}Z-[A-Za-z0-9_-]{1,64}$/;
export const isSessionId = (text: string): boolean => SESSION_ID.test(text);

const pad = (value: number, width: number): string => String(value).padStart(width, '0');

export const CREATORS = 'creators/';
export const creatorPrefix = (handle: string): string => `${CREATORS}${handle}/`;
export const creatorFile = (handle: string): string => `${creatorPrefix(handle)}creator.json`;
export const avatarFile = (handle: string): string => `${creatorPrefix(handle)}avatar.jpg`;
export const sessionPrefix = (handle: string, session: string): string =>
  `${creatorPrefix(handle)}${session}/`;

/** Keys within a session's folder. */
export const sessionKeys = {
  manifest: 'manifest.json',
  summary: 'summary.json',
  playlist: 'index.m3u8',
  room: 'room.json',
  samples: 'samples.ndjson',
  events: 'events.ndjson',
  cover: 'cover.jpg',
  poster: 'poster.jpg',
  storyboard: 'storyboard.jpg',
  /** Which part of it belongs to which time. */
  storyboardTrack: 'storyboard.vtt',
  /** Keeps the session from being removed. */
  hold: 'hold.json',
  segment: (term: number, epoch: number, n: number, container: Container): string =>
    `segments/${pad(term, 4)}-${pad(epoch, 4)}-${pad(n, 6)}.${container === 'mpegts' ? 'ts' : 'm4s'}`,
  init: (term: number, epoch: number): string => `segments/${pad(term, 4)}-${pad(epoch, 4)}-init.mp4`,
  journal: (term: number, n: number): string => `journal/${pad(term, 4)}-${pad(n, 6)}.ndjson`,
  epochPlaylist: (term: number, epoch: number): string => `epoch-${pad(term, 4)}-${pad(epoch, 4)}.m3u8`,
} as const;

/** Index of sessions by id, so that a session is found without its handle. Derived; may be deleted. */
export const INDEX = 'index/';
export const indexKey = (session: string, handle: string): string =>
  `${INDEX}sessions/${session}~${handle}.json`;
export const indexPrefix = (sessionIdPrefix: string): string => `${INDEX}sessions/${sessionIdPrefix}`;

/** Sessions that are being removed just now, or whose removal broke off. Derived from their manifests. */
export const REMOVALS = `${INDEX}removals/`;
export const removalKey = (session: string, handle: string): string => `${REMOVALS}${session}~${handle}.json`;

/**
 * Notes of what changed about sessions that were found long ago: removed, or put there late. Named by when that was, so that
 * whoever knows the index as it stood then asks only for what came after. Derived; may be deleted.
 */
export const CHANGES = `${INDEX}changes/`;
const EVERYTHING = 'everything';
/** @param of null: of so many that all of the index is to be listed again */
export const changeKey = (atMs: number, of: { session: string; handle: string } | null): string =>
  `${CHANGES}${stampOf(atMs)}~${of === null ? EVERYTHING : `${of.session}~${of.handle}`}.json`;

/** Summaries of many sessions in one object, for whoever lists a bucket for the first time. Derived; may be deleted. */
export const SNAPSHOT = `${INDEX}catalogue.ndjson.gz`;

const NAME_OF_CHANGE = /^(\d{8}T\d{6}Z)~(.+)$/;
const NAME_OF_SESSION = /^([^~/]+)~([^~/]+)\.json$/;

function parseNamed(key: string, folder: string): { session: string; handle: string } | undefined {
  if (!key.startsWith(folder)) return undefined;
  const [, session = '', name = ''] = NAME_OF_SESSION.exec(key.slice(folder.length)) ?? [];
  const handle = parseHandle(name);
  return isSessionId(session) && handle !== undefined && handle === name ? { session, handle } : undefined;
}

/** Which session an index object points at; undefined for any other key. */
export const parseIndexKey = (key: string): { session: string; handle: string } | undefined =>
  parseNamed(key, `${INDEX}sessions/`);

/** Which session's removal an object tells of; undefined for any other key. */
export const parseRemovalKey = (key: string): { session: string; handle: string } | undefined =>
  parseNamed(key, REMOVALS);

/** Of which session an object says that it changed, and when; undefined for any other key. */
export function parseChangeKey(
  key: string,
): { of: { session: string; handle: string } | null; atMs: number } | undefined {
  if (!key.startsWith(CHANGES)) return undefined;
  const [, stamp = '', name = ''] = NAME_OF_CHANGE.exec(key.slice(CHANGES.length)) ?? [];
  const of = name === `${EVERYTHING}.json` ? null : parseNamed(`${CHANGES}${name}`, CHANGES);
  const atMs = foundAtMsOf(`${stamp}-`);
  return of !== undefined && atMs !== undefined ? { of, atMs } : undefined;
}

export interface SegmentName {
  term: number;
  epoch: number;
  n: number;
}

const SEGMENT_NAME = /^(?:segments\/)?(\d{4,})-(\d{4,})-(\d{6,})\.(?:ts|m4s)$/;
const JOURNAL_NAME = /^(?:journal\/)?(\d{4,})-(\d+)\.ndjson$/;

export function parseSegmentKey(key: string): SegmentName | undefined {
  const match = SEGMENT_NAME.exec(key);
  return match ? { term: Number(match[1]), epoch: Number(match[2]), n: Number(match[3]) } : undefined;
}

export function parseJournalKey(key: string): { term: number; n: number } | undefined {
  const match = JOURNAL_NAME.exec(key);
  return match ? { term: Number(match[1]), n: Number(match[2]) } : undefined;
}

const CONTENT_TYPES = new Map([
  ['ts', 'video/mp2t'],
  ['m4s', 'video/iso.segment'],
  ['mp4', 'video/mp4'],
  ['m3u8', 'application/vnd.apple.mpegurl'],
  ['json', 'application/json'],
  ['ndjson', 'application/x-ndjson'],
  ['jpg', 'image/jpeg'],
  ['vtt', 'text/vtt'],
  ['gz', 'application/gzip'],
]);

/** The content type that a browser, a player or an S3 console expects. */
export const contentTypeOf = (key: string): string =>
  CONTENT_TYPES.get(key.slice(key.lastIndexOf('.') + 1)) ?? 'application/octet-stream';
