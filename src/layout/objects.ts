/** The objects that a manifest, or journals, say are in a session's folder, beside journals and what is derived of it. */
import type { ArchivedFile, Epoch, JournalEntry, Manifest } from '../model/manifest.ts';

/** Null where its segments need none: MPEG-TS. */
export const initOf = ({ init, initBytes, initSha256 }: Epoch): ArchivedFile | null =>
  init === null ? null : { key: init, bytes: initBytes ?? 0, sha256: initSha256 ?? '' };

/** Each epoch's init segment, the segments, the files. */
export const objectsOf = ({ epochs, segments, files }: Manifest): ArchivedFile[] => [
  ...epochs.flatMap((epoch) => initOf(epoch) ?? []),
  ...segments,
  ...files,
];

/** The init segments and segments that journals name. */
export const journaledObjects = (entries: readonly JournalEntry[]): ArchivedFile[] =>
  entries.flatMap((entry) => {
    if (entry.type === 'segment') return [entry.segment];
    return (entry.type === 'epoch' ? initOf(entry.epoch) : null) ?? [];
  });
