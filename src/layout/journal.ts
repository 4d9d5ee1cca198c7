/**
 * Journal objects: newline-delimited JSON, one entry a line, immutable once shipped. A torn last line (a crash while it
 * was being appended) is dropped by the reader; anything else that cannot be read is an error that names its line.
 */
import { LivestowError } from '../kernel/errors.ts';
import { journalEntrySchema, type JournalEntry } from '../model/manifest.ts';
import { formatOf, requireReadableFormat } from './format.ts';

export const encodeJournalEntry = (entry: JournalEntry): string => `${JSON.stringify(entry)}\n`;

/**
 * The entries of one journal. Entries of a type that this version does not know are skipped: readers ignore what they
 * do not know.
 * @param name quoted in errors
 */
export function decodeJournal(text: string, name: string): JournalEntry[] {
  const lines = text.split('\n');
  const torn = lines.pop() ?? '';
  const entries: JournalEntry[] = [];
  const all = torn === '' ? lines : [...lines, torn];
  for (const [index, line] of all.entries()) {
    if (line === '') continue;
    const isTornTail = index === lines.length;
    const parsed = decodeJournalLine(line, `${name}, line ${index + 1}`);
    if (parsed.ok) {
      if (parsed.entry) entries.push(parsed.entry);
    } else if (!isTornTail) {
      throw new LivestowError('MANIFEST', `${name}, line ${index + 1}: ${parsed.why}`, {
        hint: 'the journal was altered after it was written; restore it from a copy of the bucket',
      });
    }
  }
  return entries;
}

type ParsedLine = { ok: true; entry: JournalEntry | undefined } | { ok: false; why: string };

/** Throws MANIFEST for a term of a format that cannot be read: its fields may be others. */
export function decodeJournalLine(line: string, place: string): ParsedLine {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return { ok: false, why: 'not JSON' };
  }
  const type = typeof value === 'object' && value !== null && 'type' in value ? value.type : undefined;
  if (type === 'term') requireReadableFormat(formatOf(value), place);
  const known = journalEntrySchema.safeParse(value);
  if (known.success) return { ok: true, entry: known.data };
  const typeIsKnown = journalEntrySchema.options.some((option) => option.shape.type.value === type);
  if (typeof type === 'string' && !typeIsKnown) return { ok: true, entry: undefined };
  return { ok: false, why: known.error.issues[0]?.message ?? 'not a journal entry' };
}
