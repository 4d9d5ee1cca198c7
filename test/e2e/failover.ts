/** A broadcast in two qualities, of which the better one has trouble: `origin` in landscape, `hd` upright. */
import { expect } from 'vitest';
import type { FaultInput } from '../../src/sandbox/faults.ts';
import { interruptAfterTheEnd } from './cut.ts';
import type { LivestowProcess } from './livestow-process.ts';
import type { World, WorldPlan } from './world.ts';

type Protocols = ('flv' | 'hls')[];

export const inTwoQualities = (about: {
  durationMs: number;
  /** Of `origin` alone. */
  fault: FaultInput;
  origin?: Protocols;
  hd?: Protocols;
}): WorldPlan => ({
  alice: {
    durationMs: about.durationMs,
    variants: [
      { media: 'small-landscape', qualityKey: 'origin', protocols: about.origin ?? ['flv'] },
      { media: 'small', qualityKey: 'hd', protocols: about.hd ?? ['flv'] },
    ],
    faults: [{ ...about.fault, target: { qualityKey: 'origin' } }],
  },
});

/** Records all of it; the fault fired more often than this. */
export async function recordThrough(
  world: World,
  fault: FaultInput['type'],
  firedMoreThan: number,
): Promise<LivestowProcess> {
  const run = await world.record();
  await interruptAfterTheEnd(world, run);
  expect(world.sandbox.fired('alice', fault).length).toBeGreaterThan(firedMoreThan);
  return run;
}
