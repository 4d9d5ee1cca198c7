/** One attempt, ended before its time when a better variant is back (`return-to-better.ts`). */
import { AnySignal } from '../kernel/any-signal.ts';
import type { Variant } from '../model/variant.ts';
import { attempt, type AttemptDeps, type AttemptOutcome } from './attempt.ts';
import { returnToBetter, type ReturnDeps, type Returned } from './return-to-better.ts';

/** `returned`: the better variant, with its open connection. */
export type UntilBetter = AttemptOutcome & { returned: Returned | null };

/** @param over ends the attempt and the looking for a better variant */
export async function attemptUntilBetter(
  variant: Variant,
  attemptDeps: AttemptDeps,
  returnDeps: ReturnDeps,
  over: AbortSignal,
): Promise<UntilBetter> {
  const ended = new AbortController();
  const replaced = new AbortController();
  using untilEnded = new AnySignal(over, ended.signal);
  using untilReplaced = new AnySignal(over, replaced.signal);
  const returning = returnToBetter(variant, returnDeps, untilEnded.signal).then((returned) => {
    if (returned) replaced.abort();
    return returned;
  });
  // Its failure is met below.
  returning.catch(() => replaced.abort());
  try {
    const outcome = await attempt(variant, attemptDeps, untilReplaced.signal);
    ended.abort();
    return { ...outcome, returned: await returning };
  } catch (error) {
    ended.abort();
    (await returning)?.close();
    throw error;
  }
}
