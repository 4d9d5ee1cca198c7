/**
 * Preloaded into a recorder (`NODE_OPTIONS=--import=…`): everything that it does to the folders `spool` and `archive` of
 * its working folder is really done, and noted in `disk.log` beside them with its data: a line when it begins, and one
 * when it is over. Imports none of the project's code, for it has to be there first.
 */
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { join, resolve } from 'node:path';
import type { DiskNote } from './disk-log.ts';

type Method = (this: unknown, ...args: unknown[]) => Promise<unknown>;

const root = process.cwd();
const log = fs.openSync(join(root, 'disk.log'), 'a');
const writeSync = fs.writeSync;
const readFileSync = fs.readFileSync;
let count = 0;

const isOurs = (path: unknown): path is string =>
  typeof path === 'string' &&
  (resolve(path) === root ||
    ['spool', 'archive'].some((name) => `${resolve(path)}/`.startsWith(`${root}/${name}/`)));
const note = (entry: DiskNote): void => void writeSync(log, `${JSON.stringify(entry)}\n`);
const newId = (): string => `${process.pid}-${(count += 1)}`;
const base64 = (data: unknown): string =>
  Buffer.from(typeof data === 'string' ? data : (data as Uint8Array)).toString('base64');

async function noted(what: Record<string, unknown>, run: () => Promise<unknown>): Promise<unknown> {
  const id = newId();
  note({ id, ...what } as DiskNote);
  try {
    const result = await run();
    note({ id, op: 'done' });
    return result;
  } catch (error) {
    note({ id, op: 'failed' });
    throw error;
  }
}

const paths = fs.promises as unknown as Record<string, Method>;

function replace(name: string, make: (real: Method) => Method): void {
  const real = paths[name];
  if (!real) throw new Error(`no fs.promises.${name}`);
  paths[name] = make(real);
}

for (const op of ['unlink', 'rmdir', 'rm', 'mkdir'] as const) {
  replace(
    op,
    (real) =>
      function (...args) {
        const run = (): Promise<unknown> => real.apply(this, args);
        return isOurs(args[0]) ? noted({ op, path: resolve(args[0]) }, run) : run();
      },
  );
}
for (const op of ['rename', 'link', 'copyFile'] as const) {
  replace(
    op,
    (real) =>
      function (...args) {
        const run = (): Promise<unknown> => real.apply(this, args);
        const [from, path] = args;
        return isOurs(from) && isOurs(path)
          ? noted({ op, from: resolve(from), path: resolve(path) }, run)
          : run();
      },
  );
}
replace(
  'truncate',
  (real) =>
    function (...args) {
      const run = (): Promise<unknown> => real.apply(this, args);
      const [path, length] = args;
      return isOurs(path) ? noted({ op: 'truncate', path: resolve(path), length }, run) : run();
    },
);
replace(
  'writeFile',
  (real) =>
    function (...args) {
      const run = (): Promise<unknown> => real.apply(this, args);
      const [path, data, options] = args;
      const flag = (options as { flag?: string } | undefined)?.flag ?? 'w';
      return isOurs(path)
        ? noted({ op: 'writeFile', path: resolve(path), flag, data: base64(data) }, run)
        : run();
    },
);

/** Of the open files below the root: the id of the note that opened them. */
const files = new WeakMap<object, string>();

replace(
  'open',
  (real) =>
    async function (...args) {
      const [path, flags = 'r'] = args;
      if (!isOurs(path)) return real.apply(this, args);
      const id = newId();
      // What another process wrote, ffmpeg above all, is noted as it is found here.
      const found = flags === 'r+' ? { found: readFileSync(path).toString('base64') } : {};
      note({ id, op: 'open', path: resolve(path), flags: String(flags), ...found });
      try {
        const handle = (await real.apply(this, args)) as object;
        patch(handle);
        files.set(handle, id);
        note({ id, op: 'done' });
        return handle;
      } catch (error) {
        note({ id, op: 'failed' });
        throw error;
      }
    },
);

let patched = false;
/** The class of file handles is had from the first one only. */
function patch(handle: object): void {
  if (patched) return;
  patched = true;
  const methods = Object.getPrototypeOf(handle) as Record<string, Method>;
  const wrap = (name: string, what: (args: unknown[]) => Record<string, unknown>): void => {
    const real = methods[name];
    if (!real) throw new Error(`no FileHandle.${name}`);
    methods[name] = function (...args) {
      const file = files.get(this as object);
      const run = (): Promise<unknown> => real.apply(this, args);
      return file === undefined ? run() : noted({ file, ...what(args) }, run);
    };
  };
  wrap('sync', () => ({ op: 'sync' }));
  wrap('datasync', () => ({ op: 'sync' }));
  wrap('truncate', ([length = 0]) => ({ op: 'cut', length }));
  wrap('writeFile', ([data]) => ({ op: 'write', data: base64(data) }));
  wrap('appendFile', ([data]) => ({ op: 'write', data: base64(data) }));
  wrap('writev', ([buffers]) => ({ op: 'write', data: base64(Buffer.concat(buffers as Buffer[])) }));
  wrap('write', () => {
    throw new Error('nobody did this when the log was made: note it too');
  });
}

const mkdirSync = fs.mkdirSync;
fs.mkdirSync = (...args: Parameters<typeof mkdirSync>) => {
  if (isOurs(args[0])) {
    const id = newId();
    note({ id, op: 'mkdir', path: resolve(args[0]) });
    note({ id, op: 'done' });
  }
  return mkdirSync(...args);
};

syncBuiltinESMExports();
