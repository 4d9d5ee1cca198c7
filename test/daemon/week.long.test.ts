/** A week of five hundred creators: windows, a budget, jobs, reloads, an API that is away, credits that are used up. */
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { jobsSchema } from '../../src/config/jobs.ts';
import { loadConfig } from '../../src/config/load.ts';
import { listSessions } from '../../src/archive/catalogue.ts';
import type { Config } from '../../src/config/schema.ts';
import { Daemon } from '../../src/daemon/daemon.ts';
import { LivestowError } from '../../src/kernel/errors.ts';
import { silentLogger } from '../../src/kernel/logger.ts';
import { DirectoryStore } from '../../src/store/directory-store.ts';
import type { LivestowEvent } from '../../src/model/event.ts';
import { ManualClock } from '../manual-clock.ts';
import { randomFrom } from '../support/random.ts';
import { scratchFolder } from '../spool/scratch.ts';
import { spoolOf, Town, type TownBroadcast } from './town.ts';

vi.setConfig({ testTimeout: 30 * 60_000 });

const CREATORS = 500;
const DAYS = 7;
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const WINDOW_MS = 20 * MINUTE_MS;
const CREDITS_PER_DAY = 24_000;
const RELOAD_EACH_MS = 10 * MINUTE_MS;
/** And how often each is due in the week. */
const JOBS = {
  index: { settings: { kind: 'reindex', cron: '30 */6 * * *' }, runs: 4 * DAYS },
  digest: { settings: { kind: 'digest', cron: '0 5 * * *' }, runs: DAYS },
  keep: { settings: { kind: 'prune', cron: '0 4 * * *', maxSessions: 1_000 }, runs: DAYS },
  copy: { settings: { kind: 'mirror', cron: '0 2 * * *' }, runs: DAYS },
  rest: { settings: { kind: 'reindex', cron: '0 3 * * *', paused: true }, runs: 0 },
} as const;
/** Nobody is looked up then, or only refused. */
const OUTAGE = { fromMs: 4 * DAY_MS + 9 * HOUR_MS, toMs: 4 * DAY_MS + 11 * HOUR_MS };
const NO_CREDITS = { fromMs: 2 * DAY_MS + 13 * HOUR_MS, toMs: 2 * DAY_MS + 16 * HOUR_MS };
/** A look may be so long ago when a broadcast begins; longer only where the budget is short. */
const FOUND_WITHIN_MS = 110_000;

interface Person {
  handle: string;
  /** Of each day. */
  opensMs: number;
  broadcasts: (TownBroadcast & { isInWindow: boolean })[];
}

function inhabitants(random: () => number): Person[] {
  return Array.from({ length: CREATORS }, (_, i) => {
    const handle = `creator${i + 1}`;
    const opensMs = Math.floor(random() * ((DAY_MS - WINDOW_MS) / MINUTE_MS)) * MINUTE_MS;
    const broadcasts: Person['broadcasts'] = [];
    for (let day = 0; day < DAYS; day += 1) {
      if (random() > 0.2) continue;
      const isInWindow = random() < 0.8;
      const lengthMs = Math.round(2.5 * MINUTE_MS + random() * MINUTE_MS);
      const atMs = isInWindow
        ? opensMs + Math.round(random() * (WINDOW_MS - lengthMs))
        : (opensMs + WINDOW_MS + HOUR_MS + Math.round(random() * 20 * HOUR_MS)) % (DAY_MS - 5 * MINUTE_MS);
      if (!isInWindow && atMs + lengthMs > opensMs && atMs < opensMs + WINDOW_MS) continue;
      const fromMs = day * DAY_MS + atMs;
      const roomId = `7${String(day).padStart(3, '0')}${String(i).padStart(15, '0')}`;
      broadcasts.push({ roomId, fromMs, toMs: fromMs + lengthMs, isInWindow });
    }
    return { handle, opensMs, broadcasts };
  });
}

const clockTime = (ms: number): string =>
  `${String(Math.floor(ms / HOUR_MS)).padStart(2, '0')}:${String(Math.floor((ms % HOUR_MS) / MINUTE_MS)).padStart(2, '0')}`;

/** @param edit each reload says something else of some */
function configOf(base: Config, people: readonly Person[], edit: number): Config {
  const creators = people.map(({ handle, opensMs }, i) => ({
    handle,
    paused: false,
    priority: (i + edit) % 50 === 0 ? 10 : 0,
    windows: {
      recordOnly: [`daily ${clockTime(opensMs)}-${clockTime(opensMs + WINDOW_MS)}`],
      never: [],
      atEnd: 'finish' as const,
    },
  }));
  return {
    ...base,
    creators,
    creditsPerDay: CREDITS_PER_DAY,
    pollFloorMs: 20_000,
    pollCeilingMs: HOUR_MS,
  };
}

const overlaps = (one: { fromMs: number; toMs: number }, other: { fromMs: number; toMs: number }): boolean =>
  one.fromMs < other.toMs && other.fromMs < one.toMs;

test('each broadcast in a window is archived, no other is, and the budget of each day is kept', async () => {
  const clock = new ManualClock();
  const town = new Town(await scratchFolder(), clock);
  const people = inhabitants(randomFrom(Number(process.env['LIVESTOW_SEED'] ?? 20_261_123)));
  for (const { handle, broadcasts } of people) town.broadcasts.set(handle, broadcasts);
  const { config } = await loadConfig({ flags: {}, env: {}, cwd: town.root });
  const jobs = jobsSchema.parse(
    Object.fromEntries(
      Object.entries(JOBS).map(([name, { settings }]) => [
        name,
        settings.kind === 'mirror' ? { ...settings, to: join(town.root, 'copy') } : settings,
      ]),
    ),
  );
  const base: Config = {
    ...config,
    ...spoolOf(town),
    jobs,
  };
  const daemon = await Daemon.open({
    config: configOf(base, people, 0),
    clock,
    log: silentLogger(),
    version: '0.0.0',
    compose: town.compose,
  });
  onTestFinished(() => daemon.close());
  const told: LivestowEvent[] = [];
  daemon.events.on('event', (event) => told.push(event));

  for (let atMs = 0, edit = 1; atMs < DAYS * DAY_MS; edit += 1) {
    const nextMs = [OUTAGE.fromMs, OUTAGE.toMs, NO_CREDITS.fromMs, NO_CREDITS.toMs, atMs + RELOAD_EACH_MS]
      .filter((ms) => ms > atMs)
      .reduce((least, ms) => Math.min(least, ms));
    const isAway = atMs >= OUTAGE.fromMs && atMs < OUTAGE.toMs;
    const isSpent = atMs >= NO_CREDITS.fromMs && atMs < NO_CREDITS.toMs;
    town.refusal = isAway
      ? () => new LivestowError('LOOKUP_FAILED', 'away', { retryable: true })
      : isSpent
        ? () =>
            new LivestowError('LOOKUP_CREDITS', 'none left', { context: { retryAfterMs: 15 * MINUTE_MS } })
        : null;
    await town.pass(nextMs);
    atMs = nextMs;
    const { change, waiting } = daemon.reload(configOf(base, people, edit));
    expect({ added: change.added, removed: change.removed, waiting }).toEqual({
      added: [],
      removed: [],
      waiting: [],
    });
    expect(change.changed.length).toBeGreaterThan(10);
  }
  const over = new AbortController();
  const ending = daemon.end('interrupt').finally(() => over.abort());
  await town.pass(DAYS * DAY_MS + HOUR_MS, over.signal);
  await ending;

  for (const [job, { runs }] of Object.entries(JOBS)) {
    const history = daemon.jobs.history({ job, most: 1_000 });
    expect(history.map(({ outcome }) => outcome)).toEqual(Array.from({ length: runs }, () => 'done'));
    expect(new Set(history.map(({ scheduledFor }) => scheduledFor)).size).toBe(runs);
    expect(history.filter(({ missedSince }) => missedSince !== null)).toEqual([]);
  }
  const copied = await listSessions(new DirectoryStore(join(town.root, 'copy')));
  expect(copied.length).toBeGreaterThan(300);

  expect(town.failedLooks).toBeGreaterThan(100);
  for (const looks of town.looksByDay) expect(looks).toBeLessThanOrEqual(CREDITS_PER_DAY);
  const sessions = await listSessions(town.store);
  const archived = new Map(
    sessions.map(({ handle, session, summary }) => [`${handle} ${session.split('-')[1]}`, summary]),
  );
  const lost: string[] = [];
  const wrong: string[] = [];
  let due = 0;
  for (const { handle, broadcasts } of people) {
    for (const broadcast of broadcasts) {
      const summary = archived.get(`${handle} ${broadcast.roomId}`);
      if (!broadcast.isInWindow) {
        if (summary) wrong.push(`${handle} ${broadcast.roomId}: outside its window`);
        continue;
      }
      const near = { fromMs: broadcast.fromMs - HOUR_MS, toMs: broadcast.toMs };
      if (overlaps(near, OUTAGE) || overlaps(near, NO_CREDITS)) continue;
      due += 1;
      if (!summary) lost.push(`${handle} at ${clockTime(broadcast.fromMs % DAY_MS)}`);
      else if (!summary.sealedAt || summary.endCause !== 'room-ended')
        wrong.push(`${handle}: ${summary.endCause}`);
      else if (broadcast.toMs - broadcast.fromMs - summary.recordedMs > FOUND_WITHIN_MS) {
        wrong.push(`${handle}: ${summary.recordedMs} of ${broadcast.toMs - broadcast.fromMs} ms`);
      }
    }
  }
  expect(due).toBeGreaterThan(400);
  expect(lost).toEqual([]);
  expect(wrong).toEqual([]);
  expect(told.flatMap((event) => (event.type === 'credits' ? [event.level] : []))).toContain('refused');
});
