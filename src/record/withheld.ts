/** When the disk had no room for media, as the journals of earlier terms say it. */
import type { JournalEntry } from '../model/manifest.ts';

/** UTC milliseconds from and to which there was no room for media. */
export interface Withheld {
  fromMs: number;
  toMs: number;
  /** Media came until then: what is missing begins behind the last picture. */
  cutMedia: boolean;
}

/** Since media came last, oldest first: nobody has told of these. */
export function withheldIn(entries: readonly JournalEntry[]): Withheld[] {
  let pauses: Withheld[] = [];
  let open: Withheld | null = null;
  for (const entry of entries) {
    const atMs = Date.parse(entry.at);
    // Whoever ended in a pause noted until then that it went on.
    if (entry.type === 'term') open = null;
    if (open) open.toMs = atMs;
    if (entry.type !== 'event') continue;
    const { event, detail } = entry;
    if (event === 'media') pauses = [];
    if (event === 'media' || event === 'ended') open = null;
    if (event === 'media-broke' && open && detail['cause'] === 'disk-full' && Number(detail['mediaMs']) > 0)
      open.cutMedia = true;
    if (event !== 'disk') continue;
    if (detail['level'] !== 'out') open = null;
    else if (!open) pauses.push((open = { fromMs: atMs, toMs: atMs, cutMedia: false }));
  }
  return pauses;
}
