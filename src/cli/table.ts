/** Text for people, in columns. */

/** Columns as wide as their widest cell; `right` names those that are aligned to the right. */
export function table(
  rows: readonly (readonly string[])[],
  right: ReadonlySet<number> = new Set(),
): string[] {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [column, cell] of row.entries()) widths[column] = Math.max(widths[column] ?? 0, cell.length);
  }
  return rows.map((row) => {
    const cells = row.map((cell, column) => {
      const width = widths[column] ?? 0;
      return right.has(column) ? cell.padStart(width) : cell.padEnd(width);
    });
    return cells.join('  ').trimEnd();
  });
}

/** `2026-11-22 14:03:07` in UTC. */
export const shortTime = (iso: string): string => new Date(iso).toISOString().slice(0, 19).replace('T', ' ');
