/** What runs on this machine, as `ps` tells it: to find a recorder's ffmpeg, and to prove that nothing was left behind. */
import { execFile } from 'node:child_process';
import { setTimeout as after } from 'node:timers/promises';
import { promisify } from 'node:util';

export interface RunningProcess {
  pid: number;
  parent: number;
  /** The command line. */
  args: string;
}

export async function runningProcesses(): Promise<RunningProcess[]> {
  const { stdout } = await promisify(execFile)('ps', ['-A', '-ww', '-o', 'pid=,ppid=,stat=,args='], {
    maxBuffer: 16 * 1024 * 1024,
  });
  return stdout.split('\n').flatMap((line) => {
    const [, pid, parent, state, args] = /^\s*(\d+)\s+(\d+)\s+(\S+)\s+(.*)$/.exec(line) ?? [];
    // A zombie has ended; whoever started it has not asked yet.
    return args === undefined || state?.startsWith('Z')
      ? []
      : [{ pid: Number(pid), parent: Number(parent), args }];
  });
}

/** Those that are one of these, or begun by one, or work in this folder. */
export async function processesOf(pids: Iterable<number>, folder: string): Promise<RunningProcess[]> {
  const own = new Set(pids);
  return (await runningProcesses()).filter(
    ({ pid, parent, args }) => own.has(pid) || own.has(parent) || args.includes(folder),
  );
}

/** Rejects when the process goes on for long. */
export async function hasEnded(pid: number): Promise<void> {
  const limit = AbortSignal.timeout(10_000);
  for (;;) {
    const found = (await runningProcesses()).find((process) => process.pid === pid);
    if (!found) return;
    if (limit.aborted) throw new Error(`still running: ${found.pid} ${found.args}`);
    await after(50);
  }
}
