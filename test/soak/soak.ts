/**
 * A soak: creators of the sandbox broadcast, a livestow process each records them into one bucket of a real S3 server,
 * and a storm goes over all of them. When it is over, every picture is accounted for, and nothing may be left behind.
 */
import { setTimeout as after } from 'node:timers/promises';
import type { S3Server } from '../../bench/s3.ts';
import { growthOf } from './growth.ts';
import { reckon, type CreatorReckoning } from './reckoning.ts';
import { SoakWorld } from './soak-world.ts';
import { CLOCK_OFF_MS, type StormPlan } from './storm.ts';
import { Weather } from './weather.ts';

/** For everything to be shipped and sealed when all broadcasts are over. */
const SEALING_MS = 180_000;

export interface SoakReport {
  seed: number;
  creators: CreatorReckoning[];
  /** How often each thing was done, and had an effect where that can be told. */
  done: Record<string, number>;
  growth: ReturnType<typeof growthOf>[];
  lateMs: number;
  problems: string[];
}

export async function soak(
  plan: StormPlan,
  s3: S3Server,
  folder: string,
  tell: (line: string) => void,
): Promise<SoakReport> {
  await using world = await SoakWorld.open(plan, s3, folder, tell);
  const weather = new Weather(plan, world);
  await weather.passOver(tell);
  tell('the storm is over; shipping and sealing');
  const problems = await settle(world, weather);
  tell('accounting for every picture');
  return await report(plan, world, weather, problems);
}

/** Waits until everything is sealed, ends all recorders, and says what went wrong with that. */
async function settle(world: SoakWorld, weather: Weather): Promise<string[]> {
  const problems: string[] = [];
  const limit = AbortSignal.timeout(SEALING_MS);
  while ((await world.leftInSpool()).length > 0 && !limit.aborted) await after(500);
  const left = await world.leftInSpool();
  if (left.length > 0) {
    problems.push(`not sealed after ${SEALING_MS / 1_000} s: ${left.slice(0, 5).join(', ')}`);
  }
  for (const [handle, recorder] of weather.recorders) {
    await recorder.sample().catch(() => {});
    await recorder.finish();
    problems.push(...recorder.surprises.map((surprise) => `${handle}: ${surprise}`));
  }
  for (const command of ['recover', 'verify']) {
    const run = world.livestow([command]);
    const { code } = await run.exited;
    if (code !== 0) problems.push(`${command} ended with ${code}: ${run.tellAll()}`);
  }
  const still = await world.leftInSpool();
  if (still.length > 0) problems.push(`left in the spool: ${still.slice(0, 5).join(', ')}`);
  const running = await world.leftRunning();
  problems.push(...running.map(({ pid, args }) => `still running: ${pid} ${args}`));
  return problems;
}

async function report(
  plan: StormPlan,
  world: SoakWorld,
  { recorders, deeds, cuts, done, lateMs }: Weather,
  before: readonly string[],
): Promise<SoakReport> {
  await world.keepLogs();
  const archive = await world.fetchArchive();
  const creators: CreatorReckoning[] = [];
  for (const { handle } of plan.creators) {
    creators.push(
      await reckon(archive, {
        handle,
        truth: world.sandbox.truth(handle),
        events: world.sandbox.events,
        beganAtMs: world.beganAtMs,
        deeds: deeds.get(handle) ?? [],
        cuts: cuts.get(handle) ?? [],
        lateMs,
        clockOffMs: world.clocks.has(handle) ? CLOCK_OFF_MS : 0,
      }),
    );
  }
  const growth = plan.creators
    .filter(({ steady }) => steady)
    .map(({ handle }) => growthOf(handle, recorders.get(handle)?.samples ?? []));
  const problems = [
    ...before,
    ...(await world.leaks(archive)),
    ...creators.flatMap((creator) => creator.problems),
    ...growth.flatMap((each) => each.problems),
  ];
  return { seed: plan.seed, creators, done, growth, lateMs, problems };
}
