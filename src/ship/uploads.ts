/**
 * Which of the objects that wait goes up next, for all sessions of a process.
 *
 * - **Fair**: the sessions take turns, and each gives its oldest. Hours of one that wait for the store hold up nobody
 *   else's newest second.
 * - **A try that failed gives its place back**, and its object waits, 0.5 to 30 s, while others go up.
 * - **A store that is away is not stormed.** After some failures in a row there is one try at a time, 0.5 to 30 s after the
 *   one before: the first and each fourth with the newest of those that were tried least, for the oldest may be what a
 *   store never takes, the others with the oldest of each session in turn. The first success lets everything go at once,
 *   oldest first.
 * - **An object that fails again although another went up meanwhile is itself the trouble.** Its failures say nothing of
 *   the store any more. It is tried for ever, but behind all others, and no two such at once.
 * - **Below a bandwidth**, where there is one: each waits until the bytes of those before are paid off (`pace.ts`). A try
 *   that failed does not count.
 */
import { backoffMs, type Backoff } from '../kernel/backoff.ts';
import type { Clock } from '../kernel/clock.ts';
import { isLivestowError } from '../kernel/errors.ts';
import type { Logger } from '../kernel/logger.ts';
import { Pace } from './pace.ts';

/** Between the tries of one object, and between those at a store that is away. */
export const OUTAGE: Backoff = { baseMs: 500, maxMs: 30_000 };
/** So many failures in a row, of whichever objects: the store is away. */
const AWAY_AFTER = 4;
const OTHER_EACH = 4;

/**
 * Repeats the step, which sends so many bytes, when it is its turn, until it succeeds. Rejects with the reason of the
 * session's signal, and with what is no LivestowError.
 */
export type UploadInTurn = <T>(doing: string, bytes: number, step: () => Promise<T>) => Promise<T>;

export interface UploadsDeps {
  /** How many at once. */
  atOnce: number;
  /** In the mean; without it any number. */
  bytesPerSecond?: number | null;
  clock: Clock;
  log: Logger;
}

interface Upload {
  readonly lane: Lane;
  readonly doing: string;
  readonly bytes: number;
  readonly step: () => Promise<unknown>;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
  /** Lower is older. */
  readonly age: number;
  tries: number;
  dueAtMs: number;
  /** The spell in which it failed last. */
  failedIn: number | null;
  isTrouble: boolean;
}

/** What waits of one session; each list oldest first. */
interface Lane {
  readonly signal: AbortSignal;
  readonly untried: Upload[];
  readonly failed: Upload[];
  readonly troubled: Upload[];
}

const isEmpty = ({ untried, failed, troubled }: Lane): boolean =>
  untried.length + failed.length + troubled.length === 0;

function remove({ untried, failed, troubled }: Lane, upload: Upload): void {
  const list = upload.tries === 0 ? untried : upload.isTrouble ? troubled : failed;
  list.splice(list.indexOf(upload), 1);
}

function putBack({ failed, troubled }: Lane, upload: Upload): void {
  const list = upload.isTrouble ? troubled : failed;
  const younger = list.findIndex(({ age }) => age > upload.age);
  list.splice(younger < 0 ? list.length : younger, 0, upload);
}

const older = (a: Upload | undefined, b: Upload | undefined): Upload | undefined =>
  a && b ? (a.age < b.age ? a : b) : (a ?? b);

export class Uploads {
  /** Others who send may keep to it too. */
  readonly pace: Pace;
  readonly #deps: UploadsDeps;
  /** Those with something that waits, and what takes each off its signal; whose turn it is comes first. */
  readonly #lanes = new Map<Lane, () => void>();
  #count = 0;
  #running = 0;
  #isTroubleRunning = false;
  /** In a row. */
  #failures = 0;
  /** Goes up with each success after a failure. */
  #spell = 0;
  #triesWhileAway = 0;
  #nextTryAtMs = 0;
  #cancelTimer: (() => void) | null = null;

  constructor(deps: UploadsDeps) {
    this.#deps = deps;
    this.pace = new Pace(deps.clock, deps.bytesPerSecond ?? null);
  }

  set bytesPerSecond(rate: number | null) {
    this.pace.bytesPerSecond = rate;
    this.#pump();
  }

  get running(): number {
    return this.#running;
  }

  get waiting(): number {
    let waiting = 0;
    for (const { untried, failed, troubled } of this.#lanes.keys())
      waiting += untried.length + failed.length + troubled.length;
    return waiting;
  }

  /** The store fails again and again. */
  get isAway(): boolean {
    return this.#isAway;
  }

  /** For one session. What waits of it is rejected as soon as its signal aborts. */
  session(signal: AbortSignal): UploadInTurn {
    const lane: Lane = { signal, untried: [], failed: [], troubled: [] };
    return <T>(doing: string, bytes: number, step: () => Promise<T>) =>
      new Promise<T>((resolve, reject) => {
        signal.throwIfAborted();
        lane.untried.push({
          lane,
          doing,
          bytes,
          step,
          resolve: resolve as (value: unknown) => void,
          reject,
          age: (this.#count += 1),
          tries: 0,
          dueAtMs: 0,
          failedIn: null,
          isTrouble: false,
        });
        this.#enter(lane);
        this.#pump();
      });
  }

  get #isAway(): boolean {
    return this.#failures >= AWAY_AFTER;
  }

  get #isFull(): boolean {
    return this.#running >= (this.#isAway ? 1 : this.#deps.atOnce);
  }

  #enter(lane: Lane): void {
    if (this.#lanes.has(lane)) return;
    const onAbort = (): void => this.#abandon(lane);
    lane.signal.addEventListener('abort', onAbort, { once: true });
    this.#lanes.set(lane, () => lane.signal.removeEventListener('abort', onAbort));
  }

  #leave(lane: Lane): void {
    this.#lanes.get(lane)?.();
    this.#lanes.delete(lane);
  }

  #abandon(lane: Lane): void {
    this.#leave(lane);
    for (const list of [lane.troubled, lane.failed, lane.untried]) {
      for (const { reject } of list.splice(0)) reject(lane.signal.reason);
    }
    this.#pump();
  }

  /** Starts what may be started, and wakes when more may. */
  #pump(): void {
    for (let next = this.#take(); next; next = this.#take()) void this.#try(next);
    this.#cancelTimer?.();
    this.#cancelTimer = null;
    const wakeAtMs = this.#wakeAtMs();
    if (wakeAtMs === Infinity) return;
    const { clock } = this.#deps;
    this.#cancelTimer = clock.after(Math.max(0, wakeAtMs - clock.monotonic()), () => this.#pump());
  }

  #take(): Upload | undefined {
    const nowMs = this.#deps.clock.monotonic();
    if (nowMs < this.pace.freeAtMs) return undefined;
    if (this.#isFull || (this.#isAway && nowMs < this.#nextTryAtMs)) return undefined;
    const next = (this.#isAway ? this.#telling() : this.#oldestDue(nowMs)) ?? this.#troubleDue(nowMs);
    if (!next) return undefined;
    const { lane } = next;
    remove(lane, next);
    // Behind the others, for its next turn.
    this.#leave(lane);
    if (!isEmpty(lane)) this.#enter(lane);
    return next;
  }

  #oldestDue(nowMs: number): Upload | undefined {
    const isDue = (upload: Upload): boolean => this.#dueAtMs(upload) <= nowMs;
    return this.#inTurn(({ failed, untried }) => older(failed.find(isDue), untried[0]));
  }

  #troubleDue(nowMs: number): Upload | undefined {
    if (this.#isTroubleRunning) return undefined;
    return this.#inTurn(({ troubled }) => troubled.find(({ dueAtMs }) => dueAtMs <= nowMs));
  }

  /** Of those that wait, one whose success or failure tells of the store. */
  #telling(): Upload | undefined {
    if (this.#triesWhileAway % OTHER_EACH !== 0)
      return this.#inTurn(({ failed, untried }) => older(failed[0], untried[0]));
    const all = [...this.#lanes.keys()].flatMap(({ failed, untried }) => [...failed, ...untried.slice(-1)]);
    return all.toSorted((a, b) => a.tries - b.tries || b.age - a.age)[0];
  }

  #inTurn(of: (lane: Lane) => Upload | undefined): Upload | undefined {
    for (const lane of this.#lanes.keys()) {
      const upload = of(lane);
      if (upload) return upload;
    }
    return undefined;
  }

  /** What failed before another one went up waits no longer. */
  #dueAtMs({ failedIn, dueAtMs }: Upload): number {
    return failedIn === this.#spell ? dueAtMs : 0;
  }

  async #try(upload: Upload): Promise<void> {
    const { lane, step, resolve, reject } = upload;
    this.#running += 1;
    const { isTrouble } = upload;
    if (isTrouble) this.#isTroubleRunning = true;
    if (this.#isAway) this.#triesWhileAway += 1;
    upload.tries += 1;
    const giveBack = this.pace.pay(upload.bytes);
    try {
      resolve(await step());
      this.#succeeded();
    } catch (error) {
      giveBack();
      if (lane.signal.aborted) reject(lane.signal.reason);
      // A bug is no outage: repeating it would hide it for ever.
      else if (!isLivestowError(error)) reject(error);
      else this.#failed(upload, error);
    } finally {
      this.#running -= 1;
      if (isTrouble) this.#isTroubleRunning = false;
      this.#pump();
    }
  }

  #succeeded(): void {
    if (this.#isAway) this.#deps.log.info('the store takes objects again');
    if (this.#failures > 0) this.#spell += 1;
    this.#failures = 0;
    this.#triesWhileAway = 0;
  }

  #failed(upload: Upload, error: Error): void {
    const { clock, log } = this.#deps;
    const { lane, doing, tries } = upload;
    const wasAway = this.#isAway;
    upload.isTrouble ||= upload.failedIn !== null && upload.failedIn !== this.#spell;
    upload.failedIn = this.#spell;
    if (!upload.isTrouble && !isLivestowError(error, 'SPOOL')) this.#failures += 1;
    const waitMs = backoffMs(tries, OUTAGE);
    const storeWaitMs = backoffMs(1 + this.#triesWhileAway, OUTAGE);
    upload.dueAtMs = clock.monotonic() + waitMs;
    this.#nextTryAtMs = clock.monotonic() + storeWaitMs;
    putBack(lane, upload);
    this.#enter(lane);
    log.warn(
      { err: error, tries, waitMs: this.#isAway ? storeWaitMs : waitMs },
      `${doing} failed; trying again`,
    );
    if (this.#isAway && !wasAway) log.warn('the store takes nothing; one try at a time until it does');
  }

  /** When there will be something to do that nothing else sets off. */
  #wakeAtMs(): number {
    if (this.#isFull) return Infinity;
    const soonestMs = Math.max(this.pace.freeAtMs, this.#isAway ? this.#nextTryAtMs : 0);
    let wakeAtMs = Infinity;
    for (const { untried, failed, troubled } of this.#lanes.keys()) {
      if (untried.length > 0 || (this.#isAway && failed.length > 0)) return soonestMs;
      for (const upload of failed) wakeAtMs = Math.min(wakeAtMs, this.#dueAtMs(upload));
      if (this.#isTroubleRunning) continue;
      for (const { dueAtMs } of troubled) wakeAtMs = Math.min(wakeAtMs, dueAtMs);
    }
    return Math.max(wakeAtMs, soonestMs);
  }
}
