/** The version that the package's own package.json says. */
import { readFileSync } from 'node:fs';
import { z } from 'zod';

/** From `src/cli` and from `dist/cli` alike. */
export const livestowVersion = (): string =>
  z
    .object({ version: z.string() })
    .parse(JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))).version;
