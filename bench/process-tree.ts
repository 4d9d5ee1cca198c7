/**
 * What processes cost, from Linux's /proc: processor time of whole trees, children that have gone included, and memory
 * as the proportional set size, in which what processes share is counted once.
 */
import { readdir, readFile } from 'node:fs/promises';

/** A tick of user and system time in /proc is a hundredth of a second on every Linux. */
const TICK_MS = 10;

interface Entry {
  pid: number;
  parent: number;
  ownMs: number;
  /** Of children that were waited for. */
  reapedMs: number;
}

export interface TreeTime {
  /** Of the root processes themselves, all their threads. */
  rootsMs: number;
  /** Of everything below them. */
  childrenMs: number;
  pids: number[];
}

/** Throws when a root is not there any more: its time would be lost. */
export async function treeTime(roots: readonly number[]): Promise<TreeTime> {
  const entries = await allProcesses();
  const byParent = Map.groupBy(entries.values(), ({ parent }) => parent);
  const time: TreeTime = { rootsMs: 0, childrenMs: 0, pids: [] };
  const below = (pid: number): void => {
    for (const child of byParent.get(pid) ?? []) {
      time.childrenMs += child.ownMs + child.reapedMs;
      time.pids.push(child.pid);
      below(child.pid);
    }
  };
  for (const root of roots) {
    const entry = entries.get(root);
    if (!entry) throw new Error(`process ${root} ended while it was measured`);
    time.rootsMs += entry.ownMs;
    time.childrenMs += entry.reapedMs;
    time.pids.push(root);
    below(root);
  }
  return time;
}

/** Proportional set size, in bytes; a process that is gone counts nothing. */
export async function memoryOf(pids: readonly number[]): Promise<number> {
  let bytes = 0;
  for (const pid of pids) {
    const rollup = await readFile(`/proc/${pid}/smaps_rollup`, 'utf8').catch(() => '');
    bytes += Number(/^Pss:\s+(\d+) kB/m.exec(rollup)?.[1] ?? 0) * 1024;
  }
  return bytes;
}

async function allProcesses(): Promise<Map<number, Entry>> {
  const names = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const entries = await Promise.all(names.map((name) => entryOf(Number(name))));
  return new Map(entries.flatMap((entry) => (entry ? [[entry.pid, entry]] : [])));
}

/** See proc_pid_stat(5); the second field is a name that may have blanks and brackets in it. */
async function entryOf(pid: number): Promise<Entry | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  if (stat === undefined) return undefined;
  const fields = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number);
  const [parent = 0, user = 0, system = 0, childUser = 0, childSystem = 0] = [1, 11, 12, 13, 14].map(
    (at) => fields[at],
  );
  return { pid, parent, ownMs: (user + system) * TICK_MS, reapedMs: (childUser + childSystem) * TICK_MS };
}
