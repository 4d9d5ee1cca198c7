/**
 * What a recorder did to its disk (`disk-recorder.ts`), played back operation by operation on a disk that is all model:
 * what is in the cache, and what of it a power cut leaves. Nothing is on the disk for sure but what was synced: a file's
 * content by a sync of the file, a name by a sync of its folder. The rest may be there, in part, or not at all.
 */
import { readFile } from 'node:fs/promises';
import { basename, dirname } from 'node:path';

/** A line of the log. */
export type DiskNote = { id: string } & (
  | { op: 'done' | 'failed' }
  | { op: 'open'; path: string; flags: string; found?: string }
  | { op: 'unlink' | 'rmdir' | 'rm' | 'mkdir'; path: string }
  | { op: 'rename' | 'link' | 'copyFile'; from: string; path: string }
  | { op: 'truncate'; path: string; length: number }
  | { op: 'writeFile'; path: string; flag: string; data: string }
  | { op: 'sync'; file: string }
  | { op: 'cut'; file: string; length: number }
  | { op: 'write'; file: string; data: string }
);

const PAGE = 4096;
const NOTHING = Buffer.alloc(0);

class ModelFile {
  now: Buffer = NOTHING;
  synced: Buffer = NOTHING;
  /** Where the last write began. */
  lastWriteAt = 0;

  write(data: Buffer): void {
    this.lastWriteAt = this.now.length;
    this.now = Buffer.concat([this.now, data]);
  }

  cut(length: number): void {
    this.now = this.now.subarray(0, length);
  }
}

class ModelFolder {
  readonly now = new Map<string, ModelNode>();
  synced = new Map<string, ModelNode>();
  /** Names whose removal was not synced yet; a rename is no removal. */
  removed = new Set<string>();
}

type ModelNode = ModelFile | ModelFolder;

/** How a power cut deals with what was not synced. */
export interface Fate {
  name: string;
  /** Which names a folder has. */
  names: (folder: ModelFolder) => ReadonlyMap<string, ModelNode>;
  content: (file: ModelFile, disk: DiskModel) => Buffer;
}

const lost = (folder: ModelFolder) => folder.synced;
const there = (folder: ModelFolder) => folder.now;
const removalsOnly = (folder: ModelFolder) =>
  new Map([...folder.synced].filter(([name]) => !folder.removed.has(name)));
const zerosFrom = (file: ModelFile, at: number, until: number): Buffer => {
  const bytes = Buffer.from(file.now);
  if (until > at) bytes.fill(0, at, Math.min(until, bytes.length));
  return bytes;
};
/** Of what was written last. */
const middleOf = (file: ModelFile): number => Math.floor((file.lastWriteAt + file.now.length) / 2);
const syncedLength = (file: ModelFile): number => Math.min(file.synced.length, file.now.length);

export const FATES: readonly Fate[] = [
  { name: 'nothing unsynced is there', names: lost, content: (file) => file.synced },
  { name: 'all of it is there', names: there, content: (file) => file.now },
  { name: 'the names are there, the contents not', names: there, content: (file) => file.synced },
  {
    name: 'the names and sizes are there, the contents are zeros',
    names: there,
    content: (file) => zerosFrom(file, syncedLength(file), file.now.length),
  },
  {
    name: 'the first page of each unsynced content is zeros',
    names: there,
    content: (file) => zerosFrom(file, syncedLength(file), Math.ceil((syncedLength(file) + 1) / PAGE) * PAGE),
  },
  {
    name: 'every other page of each unsynced content is zeros',
    names: there,
    content: (file) => {
      const bytes = Buffer.from(file.now);
      for (let at = PAGE; at < bytes.length; at += 2 * PAGE) {
        const from = Math.max(at, syncedLength(file));
        if (from < at + PAGE) bytes.fill(0, from, Math.min(at + PAGE, bytes.length));
      }
      return bytes;
    },
  },
  {
    name: 'the last write is torn in the middle',
    names: there,
    content: (file, disk) =>
      file === disk.lastWritten
        ? file.now.subarray(0, Math.max(syncedLength(file), middleOf(file)))
        : file.now,
  },
  {
    name: 'the last write is torn: its first half is zeros',
    names: there,
    content: (file, disk) =>
      file === disk.lastWritten
        ? zerosFrom(file, Math.max(syncedLength(file), file.lastWriteAt), middleOf(file))
        : file.now,
  },
  { name: 'the contents are there, the names not', names: lost, content: (file) => file.now },
  { name: 'removals are there, nothing else', names: removalsOnly, content: (file) => file.synced },
];

/** As no rule has it: each folder, each file, each page has a fate of its own. */
export function randomFate(random: () => number): Fate {
  return {
    name: 'each its own',
    names: (folder) => {
      const names = new Map(folder.synced);
      // A new name of a folder's may be there without the one before it.
      for (const [name, node] of folder.now) if (random() < 0.5) names.set(name, node);
      for (const name of folder.removed) if (random() < 0.5 && !folder.now.has(name)) names.delete(name);
      return names;
    },
    content: (file) => {
      if (random() < 0.3) return file.synced;
      const bytes = Buffer.from(file.now);
      for (let at = syncedLength(file); at < bytes.length; at = (Math.floor(at / PAGE) + 1) * PAGE) {
        if (random() < 0.3) bytes.fill(0, at, Math.min(bytes.length, (Math.floor(at / PAGE) + 1) * PAGE));
      }
      return random() < 0.3
        ? bytes.subarray(0, syncedLength(file) + Math.floor(random() * bytes.length))
        : bytes;
    },
  };
}

/** What is on a disk: paths below its root, folders with null. */
export type DiskState = Map<string, Buffer | null>;

export class DiskModel {
  readonly #root: string;
  readonly #top = new ModelFolder();
  readonly #files = new Map<string, ModelNode>();
  /** What a sync will have made durable when it is over. */
  readonly #syncs = new Map<string, () => void>();
  lastWritten: ModelFile | null = null;

  constructor(root: string) {
    this.#root = root;
  }

  /** Gives false when this note changes nothing of what a power cut leaves. */
  apply(note: DiskNote): boolean {
    switch (note.op) {
      case 'failed':
        return false;
      case 'done': {
        const synced = this.#syncs.get(note.id);
        this.#syncs.delete(note.id);
        synced?.();
        return synced !== undefined;
      }
      case 'open':
        return this.#open(note);
      case 'mkdir':
        this.#folder(note.path, true);
        return true;
      case 'unlink':
      case 'rmdir':
        return this.#remove(note.path);
      case 'rm':
        throw new Error('expanded when it is read');
      case 'rename': {
        const node = this.#node(note.from);
        if (!node) throw new Error(`nothing to rename: ${note.from}`);
        this.#folder(dirname(note.from)).now.delete(basename(note.from));
        this.#name(note.path, node);
        return true;
      }
      case 'link': {
        const node = this.#node(note.from);
        if (!node) throw new Error(`nothing to link: ${note.from}`);
        this.#name(note.path, node);
        return true;
      }
      case 'copyFile': {
        const node = this.#node(note.from);
        const copy = new ModelFile();
        if (node instanceof ModelFile) copy.write(node.now);
        this.#name(note.path, copy);
        return true;
      }
      case 'truncate':
        this.#file(note.path).cut(note.length);
        return true;
      case 'writeFile': {
        const file = this.#file(note.path, true);
        if (note.flag !== 'a') file.cut(0);
        return this.#write(file, note.data);
      }
      case 'write': {
        const file = this.#files.get(note.file);
        if (!(file instanceof ModelFile)) throw new Error(`nobody opened ${note.file}`);
        return this.#write(file, note.data);
      }
      case 'cut': {
        const file = this.#files.get(note.file);
        if (file instanceof ModelFile) file.cut(note.length);
        return true;
      }
      case 'sync': {
        const node = this.#files.get(note.file);
        if (node instanceof ModelFile) {
          const { now } = node;
          this.#syncs.set(note.id, () => (node.synced = now));
        } else if (node) {
          const now = new Map(node.now);
          const removed = new Set(node.removed);
          this.#syncs.set(note.id, () => {
            node.synced = now;
            node.removed = node.removed.difference(removed);
          });
        }
        return false;
      }
    }
  }

  /** Every path below this one, the deepest first. */
  under(path: string): string[] {
    const node = this.#node(path);
    if (!node) return [];
    if (node instanceof ModelFile) return [path];
    return [...[...node.now.keys()].flatMap((name) => this.under(`${path}/${name}`)), path];
  }

  isFolder(path: string): boolean {
    return this.#node(path) instanceof ModelFolder;
  }

  /** What a power cut leaves now. */
  left(fate: Fate): DiskState {
    const state: DiskState = new Map();
    const visit = (folder: ModelFolder, path: string): void => {
      for (const [name, node] of fate.names(folder)) {
        if (node instanceof ModelFile) state.set(`${path}${name}`, fate.content(node, this));
        else {
          state.set(`${path}${name}`, null);
          visit(node, `${path}${name}/`);
        }
      }
    };
    visit(this.#top, '');
    return state;
  }

  #open({ id, path, flags, found }: DiskNote & { op: 'open' }): boolean {
    const known = this.#node(path);
    if (flags === 'r' || known instanceof ModelFolder) {
      if (known) this.#files.set(id, known);
      return false;
    }
    const file = this.#file(path, true);
    if (flags === 'w') file.cut(0);
    if (found !== undefined && file.now.length === 0) this.#write(file, found);
    this.#files.set(id, file);
    return true;
  }

  #write(file: ModelFile, base64: string): boolean {
    const data = Buffer.from(base64, 'base64');
    file.write(data);
    this.lastWritten = file;
    return data.length > 0;
  }

  #parts(path: string): string[] {
    return path
      .slice(this.#root.length + 1)
      .split('/')
      .filter(Boolean);
  }

  #node(path: string): ModelNode | undefined {
    let at: ModelNode | undefined = this.#top;
    for (const part of this.#parts(path)) at = at instanceof ModelFolder ? at.now.get(part) : undefined;
    return at;
  }

  #folder(path: string, make = false): ModelFolder {
    let at = this.#top;
    for (const part of this.#parts(path)) {
      let next = at.now.get(part);
      if (!next && make) at.now.set(part, (next = new ModelFolder()));
      if (!(next instanceof ModelFolder)) throw new Error(`no folder: ${path}`);
      at = next;
    }
    return at;
  }

  #file(path: string, make = false): ModelFile {
    const known = this.#node(path);
    if (known instanceof ModelFile) return known;
    if (!make) throw new Error(`no file: ${path}`);
    const file = new ModelFile();
    this.#name(path, file);
    return file;
  }

  #name(path: string, node: ModelNode): void {
    const folder = this.#folder(dirname(path), true);
    folder.now.set(basename(path), node);
    folder.removed.delete(basename(path));
  }

  #remove(path: string): boolean {
    const folder = this.#folder(dirname(path));
    folder.removed.add(basename(path));
    return folder.now.delete(basename(path));
  }
}

/**
 * The log, without what failed and with `rm` as the removals that it is made of.
 * @param root of the disk
 */
export async function readDiskLog(path: string, root: string): Promise<DiskNote[]> {
  const lines = (await readFile(path, 'utf8')).split('\n').filter(Boolean);
  const all = lines.map((line) => JSON.parse(line) as DiskNote);
  const failed = new Set(all.flatMap(({ id, op }) => (op === 'failed' ? [id] : [])));
  const disk = new DiskModel(root);
  const notes: DiskNote[] = [];
  const take = (note: DiskNote): void => {
    disk.apply(note);
    notes.push(note);
  };
  for (const note of all) {
    if (failed.has(note.id)) continue;
    if (note.op !== 'rm') take(note);
    else {
      for (const each of disk.under(note.path))
        take({ id: note.id, op: disk.isFolder(each) ? 'rmdir' : 'unlink', path: each });
    }
  }
  return notes;
}
