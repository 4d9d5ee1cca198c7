/** Encodes and decodes manifests and summaries: the format check lives here. */
import type { z } from 'zod';
import { LivestowError } from '../kernel/errors.ts';
import { manifestSchema, summarySchema, type Epoch, type Manifest, type Summary } from '../model/manifest.ts';
import { formatOf, requireReadableFormat } from './format.ts';
import { sessionKeys } from './keys.ts';

/** 4 KB, as the contract says. */
const SUMMARY_LIMIT_BYTES = 4096;

/** Readers ignore fields they do not know and refuse a higher major format. */
function decode<T>(text: string, name: string, schema: z.ZodType<T>): T {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new LivestowError('MANIFEST', `${name} is not JSON`, {
      cause,
      hint: 'rebuild it with `livestow reindex`',
    });
  }
  requireReadableFormat(formatOf(value), name);
  const parsed = schema.safeParse(value);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw new LivestowError(
      'MANIFEST',
      `${name}: ${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'malformed'}`,
      {
        hint: 'it was altered after it was written; rebuild it with `livestow reindex`',
      },
    );
  }
  return parsed.data;
}

export const decodeManifest = (text: string, name: string): Manifest => decode(text, name, manifestSchema);
export const decodeSummary = (text: string, name: string): Summary => decode(text, name, summarySchema);
export const encodeManifest = (manifest: Manifest): string => `${JSON.stringify(manifest, null, 1)}\n`;

const ELLIPSIS = '…';

/** At most so many bytes of UTF-8, cut between characters. */
function cut(text: string, bytes: number): string {
  if (Buffer.byteLength(text) <= bytes) return text;
  let left = bytes - Buffer.byteLength(ELLIPSIS);
  let short = '';
  for (const character of text) {
    left -= Buffer.byteLength(character);
    if (left < 0) break;
    short += character;
  }
  return `${short}${ELLIPSIS}`;
}

const cutIfAny = (text: string | null, bytes: number): string | null =>
  text === null ? null : cut(text, bytes);

/** Of one epoch: a portrait one and a landscape one do not make a square. */
const largestPicture = (epochs: readonly Epoch[]): { width: number; height: number } =>
  epochs.reduce(
    (largest, { width, height }) =>
      width * height > largest.width * largest.height ? { width, height } : largest,
    { width: 0, height: 0 },
  );

export function summaryOf(manifest: Manifest): Summary {
  return {
    format: manifest.format,
    session: manifest.session,
    handle: manifest.creator.handle,
    platformUserId: cutIfAny(manifest.creator.platformUserId, 64),
    displayName: cutIfAny(manifest.creator.displayName, 256),
    roomId: cut(manifest.room.roomId, 128),
    title: cutIfAny(manifest.room.title, 1024),
    startedAt: manifest.room.startedAt,
    foundAt: manifest.foundAt,
    endedAt: manifest.endedAt,
    endCause: manifest.endCause,
    sealedAt: manifest.sealedAt,
    deletedAt: manifest.deletedAt,
    container: manifest.container,
    codecs: [...new Set(manifest.epochs.map((epoch) => epoch.codec))],
    ...largestPicture(manifest.epochs),
    recordedMs: manifest.coverage.recordedMs,
    coverageRatio: manifest.coverage.ratio,
    gaps: manifest.gaps.length,
    epochs: manifest.epochs.length,
    segments: manifest.segments.length,
    bytes: manifest.segments.reduce((sum, segment) => sum + segment.bytes, 0),
    poster: manifest.files.some((file) => file.key === sessionKeys.poster) ? sessionKeys.poster : null,
  };
}

/** At most 4 KB. Titles are cut to keep it so, and JSON escapes can grow them: the last resort is to leave them out. */
export function encodeSummary(summary: Summary): string {
  const full = `${JSON.stringify(summary)}\n`;
  if (Buffer.byteLength(full) <= SUMMARY_LIMIT_BYTES) return full;
  return `${JSON.stringify({ ...summary, title: null, displayName: null })}\n`;
}
