/**
 * What is searched for, and in what: case, width and compatible forms of letters make no difference (`NFKC`, lower case),
 * and neither do controls. Both sides go through the same function, so that a search is an exact one for substrings.
 */
import { foreign } from '../kernel/foreign-text.ts';

/** Between fields. Nothing that was folded holds one, so nothing is found across two fields. */
const SEPARATOR = '\n';
/** FTS5's trigrams find what is at least so long. */
const TRIGRAM = 3;
/** What is longer is nobody's search. */
const MOST_CHARS = 500;

export const fold = (text: string): string => foreign(text.toWellFormed().normalize('NFKC').toLowerCase());

export const searchText = (fields: readonly (string | null)[]): string =>
  fields
    .filter((field) => field !== null)
    .map(fold)
    .join(SEPARATOR);

export interface SearchWords {
  /** Each, folded. */
  all: string[];
  /** Those that are long enough, for FTS5's MATCH; null when none is. */
  match: string | null;
  /** The others. */
  short: string[];
}

export const NO_WORDS: SearchWords = { all: [], match: null, short: [] };

/** Every word has to be found, wherever. */
export function searchWords(text: string): SearchWords {
  const words = fold(text.slice(0, MOST_CHARS)).split(/\s+/);
  const all = [...new Set(words)].filter((word) => word !== '');
  const isLong = (word: string): boolean => Array.from(word).length >= TRIGRAM;
  const long = all.filter(isLong).map((word) => `"${word.replaceAll('"', '""')}"`);
  return {
    all,
    match: long.length === 0 ? null : long.join(' AND '),
    short: all.filter((word) => !isLong(word)),
  };
}
