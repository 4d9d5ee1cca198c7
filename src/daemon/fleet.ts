/**
 * The creators of this process, each with a task of its own: what the roster says is brought about without cutting a
 * recording. A creator that is taken off it leaves when its broadcast is over.
 */
import { isDeepStrictEqual } from 'node:util';
import type { CreatorInForce } from '../config/creator-in-force.ts';
import { messageOf } from '../kernel/errors.ts';
import type { StopKind } from '../kernel/stop-request.ts';
import type { CreatorStatus } from '../model/creator-status.ts';
import type { CreatorHold } from './creator-hold.ts';
import { CreatorTask, type CreatorTaskDeps } from './creator-task.ts';

/** Looks that would all come at once, as after a start. */
const APART_MS = 100;

export interface RosterChange {
  added: string[];
  removed: string[];
  changed: string[];
}

export class Fleet {
  readonly #deps: CreatorTaskDeps;
  readonly #tasks = new Map<string, CreatorTask>();
  /** What is wanted, also of those whose task still leaves. */
  #roster = new Map<string, CreatorInForce>();
  #isOver = false;

  constructor(deps: CreatorTaskDeps) {
    this.#deps = deps;
  }

  apply(creators: readonly CreatorInForce[]): RosterChange {
    const before = this.#roster;
    this.#roster = new Map(creators.map((creator) => [creator.handle, creator]));
    const change: RosterChange = { added: [], removed: [], changed: [] };
    for (const [handle, creator] of this.#roster) {
      const known = before.get(handle);
      if (known === undefined) change.added.push(handle);
      else if (!isDeepStrictEqual(known, creator)) change.changed.push(handle);
      this.#bring(handle);
    }
    for (const handle of before.keys()) {
      if (this.#roster.has(handle)) continue;
      change.removed.push(handle);
      this.#bring(handle);
    }
    return change;
  }

  task(handle: string): CreatorTask | undefined {
    return this.#tasks.get(handle);
  }

  /** Those that leave included. */
  get statuses(): CreatorStatus[] {
    return [...this.#tasks.values()].map(({ status }) => status);
  }

  /** Of the recording that is furthest behind with shipping. */
  get waitingObjects(): number {
    return Math.max(0, ...this.#tasks.values().map((task) => task.waitingObjects));
  }

  /** The API refused a key, and there is another one: all that waited for it look again, one after the other. */
  async lookAgain(signal: AbortSignal): Promise<void> {
    for (const task of this.#tasks.values())
      if (task.lookAgain()) await this.#deps.clock.delay(APART_MS, signal);
  }

  /** Resolves when all have ended. */
  async end(kind: StopKind): Promise<void> {
    this.#isOver = true;
    await Promise.all([...this.#tasks.values()].map((task) => task.end(kind)));
  }

  /** The task as the roster wants it; one that has to leave first is followed by another when it has. */
  #bring(handle: string): void {
    if (this.#isOver) return;
    const wanted = this.#roster.get(handle);
    const task = this.#tasks.get(handle);
    if (!task || task.hasLeft) {
      if (wanted) this.#begin(wanted, task?.hold ?? null);
    } else if (!wanted || wanted.store !== task.creator.store) {
      task.retire();
    } else if (task.isRetired || !isDeepStrictEqual(wanted, task.creator)) {
      task.update(wanted);
    }
  }

  /** @param hold of the one before, who may still be shipping */
  #begin(creator: CreatorInForce, hold: CreatorHold | null): void {
    const { handle } = creator;
    const task = new CreatorTask(creator, this.#deps, hold);
    this.#tasks.set(handle, task);
    void this.#follow(handle, task);
  }

  /** Until nothing of it goes on any more, or another task has taken over. */
  async #follow(handle: string, task: CreatorTask): Promise<void> {
    try {
      await task.left;
    } catch (error) {
      const message = messageOf(error);
      this.#deps.log.error({ err: error, handle }, 'a creator is not watched any more: this is a bug');
      this.#deps.events.report({ type: 'failed', handle, code: 'UNEXPECTED', message, hint: null });
    }
    this.#bring(handle);
    if (this.#tasks.get(handle) !== task) return;
    await task.hold?.release();
    if (this.#tasks.get(handle) === task) this.#tasks.delete(handle);
  }
}
