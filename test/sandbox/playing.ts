/** A sandbox for the length of a test. */
import { onTestFinished } from 'vitest';
import { systemClock, type Clock } from '../../src/kernel/clock.ts';
import { createSandbox, type Sandbox } from '../../src/sandbox/sandbox.ts';
import type { ScenarioInput } from '../../src/sandbox/scenario.ts';

type CreatorInput = NonNullable<ScenarioInput['creators']>[string];

/** Stands still until it is let go, so that a client is there before anything happens, however busy the machine is. */
export class HeldClock implements Clock {
  #letGoAtMs: number | undefined;

  now(): number {
    return systemClock.now();
  }

  monotonic(): number {
    return this.#letGoAtMs === undefined ? 0 : systemClock.monotonic() - this.#letGoAtMs;
  }

  awake(): number {
    return this.monotonic();
  }

  delay(ms: number, signal?: AbortSignal): Promise<void> {
    return systemClock.delay(ms, signal);
  }

  after(ms: number, callback: () => void): () => void {
    return systemClock.after(ms, callback);
  }

  letGo(): void {
    this.#letGoAtMs ??= systemClock.monotonic();
  }
}

export async function play(scenario: ScenarioInput, clock: Clock = systemClock): Promise<Sandbox> {
  const sandbox = await createSandbox({ scenario, clock });
  onTestFinished(() => sandbox.close());
  return sandbox;
}

/** Alice alone, live from the start; twenty seconds of broadcast a second unless told. */
export const playAlice = (
  creator: CreatorInput,
  scenario: ScenarioInput = {},
  clock?: Clock,
): Promise<Sandbox> =>
  play(
    {
      speed: 20,
      ...scenario,
      creators: { alice: { liveAtMs: 0, variants: [{ media: 'small' }], ...creator } },
    },
    clock,
  );
