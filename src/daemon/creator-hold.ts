/**
 * A creator's lock, and the sessions of it that are being shipped and sealed. That may take as long as a store is away: it
 * outlives the watch that recorded them, and holds up neither the next watch nor one into another store.
 */
import type { Logger } from '../kernel/logger.ts';
import { lockCreator, type CreatorLock } from '../spool/creator-lock.ts';
import { requireWritableSpool } from '../spool/writable-spool.ts';

export class CreatorHold {
  /** Not everything of these is in the store. */
  readonly unsealed: string[] = [];
  readonly #lock: CreatorLock;
  readonly #finishing = new Map<string, Promise<void>>();
  #isWanted = true;
  #isReleased = false;

  private constructor(lock: CreatorLock) {
    this.#lock = lock;
  }

  /** @throws SPOOL, and HELD when somebody else has it */
  static async take(spoolRoot: string, handle: string): Promise<CreatorHold> {
    await requireWritableSpool(spoolRoot);
    return new CreatorHold(lockCreator(spoolRoot, handle));
  }

  get isReleased(): boolean {
    return this.#isReleased;
  }

  /** Sessions that are being finished. */
  get sessions(): ReadonlySet<string> {
    return new Set(this.#finishing.keys());
  }

  /** @param finished when the session is sealed, or all that is closed is shipped; failing, it stays in the spool */
  finish(session: string, finished: Promise<unknown>, log: Logger, isGivenUp: () => boolean): void {
    const done = finished
      .then(() => {})
      .catch((error: unknown) => {
        this.unsealed.push(session);
        log[isGivenUp() ? 'warn' : 'error'](
          { err: error, session },
          'the session is not sealed; what is missing in the store is in the spool',
        );
      })
      .finally(() => {
        this.#finishing.delete(session);
        this.#settle();
      });
    this.#finishing.set(session, done);
  }

  /** It is wanted on. False: it was released already. */
  keep(): boolean {
    this.#isWanted = true;
    return !this.#isReleased;
  }

  /** Others may have the creator as soon as nothing is being finished; resolves then, kept or not. */
  async release(): Promise<void> {
    this.#isWanted = false;
    this.#settle();
    while (this.#finishing.size > 0) await Promise.all(this.#finishing.values());
  }

  #settle(): void {
    if (this.#isWanted || this.#isReleased || this.#finishing.size > 0) return;
    this.#isReleased = true;
    this.#lock.release();
  }
}
