/** The weather of a soak: does to its world what the storm's plan says, and remembers what it did to whom. */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as after } from 'node:timers/promises';
import type { GapCause } from '../../src/model/causes.ts';
import { GOP_MS } from '../../src/sandbox/media/grid.ts';
import type { LogEntry } from '../e2e/livestow-process.ts';
import { Recorder, type Done } from './recorder.ts';
import type { Deed } from './deeds.ts';
import type { SoakWorld } from './soak-world.ts';
import type { DiskTrouble } from './spool-disk.ts';
import { kindOf, nameOf, type StormAction, type StormPlan } from './storm.ts';

const SAMPLE_MS = 15_000;
/** For a trouble to be found out and mended. */
const RECOVERY_MS = 20_000;

const WITHOUT_RECORDER: readonly GapCause[] = ['recorder-down', 'found-late'];
const WITHOUT_LOOKS: readonly GapCause[] = ['found-late', 'connection-lost', 'refused', 'no-media', 'stall'];
const WHILE_FROZEN: readonly GapCause[] = [
  'recorder-down',
  'connection-lost',
  'stall',
  'source-skip',
  'segment-missing',
];

/** What may be missing for want of room, nothing of which had come before; where lower variants are taken, nothing is. */
const OF_THE_DISK: Record<DiskTrouble, Pick<Deed, 'causes' | 'losesReceivedMs' | 'keepsNothing'>> = {
  lower: { causes: [] },
  out: { causes: ['disk-full'], losesReceivedMs: 0 },
  full: { causes: ['disk-full'], losesReceivedMs: 0, keepsNothing: true },
};
/** For room to be found again. */
const ROOM_SEEN_MS = 5_000;
/** For what had come while a process was frozen to be read: a playlist is asked for once a second. */
const WOKEN_MS = 2_000;
/** A reset takes what had come and was not read in the beat. */
const UNREAD_MS = 200;

export class Weather {
  readonly recorders = new Map<string, Recorder>();
  readonly deeds = new Map<string, Deed[]>();
  readonly cuts = new Map<string, Deed[]>();
  /** How often each thing was done, and had an effect where that can be told. */
  readonly done: Record<string, number> = {};
  /** How late the sandbox was at worst. */
  lateMs = 0;
  /** When each was frozen last. */
  readonly #frozen = new Map<string, Done>();
  readonly #plan: StormPlan;
  readonly #world: SoakWorld;

  constructor(plan: StormPlan, world: SoakWorld) {
    this.#plan = plan;
    this.#world = world;
  }

  /** Lets the storm go over all creators. Resolves when every broadcast is over. */
  async passOver(tell: (line: string) => void): Promise<void> {
    const lateness = monitorEventLoopDelay({ resolution: 10 });
    lateness.enable();
    const beganAtMs = Date.now();
    for (const { handle, engine } of this.#plan.creators) {
      const args = ['record', handle, '--engine', engine];
      const { env } = this.#world.clocks.get(handle) ?? {};
      this.recorders.set(handle, new Recorder(() => this.#world.livestow(args, env)));
    }
    const samples = setInterval(() => this.#sampleSteady(), SAMPLE_MS);
    const doing: Promise<void>[] = [];
    try {
      for (const action of this.#plan.actions) {
        await after(Math.max(0, beganAtMs + action.atMs - Date.now()));
        tell(`${(action.atMs / 1_000).toFixed(1)} s ${nameOf(action)}`);
        doing.push(this.#do(action));
      }
      await Promise.all(doing);
    } finally {
      clearInterval(samples);
    }
    this.lateMs = lateness.max / 1e6;
    lateness.disable();
  }

  async #do(action: StormAction): Promise<void> {
    const sandbox = this.#world.sandbox;
    const fromMs = Date.now();
    switch (action.kind) {
      case 'live':
        sandbox.goLive(action.handle);
        this.#note(action.handle, {
          what: 'live',
          fromMs,
          toMs: fromMs + RECOVERY_MS,
          causes: ['found-late'],
        });
        break;
      case 'end':
        sandbox.end(action.handle, action.media);
        break;
      case 'media': {
        const { handle, fault, causes, lastsMs } = action;
        this.#note(handle, {
          what: nameOf(action),
          fromMs,
          toMs: fromMs + lastsMs,
          causes,
          mistimed: fault.type === 'loop',
          pauses: fault.type === 'stall' && fault.scope === 'source',
          ...(fault.type === 'jump' ? { clockByMs: fault.byMs } : {}),
          // Whole ones, behind the one that is open.
          ...(fault.type === 'replay' ? { replaysMs: ((fault.gops ?? 1) + 1) * GOP_MS } : {}),
        });
        if (fault.type === 'drop' && fault.reset === true) {
          const what = nameOf(action);
          this.#note(handle, { what, fromMs, toMs: fromMs, causes: [], losesReceivedMs: UNREAD_MS });
        }
        await sandbox.inject(handle, fault);
        break;
      }
      case 'api': {
        const { handle, forMs, answer } = action;
        const nowMs = sandbox.state().nowMs;
        sandbox.answer({ fromMs: nowMs, toMs: nowMs + forMs, handle, answer });
        const toMs = fromMs + forMs + RECOVERY_MS;
        this.#note(handle, { what: nameOf(action), fromMs, toMs, causes: WITHOUT_LOOKS });
        break;
      }
      case 'kill': {
        const { handle, victim, downMs } = action;
        const done = await this.recorders.get(handle)!.kill(victim, downMs);
        if (victim !== 'ffmpeg') this.#cut(handle, nameOf(action), done, WITHOUT_RECORDER);
        break;
      }
      case 'drain': {
        const done = await this.recorders.get(action.handle)!.drain(action.downMs);
        this.#cut(action.handle, nameOf(action), done, WITHOUT_RECORDER);
        break;
      }
      case 'freeze': {
        const done = await this.recorders.get(action.handle)!.freeze(action.forMs);
        this.#frozen.set(action.handle, done);
        const toMs = done.toMs + RECOVERY_MS;
        this.#note(action.handle, {
          what: nameOf(action),
          fromMs: done.fromMs,
          toMs,
          causes: WHILE_FROZEN,
          deafToMs: done.toMs + WOKEN_MS,
        });
        break;
      }
      case 'clock': {
        const clock = this.#world.clocks.get(action.handle);
        if (!clock) return;
        await clock.set(action.aheadMs / 1_000);
        break;
      }
      case 'store':
        if (!(await this.#world.store.trouble(action.how, action.forMs))) return;
        break;
      case 'disk':
        if (!(await this.#troubleDisk(action))) return;
        break;
    }
    this.#count(kindOf(action));
  }

  /** Told of everybody's: it is the disk of all. */
  async #troubleDisk({ how, forMs }: Extract<StormAction, { kind: 'disk' }>): Promise<boolean> {
    const { disk, processes } = this.#world;
    if (!disk) return false;
    const { fromMs, toMs } = await disk.leave(how, forMs);
    const deed = { what: `disk ${how}`, fromMs, toMs: toMs + ROOM_SEEN_MS, ...OF_THE_DISK[how] };
    for (const { handle } of this.#plan.creators) this.#note(handle, deed);
    return processes.some(({ entries }) =>
      entries.some((entry) => Date.parse(entry.time) >= fromMs && isOfTheDisk(how, entry)),
    );
  }

  #note(handle: string, deed: Deed): void {
    this.deeds.set(handle, [...(this.deeds.get(handle) ?? []), deed]);
  }

  /** A recorder that was gone for a while. */
  #cut(handle: string, what: string, { fromMs, toMs }: Done, causes: readonly GapCause[]): void {
    this.#note(handle, { what, fromMs, toMs: toMs + RECOVERY_MS, causes });
    const frozen = this.#frozen.get(handle);
    const unreadSinceMs = frozen && fromMs - frozen.toMs < WOKEN_MS ? frozen.fromMs : fromMs;
    const cut = { what, fromMs: unreadSinceMs, toMs, causes };
    this.cuts.set(handle, [...(this.cuts.get(handle) ?? []), cut]);
  }

  #count(what: string): void {
    this.done[what] = (this.done[what] ?? 0) + 1;
  }

  #sampleSteady(): void {
    for (const { handle, steady } of this.#plan.creators) {
      if (steady)
        void this.recorders
          .get(handle)
          ?.sample()
          .catch(() => {});
    }
  }
}

/** Whether a recorder says what it does about it. */
const isOfTheDisk = (how: DiskTrouble, entry: LogEntry): boolean =>
  how === 'full'
    ? JSON.stringify(entry).includes('ENOSPC')
    : entry.event === 'disk' && entry['level'] === how;
