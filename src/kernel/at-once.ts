/** Many small calls, a few at once. */

/**
 * Calls for each item, so many at once. Rejects with the first failure once all that had begun has ended; after a failure
 * nothing new is begun.
 */
export async function forEachAtOnce<T>(
  items: Iterable<T>,
  atOnce: number,
  call: (item: T) => Promise<void>,
): Promise<void> {
  const left = Iterator.from(items);
  const failures: unknown[] = [];
  const work = async (): Promise<void> => {
    for (const item of left) {
      if (failures.length > 0) return;
      await call(item).catch((error: unknown) => failures.push(error));
    }
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  if (failures.length > 0) throw failures[0];
}
