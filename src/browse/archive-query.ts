/** What is looked for on the page *Archive*, as its address has it; an address that makes no sense finds everything. */
import { z } from 'zod';
import type { SessionQuery } from '../catalogue/session-query.ts';
import { parseHandle } from '../model/handle.ts';

const PAGE_SIZE = 60;
const yesNo = z.enum(['yes', 'no']);
/** An empty field of a form is no filter. */
const optional = <T extends z.ZodType>(schema: T) =>
  z.preprocess((value) => (value === '' ? undefined : value), schema.optional()).catch(undefined);

const querySchema = z.object({
  text: optional(z.string().max(200)),
  creator: optional(z.string().transform((text) => parseHandle(text))),
  from: optional(z.iso.date()),
  to: optional(z.iso.date()),
  /** Minutes. */
  min: optional(z.coerce.number().min(0).max(1e6).transform(String)),
  gaps: optional(yesNo),
  codec: optional(z.enum(['h264', 'h265'])),
  sealed: optional(yesNo),
  sort: optional(z.enum(['found-asc', 'length', 'size', 'gaps', 'coverage'])),
  cursor: optional(z.string().max(500)),
});

export type ArchiveQuery = {
  [K in keyof z.infer<typeof querySchema>]?: z.infer<typeof querySchema>[K] | undefined;
};

export const readQuery = (query: Record<string, string>): ArchiveQuery => querySchema.parse(query);

/** The address that has it. */
export function queryString(query: ArchiveQuery): string {
  const pairs = Object.entries(query).flatMap(([name, value]): [string, string][] =>
    value === undefined || value === '' ? [] : [[name, value]],
  );
  return new URLSearchParams(pairs).toString();
}

export function sessionQuery({ min, gaps, sealed, sort, ...same }: ArchiveQuery): SessionQuery {
  const isYes = (said: 'yes' | 'no' | undefined): boolean | undefined => said && said === 'yes';
  return {
    ...same,
    limit: PAGE_SIZE,
    sort: sort === undefined || sort === 'found-asc' ? 'found' : sort,
    order: sort === 'found-asc' || sort === 'coverage' ? 'asc' : 'desc',
    minMs: min === undefined ? undefined : Number(min) * 60_000,
    gaps: isYes(gaps),
    sealed: isYes(sealed),
  };
}
