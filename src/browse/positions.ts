/** Positions in a recording, as people write them: `1:02:03`, `2:03.5`, `123`. */

/** Milliseconds; undefined: it is none. */
export function parsePosition(text: string): number | undefined {
  const [, hours = '0', minutes = '0', seconds] =
    /^(?:(?:(\d{1,3}):)?(\d{1,3}):)?(\d{1,6}(?:\.\d{1,3})?)$/.exec(text.trim()) ?? [];
  if (seconds === undefined) return undefined;
  return Math.round((Number(hours) * 3_600 + Number(minutes) * 60 + Number(seconds)) * 1_000);
}
