/** The comparisons as a Markdown table: planned, and beside it what the fixed interval gave. */
import { HABITS } from './habits.ts';
import type { Comparison, Outcome } from './compare.ts';

const TITLES = [
  'looks a day',
  'habit',
  'fixed interval',
  'mean delay',
  'to fixed',
  'expected',
  '90 % within',
  'short ones missed',
  'time lost',
];

export function comparisonTable(compared: readonly Comparison[]): string {
  const rows = compared.map((each) => [
    each.planned.looksPerDay.toFixed(0),
    each.scenario === 'mixed' ? `${each.habit} (mixed)` : each.habit,
    minutes(each.fixedIntervalMs),
    both(each, ({ meanDelayMs }) => minutes(meanDelayMs)),
    (each.planned.meanDelayMs / each.fixed.meanDelayMs).toFixed(2),
    minutes(each.expectedDelayMs),
    both(each, ({ p90DelayMs }) => minutes(p90DelayMs)),
    both(each, ({ shortMissedShare }) => percent(shortMissedShare)),
    both(each, ({ lostShare }) => percent(lostShare)),
  ]);
  const lines = [TITLES, TITLES.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`);
  const habits = Object.entries(HABITS).map(([name, { what }]) => `- ${name}: ${what}`);
  return [...lines, '', 'Planned, then fixed. Habits:', ...habits].join('\n');
}

const both = ({ planned, fixed }: Comparison, cell: (outcome: Outcome) => string): string =>
  `${cell(planned)}, ${cell(fixed)}`;
const minutes = (ms: number): string => `${(ms / 60_000).toFixed(1)} min`;
const percent = (share: number): string => `${(100 * share).toFixed(0)} %`;
