/**
 * The architecture, as a table: which folder of `src` may import which. A change of the table is a change of the design;
 * docs/architecture.md tells the reasons.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

const SRC = fileURLToPath(new URL('../src', import.meta.url));

/** Words that everything below may use; each knows only those to its left. */
const GROUND = ['kernel', 'model', 'layout'] as const;

/**
 * What a folder may import beside itself. Stages do not run each other: what two of them share is ground, and where one
 * takes what another gives, it knows its types only (`type:`).
 */
const MAY_IMPORT: Record<string, readonly string[]> = {
  kernel: [],
  model: ['kernel'],
  layout: ['kernel', 'model'],
  media: ['kernel', 'model'],
  net: ['kernel'],
  config: ['kernel', 'model', 'net', 'notify', 'schedule', 'store', 'variant'],

  lookup: [...GROUND, 'net'],
  watch: [...GROUND],
  schedule: ['kernel'],
  variant: [...GROUND],
  ingest: [...GROUND, 'media', 'net'],
  // What is recorded is written down at once, so the spool is its ground too.
  record: [...GROUND, 'media', 'ffmpeg', 'spool', 'type:ingest'],
  spool: [...GROUND, 'media'],
  store: [...GROUND],
  ship: [...GROUND, 'spool', 'store'],
  notify: ['kernel', 'model'],

  ffmpeg: [...GROUND, 'media'],
  archive: [...GROUND, 'media', 'store', 'ffmpeg'],
  catalogue: [...GROUND, 'store', 'archive'],
  sandbox: [...GROUND, 'media', 'ffmpeg'],
  jobs: [...GROUND, 'schedule', 'store', 'archive', 'type:config'],
  web: [...GROUND, 'config'],
  browse: [...GROUND, 'spool', 'store', 'archive', 'catalogue', 'web'],
  // Runs in browsers.
  ui: ['type:model'],

  daemon: ['*'],
  cli: ['*'],
};

/** Only these may import `daemon`; nothing imports `cli`. */
const MAY_IMPORT_DAEMON = new Set(['cli']);

/** Files over the limit that were looked at and are one thing all the same. */
const LONG_ON_PURPOSE = new Set(['ingest/timeline.ts', 'sandbox/cdn/flv-connection.ts']);
const MOST_LINES = 400;

/** Names that say nothing about what is inside. */
const EMPTY_NAMES = /(^|[-_.])(utils?|helpers?|managers?|common|misc|shared)([-_.]|$)/;

/** Time is injected: these read it themselves, for the reason given. */
const READS_TIME: Record<string, string> = {
  'kernel/clock.ts': 'it is the clock',
  'store/directory-folders.ts':
    'compares with the times that the file system gives, which are of the wall clock',
  'store/s3-calls.ts': 'guards a call of the SDK, which waits in real time',
};

interface SourceFile {
  /** Relative to `src`. */
  path: string;
  text: string;
}

interface Import {
  from: string;
  typeOnly: boolean;
  /** A file of `src`, relative to it, or the name of a package. */
  to: string;
}

const sources: SourceFile[] = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.ts'))
  .map((path) => ({ path, text: readFileSync(join(SRC, path), 'utf8') }));

const folderOf = (path: string): string => path.split('/')[0] ?? path;
const withoutComments = (text: string): string => text.replaceAll(/\/\*.*?\*\/|^\s*\/\/.*$/gms, '');

const IMPORT = /\b(?:(import|export)(\s+type)?\b(?:[^;'"]*?\bfrom)?|import\s*\()\s*'([^']+)'/g;

function importsOf({ path, text }: SourceFile): Import[] {
  return Array.from(withoutComments(text).matchAll(IMPORT), ([, , type, specifier = '']) => ({
    from: path,
    typeOnly: type !== undefined,
    to: specifier.startsWith('.') ? relative(SRC, join(SRC, dirname(path), specifier)) : specifier,
  }));
}

function layerViolations(files: readonly SourceFile[]): string[] {
  return files.flatMap(importsOf).flatMap(({ from, to, typeOnly }) => {
    if (!to.endsWith('.ts')) return [];
    const [own, other] = [folderOf(from), folderOf(to)];
    if (own === other) return [];
    const allowed = MAY_IMPORT[own];
    if (allowed === undefined) return [`${from}: the folder ${own} is not in the table`];
    if (other === 'cli' || (other === 'daemon' && !MAY_IMPORT_DAEMON.has(own)))
      return [`${from} imports ${to}`];
    const good =
      allowed.includes('*') || allowed.includes(other) || (typeOnly && allowed.includes(`type:${other}`));
    return good ? [] : [`${from} imports ${to}`];
  });
}

test('nothing hangs on AbortSignal.any, which may forget an abort (kernel/any-signal.ts)', () => {
  const users = sources.filter(({ text }) => withoutComments(text).includes('AbortSignal.any'));
  expect(users.map(({ path }) => path)).toEqual([]);
});

describe('layers', () => {
  test('each folder imports only what the table allows', () => {
    expect(layerViolations(sources)).toEqual([]);
  });

  test('every folder is in the table', () => {
    expect(
      [...new Set(sources.map(({ path }) => folderOf(path)))].filter((name) => !(name in MAY_IMPORT)),
    ).toEqual([]);
  });

  test('docs/architecture.md has the same table', () => {
    const page = readFileSync(join(SRC, '../docs/architecture.md'), 'utf8');
    const rows = page.matchAll(/^\| `(\w+)` \|.*\| (.+) \|$/gm);
    const told = Array.from(rows, ([, folder = '', cell = '']): [string, string[]] => {
      const names = cell.replaceAll(/ \(.*?\)|`/g, '').split(', ');
      const allowed = names.flatMap((name) => {
        if (name === 'ground') return [...GROUND];
        if (name === 'nothing') return [];
        return name === 'all' ? ['*'] : [name.replace(/^types of /, 'type:')];
      });
      return [folder, allowed.sort()];
    });
    const table = Object.entries(MAY_IMPORT).map(([folder, allowed]) => [folder, [...allowed].sort()]);
    expect(Object.fromEntries(told)).toEqual(Object.fromEntries(table));
  });

  test.each<[what: string, path: string, text: string]>([
    ['a stage that imports another', 'watch/offline.ts', "import { rank } from '../variant/rank.ts';"],
    ['the ground that imports a stage', 'kernel/clock.ts', "export { a } from '../record/engine.ts';"],
    ['a lazy import', 'store/x.ts', "const { a } = await import('../ship/digest.ts');"],
    ['an import over several lines', 'model/x.ts', "import type {\n  A,\n} from '../layout/keys.ts';"],
    ['more than types where types are allowed', 'record/x.ts', "import { a } from '../ingest/source.ts';"],
    ['an export over several lines', 'model/x.ts', "export {\n  a,\n} from '../layout/keys.ts';"],
    ['an import for its effect', 'model/x.ts', "import '../layout/keys.ts';"],
    ['one from deeper down', 'record/ffmpeg/x.ts', "import { a } from '../../store/store.ts';"],
    ['the composition root', 'archive/x.ts', "import { a } from '../daemon/run.ts';"],
    ['the command line', 'daemon/x.ts', "import { a } from '../cli/output.ts';"],
    ['a folder that nobody knows', 'stuff/x.ts', "import { a } from '../kernel/clock.ts';"],
  ])('would notice %s', (_what, path, text) => {
    expect(layerViolations([{ path, text }])).toHaveLength(1);
  });

  test('and nothing where there is nothing', () => {
    const text = [
      "// import { a } from '../cli/a.ts';",
      "import { b } from './b.ts';",
      "import { z } from 'zod';",
      "import type { Source } from '../ingest/source.ts';",
      "export const from = '../cli/a.ts';",
    ].join('\n');
    expect(layerViolations([{ path: 'record/x.ts', text }])).toEqual([]);
  });
});

test('fluent-ffmpeg, which is archived upstream, stays inside one file', () => {
  const users = sources.filter((file) => importsOf(file).some(({ to }) => to === 'fluent-ffmpeg'));
  expect(users.map(({ path }) => path).filter((path) => path !== 'ffmpeg/jobs.ts')).toEqual([]);
});

test('no file is so long that it must be several things', () => {
  const long = sources.filter(({ text }) => text.split('\n').length > MOST_LINES).map(({ path }) => path);
  expect(long.filter((path) => !LONG_ON_PURPOSE.has(path))).toEqual([]);
});

test('no file or folder has a name that says nothing', () => {
  const parts = new Set(sources.flatMap(({ path }) => path.split('/')));
  expect([...parts].filter((part) => EMPTY_NAMES.test(basename(part, '.ts')))).toEqual([]);
});

test('time is asked of the injected clock', () => {
  const readers = sources
    .filter(({ text }) =>
      /\bDate\.now\(|\bnew Date\(\)|(?<![.\w])set(?:Timeout|Interval)\(/.test(withoutComments(text)),
    )
    .map(({ path }) => path)
    // A browser has none to inject, and nobody records there.
    .filter((path) => !path.startsWith('ui/'));
  expect(readers.filter((path) => !(path in READS_TIME))).toEqual([]);
});

test('every file says at its head what it owns', () => {
  const silent = sources.filter(({ text }) => !/^(?:#![^\n]*\n)?\/\*\*/.test(text)).map(({ path }) => path);
  expect(silent).toEqual([]);
});
