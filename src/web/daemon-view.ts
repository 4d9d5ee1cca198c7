/** All that the web server knows of the daemon: what it asks, and what it may order. */
import type { CreatorStatus } from '../model/creator-status.ts';
import type { LivestowEvent } from '../model/event.ts';
import type { JobRun, JobStatus } from '../model/job.ts';
import type { ConfigInForce, Creator, NewCreator, Removed, Status } from './schemas.ts';

export interface EventFeed {
  /** What is kept of them, oldest first. */
  since(id: number): LivestowEvent[];
  on(name: 'event', listener: (event: LivestowEvent) => void): unknown;
  off(name: 'event', listener: (event: LivestowEvent) => void): unknown;
}

/** What has to be true for the daemon to do its work. */
export interface Readiness {
  store: boolean;
  key: boolean;
  spool: boolean;
  notEnding: boolean;
}

/** Orders throw NOT_FOUND for a creator that is not watched, CONFLICT for what cannot be done as things stand. */
export interface DaemonView {
  readonly isEnding: boolean;
  readonly events: EventFeed;
  status(): Promise<Status>;
  /** Without what takes long to reckon. */
  creatorStatuses(): CreatorStatus[];
  creators(): Promise<Creator[]>;
  creator(handle: string): Promise<Creator>;
  config(): ConfigInForce;
  readiness(): Promise<Readiness>;

  add(creator: NewCreator): Promise<Creator>;
  remove(handle: string): Promise<Removed>;
  setPaused(handle: string, paused: boolean): Promise<Creator>;
  setNote(handle: string, note: string | null): Promise<Creator>;
  recordNow(handle: string): Promise<Creator>;
  stopRecording(handle: string): Promise<Creator>;

  jobs(): JobStatus[];
  /** Newest first. */
  jobHistory(wanted: { job?: string | undefined; most: number }): JobRun[];
  /** Begins it. Throws NOT_FOUND, HELD. */
  runJob(job: string): JobStatus;
  /** Asks a run to stop. Throws NOT_FOUND, CONFLICT when it does not run. */
  stopJob(job: string): JobStatus;
}
