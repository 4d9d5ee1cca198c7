/**
 * `npm run bench:cadence`: what the planned cadence finds for its credits, beside a fixed interval that costs as many looks.
 * Habits are simulated and seeded, no time is waited for, and nothing passes or fails: the figures stand in docs/cadence.md.
 */
import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { HABITS } from './habits.ts';
import { compare, type Comparison } from './compare.ts';
import { comparisonTable } from './table.ts';

const USAGE = `usage: npm run bench:cadence -- [options]
  --looks 24,96,480    credits a day and creator; several numbers are simulated one after another
  --creators 10        creators of each habit
  --weeks 8            of measuring
  --learning-weeks 4   before it; 0: from a cold start
  --ceiling-minutes 120, --floor-seconds 30
  --only a,b           of: ${Object.keys(HABITS).join(', ')}, mixed
  --seed 1
  --json FILE          the figures as JSON; - for standard output`;

const { values } = parseArgs({
  options: {
    looks: { type: 'string', default: '24,96,480' },
    creators: { type: 'string', default: '10' },
    weeks: { type: 'string', default: '8' },
    'learning-weeks': { type: 'string', default: '4' },
    'ceiling-minutes': { type: 'string', default: '120' },
    'floor-seconds': { type: 'string', default: '30' },
    only: { type: 'string' },
    seed: { type: 'string', default: '1' },
    json: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});

if (values.help) process.stdout.write(`${USAGE}\n`);
else await bench();

async function bench(): Promise<void> {
  const wanted = values.only?.split(',') ?? [...Object.keys(HABITS), 'mixed'];
  const compared: Comparison[] = [];
  for (const looksPerDay of values.looks.split(',').map(Number)) {
    for (const scenario of wanted) {
      process.stderr.write(`${looksPerDay} looks a day, ${scenario}\n`);
      const habits = scenario === 'mixed' ? Object.keys(HABITS) : [scenario];
      compared.push(
        ...compare({
          scenario,
          habits,
          creatorsPerHabit: Number(values.creators),
          looksPerDay,
          learningWeeks: Number(values['learning-weeks']),
          measuredWeeks: Number(values.weeks),
          floorMs: Number(values['floor-seconds']) * 1_000,
          ceilingMs: Number(values['ceiling-minutes']) * 60_000,
          seed: Number(values.seed),
        }),
      );
    }
  }
  const json = `${JSON.stringify({ options: values, compared }, null, 1)}\n`;
  if (values.json === '-') process.stdout.write(json);
  else if (values.json !== undefined) await writeFile(values.json, json);
  if (values.json !== '-') process.stdout.write(`${comparisonTable(compared)}\n`);
}
