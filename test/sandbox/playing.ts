/** A sandbox for the length of a test. */
import { onTestFinished } from 'vitest';
import { createSandbox, type Sandbox } from '../../src/sandbox/sandbox.ts';
import type { ScenarioInput } from '../../src/sandbox/scenario.ts';

type CreatorInput = NonNullable<ScenarioInput['creators']>[string];

export async function play(scenario: ScenarioInput): Promise<Sandbox> {
  const sandbox = await createSandbox({ scenario });
  onTestFinished(() => sandbox.close());
  return sandbox;
}

/** Alice alone, live from the start; twenty seconds of broadcast a second unless told. */
export const playAlice = (creator: CreatorInput, scenario: ScenarioInput = {}): Promise<Sandbox> =>
  play({
    speed: 20,
    ...scenario,
    creators: { alice: { liveAtMs: 0, variants: [{ media: 'small' }], ...creator } },
  });
