/**
 * Under which handle a creator is asked for. Who is renamed keeps the account: an answer that bears another handle tells
 * the new one, which is asked for from then on. When nobody is called by the handle any more, the archive may know what
 * the creator was called last. Everything else (the archive's folder, the lock, what is printed) keeps to the handle that
 * was given, so that the archive stays one.
 */
import { z } from 'zod';
import type { Logger } from '../kernel/logger.ts';
import { creatorFile } from '../layout/keys.ts';
import { handleSchema } from '../model/handle.ts';
import type { CreatorProfile, Look } from '../model/look.ts';
import type { Store } from '../store/store.ts';
import { readText } from '../archive/read-text.ts';

/** What is read of `creator.json`. */
const rememberedSchema = z.object({ calledNow: handleSchema });

export interface FollowedHandlesDeps {
  store: Store;
  /** One request, for whom and by which handle; throws the lookup's errors. */
  ask: (handle: string, calledNow: string, signal: AbortSignal) => Promise<Look>;
  log: Logger;
}

interface Followed {
  /** What the creator is asked for by. */
  calledNow: string;
  platformUserId: string | null;
  /** The archive was asked, or need not be. */
  isRemembered: boolean;
}

export class FollowedHandles {
  readonly #deps: FollowedHandlesDeps;
  readonly #followed = new Map<string, Followed>();

  constructor(deps: FollowedHandlesDeps) {
    this.#deps = deps;
  }

  /**
   * One look at a creator, by whatever handle that is known to be right; two or three requests at most, where a handle is
   * not known any more. What they cost is in the look.
   */
  async look(handle: string, signal: AbortSignal): Promise<Look> {
    const known = this.#followed.get(handle) ?? {
      calledNow: handle,
      platformUserId: null,
      isRemembered: false,
    };
    this.#followed.set(handle, known);
    let charged = 0;
    const ask = async (as: string): Promise<Look> => {
      const look = await this.#deps.ask(handle, as, signal);
      charged += look.meta.creditsCharged;
      if (look.status !== 'not-found') this.#note(handle, known, look.profile);
      return look;
    };
    let look = await ask(known.calledNow);
    if (look.status === 'not-found' && known.calledNow !== handle) {
      known.calledNow = handle;
      look = await ask(handle);
    }
    if (look.status === 'not-found' && !known.isRemembered) {
      const calledNow = await this.#remembered(handle, signal);
      known.isRemembered = true;
      if (calledNow !== undefined && calledNow !== handle) look = await ask(calledNow);
    }
    return { ...look, meta: { ...look.meta, creditsCharged: charged } };
  }

  #note(handle: string, known: Followed, profile: CreatorProfile): void {
    const { log } = this.#deps;
    const { platformUserId } = profile;
    if (profile.handle !== known.calledNow) {
      known.calledNow = profile.handle;
      if (profile.handle !== handle)
        log.warn(
          { handle, calledNow: profile.handle },
          `@${handle} is called @${profile.handle} now, and is followed`,
        );
    }
    if (known.platformUserId !== null && platformUserId !== null && known.platformUserId !== platformUserId) {
      log.warn(
        { handle, platformUserId, before: known.platformUserId },
        `somebody else is called @${profile.handle} now`,
      );
    }
    known.platformUserId = platformUserId ?? known.platformUserId;
  }

  /** What the archive says that the creator was called last. That it cannot be read must not end a watch. */
  async #remembered(handle: string, signal: AbortSignal): Promise<string | undefined> {
    const { store, log } = this.#deps;
    try {
      const text = await readText(store, creatorFile(handle), signal);
      return text === undefined ? undefined : rememberedSchema.parse(JSON.parse(text)).calledNow;
    } catch (error) {
      signal.throwIfAborted();
      log.debug({ err: error, handle }, 'the archive does not say what the creator was called last');
      return undefined;
    }
  }
}
