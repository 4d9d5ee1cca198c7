/** The catalogue as commands use it: opened for the archive in force, brought up to date, with a bar where that takes long. */
import { resolveSession } from '../archive/resolve-session.ts';
import type { SessionRef } from '../archive/session-reader.ts';
import { cataloguePath } from '../catalogue/cache-path.ts';
import { Catalogue } from '../catalogue/catalogue.ts';
import { parseHandle } from '../model/handle.ts';
import type { Archive } from './archive-command.ts';
import type { CliContext } from './context.ts';
import { progressBar, type ProgressBar } from './progress-bar.ts';

/** With fewer to read, a bar would be gone before it is seen. */
const BAR_FROM = 500;
const ID_BEGINNING = /^\d[A-Za-z0-9_-]{0,79}$/;

export async function withCatalogue<T>(
  context: CliContext,
  { store, config }: Archive,
  use: (catalogue: Catalogue) => Promise<T>,
): Promise<T> {
  const path = cataloguePath(config.cache, store.description, context.env);
  const log = context.createLogger(config);
  const catalogue = Catalogue.open(store, { path, clock: context.clock, log });
  try {
    return await use(catalogue);
  } finally {
    await catalogue.close();
  }
}

/** @param full everything anew, whatever is cached */
export async function refreshWithBar(
  context: CliContext,
  catalogue: Catalogue,
  { full = false, signal }: { full?: boolean; signal: AbortSignal },
): Promise<void> {
  let bar: ProgressBar | undefined;
  try {
    await catalogue.refresh({
      full,
      folders: true,
      signal,
      onProgress: (done, of) => {
        if (of < BAR_FROM) return;
        bar ??= progressBar(context, 'reading the list of sessions');
        bar.update(done / of, `${done} of ${of}`);
      },
    });
  } finally {
    bar?.stop();
  }
}

/**
 * The sessions that somebody means who only wants to read them. What the catalogue knows saves listing the bucket for
 * `@handle` and for the beginning of an id; whatever it cannot say with certainty is left to the bucket.
 */
export async function sessionsToRead(
  context: CliContext,
  archive: Archive,
  texts: readonly string[],
): Promise<SessionRef[]> {
  const { store, signal } = archive;
  const known = await fromCatalogue(context, archive, texts);
  return Promise.all(texts.map(async (text, i) => known[i] ?? resolveSession(store, text, signal)));
}

export async function sessionToRead(
  context: CliContext,
  archive: Archive,
  text: string,
): Promise<SessionRef> {
  const [ref] = await sessionsToRead(context, archive, [text]);
  return ref!;
}

const handleIn = (text: string): string | undefined => (text.startsWith('@') ? parseHandle(text) : undefined);

/** Undefined for what it cannot say. */
async function fromCatalogue(
  context: CliContext,
  archive: Archive,
  texts: readonly string[],
): Promise<(SessionRef | undefined)[]> {
  if (!texts.some((text) => handleIn(text) !== undefined || ID_BEGINNING.test(text))) return [];
  return withCatalogue(context, archive, async (catalogue) => {
    // To make one for a single question would take longer than the question.
    if (!catalogue.isBuilt) return [];
    await catalogue.refresh({ folders: true, signal: archive.signal });
    return texts.map((text) => knownAs(catalogue, text));
  });
}

function knownAs(catalogue: Catalogue, text: string): SessionRef | undefined {
  const handle = handleIn(text);
  if (handle === undefined && !ID_BEGINNING.test(text)) return undefined;
  const found =
    handle === undefined
      ? catalogue.idsBeginning(text, 2)
      : catalogue.search({ creator: handle, limit: 1 }).entries;
  const [ref] = found;
  return ref && found.length === 1 ? { handle: ref.handle, session: ref.session } : undefined;
}
