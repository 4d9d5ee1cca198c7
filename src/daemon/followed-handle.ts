/**
 * Under which handle a creator is asked for. Who is renamed keeps the account: an answer that bears another handle tells
 * the new one, which is asked for from then on. When nobody is called by the handle any more, the archive may know what
 * the creator was called last. Everything else (the archive's folder, the lock, what is printed) keeps to the handle that
 * was given, so that the archive stays one.
 */
import { z } from 'zod';
import type { Clock } from '../kernel/clock.ts';
import { Deadline } from '../kernel/deadline.ts';
import type { Logger } from '../kernel/logger.ts';
import { creatorFile } from '../layout/keys.ts';
import { handleSchema } from '../model/handle.ts';
import type { CreatorProfile, Look } from '../model/look.ts';
import type { Store } from '../store/store.ts';
import { readText } from '../archive/read-text.ts';

/** For the archive to say it. */
const PATIENCE_MS = 3_000;
/** What is read of `creator.json`. */
const rememberedSchema = z.object({ calledNow: handleSchema });

export interface FollowedHandlesDeps {
  store: Store;
  clock: Clock;
  /** One request, for whom and by which handle; throws the lookup's errors. */
  ask: (handle: string, calledNow: string, signal: AbortSignal) => Promise<Look>;
  log: Logger;
}

interface Followed {
  /** What the creator was, is and may be called; the one that was right last comes first. */
  names: string[];
  /** Nobody was called by any of them. */
  isMissing: boolean;
  platformUserId: string | null;
  /** The archive has answered, or need not be asked. */
  isRemembered: boolean;
}

export class FollowedHandles {
  readonly #deps: FollowedHandlesDeps;
  readonly #followed = new Map<string, Followed>();

  constructor(deps: FollowedHandlesDeps) {
    this.#deps = deps;
  }

  /**
   * One look at a creator, by whatever handle that is known to be right. Where that is nobody's any more, the others that
   * are known are tried too, once, and then by turns: one request a look. What it cost is in the look.
   */
  async look(handle: string, signal: AbortSignal): Promise<Look> {
    const known = this.#followed.get(handle) ?? {
      names: [handle],
      isMissing: false,
      platformUserId: null,
      isRemembered: false,
    };
    this.#followed.set(handle, known);
    let charged = 0;
    const ask = async (as: string): Promise<Look> => {
      const look = await this.#deps.ask(handle, as, signal);
      charged += look.meta.creditsCharged;
      if (look.status === 'not-found') return look;
      // Somebody else may have taken a handle that was given up.
      const isOther = known.names.length > 1 && !isSame(known, look.profile);
      return isOther ? { status: 'not-found', meta: look.meta } : look;
    };
    let look = await ask(known.names[0] ?? handle);
    if (look.status === 'not-found' && !known.isRemembered) await this.#remember(handle, known, signal);
    const others = known.isMissing ? [] : known.names.slice(1);
    for (const name of others) {
      if (look.status !== 'not-found') break;
      look = await ask(name);
    }
    known.isMissing = look.status === 'not-found';
    if (look.status === 'not-found') known.names = [...known.names.slice(1), ...known.names.slice(0, 1)];
    else this.#note(handle, known, look.profile);
    return { ...look, meta: { ...look.meta, creditsCharged: charged } };
  }

  #note(handle: string, known: Followed, profile: CreatorProfile): void {
    const { log } = this.#deps;
    const { platformUserId } = profile;
    if (profile.handle !== handle && !known.names.includes(profile.handle))
      log.warn(
        { handle, calledNow: profile.handle },
        `@${handle} is called @${profile.handle} now, and is followed`,
      );
    known.names = [profile.handle, ...known.names.filter((name) => name !== profile.handle)];
    if (!isSame(known, profile)) {
      log.warn(
        { handle, platformUserId, before: known.platformUserId },
        `somebody else is called @${profile.handle} now`,
      );
    }
    known.platformUserId = platformUserId ?? known.platformUserId;
  }

  /** What the archive says that the creator was called last. That it cannot be read must not end a watch, nor hold it up. */
  async #remember(handle: string, known: Followed, signal: AbortSignal): Promise<void> {
    const { store, clock, log } = this.#deps;
    using patience = new Deadline(clock, PATIENCE_MS, signal);
    try {
      const text = await readText(store, creatorFile(handle), patience.signal);
      known.isRemembered = true;
      if (text === undefined) return;
      const { calledNow } = rememberedSchema.parse(JSON.parse(text));
      if (!known.names.includes(calledNow)) known.names.push(calledNow);
    } catch (error) {
      signal.throwIfAborted();
      log.debug({ err: error, handle }, 'the archive does not say what the creator was called last');
    }
  }
}

const isSame = (known: Followed, { platformUserId }: CreatorProfile): boolean =>
  known.platformUserId === null || platformUserId === null || known.platformUserId === platformUserId;
