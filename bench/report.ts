/** The measurements as a table for people: the mean of the rounds, and how much more or less than bare ffmpeg. */
import type { Measured, Quantiles } from './measure.ts';
import { ffmpeg } from './recorders.ts';

const MIB = 1024 * 1024;

interface Column {
  title: string;
  /** Undefined where it does not apply. */
  of(runs: readonly Measured[], all: readonly Measured[]): string | undefined;
}

const COLUMNS: readonly Column[] = [
  { title: 'streams', of: ([run]) => String(run?.streams) },
  { title: 'recorder', of: ([run]) => run?.recorder },
  { title: 'CPU/stream', of: (runs) => number(runs, 'cpuPercent', 2, ' %') },
  { title: 'x ffmpeg', of: (runs, all) => timesFfmpeg(runs, all, 'cpuPercent') },
  { title: 'own process', of: (runs) => number(runs, 'ownCpuPercent', 2, ' %') },
  { title: 'PSS/stream', of: (runs) => mebibytes(runs, 'memoryBytes') },
  { title: 'x ffmpeg', of: (runs, all) => timesFfmpeg(runs, all, 'memoryBytes') },
  { title: 'own process', of: (runs) => mebibytes(runs, 'ownMemoryBytes') },
  { title: 'written to verified', of: (runs) => delays(runs.map(({ sinceWritten }) => sinceWritten)) },
  { title: 'spooled to verified', of: (runs) => delays(runs.map(({ sinceSpooled }) => sinceSpooled)) },
];

export function table(measured: readonly Measured[]): string {
  const groups = Map.groupBy(measured, ({ streams, recorder }) => `${streams} ${recorder}`);
  const rows = [...groups.values()].map((runs) => COLUMNS.map((column) => column.of(runs, measured) ?? '-'));
  const lines = [COLUMNS.map(({ title }) => title), ...rows];
  const widths = COLUMNS.map((_, column) => Math.max(...lines.map((line) => line[column]!.length)));
  return lines
    .map((line) =>
      line
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

type NumberField = 'cpuPercent' | 'ownCpuPercent' | 'memoryBytes' | 'ownMemoryBytes';

function mean(runs: readonly Measured[], field: NumberField): number | undefined {
  const values = runs.map((run) => run[field]).filter((value) => value !== undefined);
  return values.length === 0 ? undefined : values.reduce((sum, value) => sum + value, 0) / values.length;
}

const number = (runs: readonly Measured[], field: NumberField, digits: number, unit: string) => {
  const value = mean(runs, field);
  return value === undefined ? undefined : `${value.toFixed(digits)}${unit}`;
};

const mebibytes = (runs: readonly Measured[], field: NumberField) => {
  const value = mean(runs, field);
  return value === undefined ? undefined : `${(value / MIB).toFixed(1)} MiB`;
};

function timesFfmpeg(
  runs: readonly Measured[],
  all: readonly Measured[],
  field: NumberField,
): string | undefined {
  const bare = all.filter(
    ({ recorder, streams }) => recorder === ffmpeg.name && streams === runs[0]?.streams,
  );
  const [own, reference] = [mean(runs, field), mean(bare, field)];
  return own === undefined || reference === undefined ? undefined : (own / reference).toFixed(2);
}

/** Of several rounds the worst. */
function delays(rounds: readonly (Quantiles | undefined)[]): string | undefined {
  const found = rounds.filter((round) => round !== undefined);
  if (found.length === 0) return undefined;
  const worst = (of: 'p50Ms' | 'p99Ms') => Math.round(Math.max(...found.map((round) => round[of])));
  return `p50 ${worst('p50Ms')} ms, p99 ${worst('p99Ms')} ms`;
}
