/** What one run of a job is given, and what it says at its end. */

export interface RunContext {
  job: string;
  /** When it was due; now, where it was started by hand. */
  dueMs: number;
  /** Aborts when it is to stop. What was done by then stays done, and the next run goes on from there. */
  signal: AbortSignal;
  /** @param done from 0 to 1 */
  progress: (done: number, note: string) => void;
  /** Of each thing that was done: a line for the log, or for who started it by hand. */
  tell: (line: string) => void;
}

export interface JobReport {
  /** In a few words. */
  message: string;
  /** What could not be done, or was found to be wrong: the run is done in part then. */
  problems: string[];
}
