/** How much lies in a spool. */
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';

/** Bytes in files; what comes or goes meanwhile may be counted or not. */
export async function spoolBytes(root: string): Promise<number> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true }).catch(() => []);
  let bytes = 0;
  for (const entry of entries) {
    if (!entry.isFile()) continue;
    const info = await stat(join(entry.parentPath, entry.name)).catch(() => undefined);
    bytes += info?.size ?? 0;
  }
  return bytes;
}
