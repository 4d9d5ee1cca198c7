/** What runs on this machine, as `ps` tells it: to find a recorder's ffmpeg, and to prove that nothing was left behind. */
import { execFile } from 'node:child_process';
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

export const isRunning = async (pid: number): Promise<boolean> =>
  (await runningProcesses()).some((process) => process.pid === pid);
