/**
 * What a session does about the room on its spool's disk: it is told as it changes; without any, no media is taken, and it
 * is known until when there was none.
 */
import { isoUtc, type Clock } from '../kernel/clock.ts';
import type { DiskLevel, DiskShare } from '../spool/disk-guard.ts';
import type { SessionRecording } from './session-recording.ts';

/** Who is killed while there is no room leaves until when that was. */
const NOTE_MS = 5_000;

export interface DiskPauseDeps {
  disk: DiskShare;
  recording: SessionRecording;
  clock: Clock;
}

export class DiskPause {
  readonly #deps: DiskPauseDeps;
  readonly #onLevel: (level: DiskLevel) => void;
  /** UTC; null when media has come since. */
  #roomSinceMs: number | null = null;

  constructor(deps: DiskPauseDeps, onLevel: (level: DiskLevel) => void) {
    this.#deps = deps;
    this.#onLevel = onLevel;
  }

  begin(): void {
    const { disk } = this.#deps;
    disk.on('level', this.#tell);
    if (disk.level !== 'ample') this.#tell(disk.level, disk.freeBytes);
  }

  end(): void {
    this.#deps.disk.off('level', this.#tell);
  }

  /**
   * An attempt ended for it, or what is seen behind the pause, if it is still full.
   * @param hadMedia some came until now
   */
  cut(hadMedia: boolean): void {
    this.#roomSinceMs = this.#deps.clock.now();
    this.#deps.recording.withhold(hadMedia);
  }

  /** Closes what is open, and waits for room. */
  async last(signal: AbortSignal): Promise<void> {
    const { disk, recording, clock } = this.#deps;
    await recording.pause();
    let cancel = (): void => {};
    const note = (): void => {
      recording.note({ type: 'event', at: isoUtc(clock.now()), event: 'withheld', detail: {} });
      cancel = clock.after(NOTE_MS, note);
    };
    cancel = clock.after(NOTE_MS, note);
    try {
      await disk.room(signal);
    } finally {
      cancel();
    }
    this.#roomSinceMs = clock.now();
  }

  mediaCame(): void {
    this.#roomSinceMs = null;
  }

  /** UTC milliseconds until when there was no room for what came last; null: there was. */
  get withheldUntilMs(): number | null {
    const { disk, clock } = this.#deps;
    return disk.level === 'out' ? clock.now() : this.#roomSinceMs;
  }

  readonly #tell = (level: DiskLevel, freeBytes: number): void => {
    this.#onLevel(level);
    this.#deps.recording.event('disk', { level, freeBytes });
  };
}
