/** What somebody else wrote (a title, an error page, a playlist): made harmless for a terminal and for a log, and bounded. */

/** Controls (escape sequences, line ends), what changes the direction of writing, and the line ends of Unicode. */
const UNSAFE = /[\p{Cc}\p{Bidi_Control}\u2028\u2029]/gu;
/** The same, but for line ends and tabs. */
const UNSAFE_IN_LINES = /(?![\n\t])[\p{Cc}\p{Bidi_Control}\u2028\u2029]/gu;

const ELLIPSIS = '…';

/** On one line. */
export const foreign = (text: string): string => text.replace(UNSAFE, ' ');

/** On as many lines as it has. */
export const foreignLines = (text: string): string => text.replace(UNSAFE_IN_LINES, ' ');

/** JSON as it was, with all that is unsafe escaped: JSON alone leaves half of it as it is. Line ends between values stay. */
export const escapeJson = (json: string): string =>
  json.replace(UNSAFE_IN_LINES, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);

/** At most so many characters (UTF-16), of whole code points; an ellipsis at the end says that more was there. */
export function shorten(text: string, most: number): string {
  const cut = text.length <= most ? text : text.slice(0, most - 1).replace(/[\uD800-\uDBFF]$/, '') + ELLIPSIS;
  return cut.toWellFormed();
}
