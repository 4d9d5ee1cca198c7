/** What `promtool check metrics` objects to, and the text format itself, over the text of `/metrics`. */

export interface MetricFamily {
  name: string;
  type: string;
  help: string;
  samples: { name: string; labels: Record<string, string>; value: number }[];
}

const SAMPLE = /^([A-Za-z_:][\w:]*)(?:\{(.*)\})? (\S+)$/;
const LABEL = /([A-Za-z_]\w*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)/gy;

/** Throws for what Prometheus could not read. */
export function familiesOf(text: string): Map<string, MetricFamily> {
  const families = new Map<string, MetricFamily>();
  let current: MetricFamily | undefined;
  for (const line of text.split('\n')) {
    if (line === '') continue;
    const [, keyword, name = '', rest = ''] = /^# (HELP|TYPE) (\S+) (.*)$/.exec(line) ?? [];
    if (keyword === 'HELP') {
      if (families.has(name)) throw new Error(`${name} is there twice`);
      current = { name, type: '', help: rest, samples: [] };
      families.set(name, current);
    } else if (keyword === 'TYPE') {
      if (current?.name !== name) throw new Error(`a type without a metric: ${line}`);
      current.type = rest;
    } else {
      const [, sample = '', labels = '', value = ''] = SAMPLE.exec(line) ?? [];
      if (!current || !sample.startsWith(current.name)) throw new Error(`what is this? ${line}`);
      current.samples.push({ name: sample, labels: labelsOf(labels, line), value: numberOf(value) });
    }
  }
  return families;
}

function labelsOf(text: string, line: string): Record<string, string> {
  const labels: Record<string, string> = {};
  LABEL.lastIndex = 0;
  let end = 0;
  for (let found = LABEL.exec(text); found; found = LABEL.exec(text)) {
    labels[found[1] ?? ''] = found[2] ?? '';
    end = LABEL.lastIndex;
  }
  if (end !== text.length) throw new Error(`labels that are none: ${line}`);
  return labels;
}

function numberOf(text: string): number {
  const known: Record<string, number> = {
    '+Inf': Infinity,
    '-Inf': -Infinity,
    Nan: Number.NaN,
    NaN: Number.NaN,
  };
  const value = known[text] ?? Number(text);
  if (Number.isNaN(value) && !(text in known)) throw new Error(`not a number: ${text}`);
  return value;
}

const TYPES = new Set(['counter', 'gauge', 'histogram', 'summary']);
const NOT_BASE =
  /^(?:(?:nano|micro|milli|centi|kilo|kibi|mega|mebi|giga|gibi|tera|tebi)(?:seconds|bytes)|minutes|hours|days|weeks|(?:kilo|mega|giga)?bits)$/;
const ABBREVIATED = new Set(['s', 'ms', 'us', 'ns', 'sec', 'b', 'kb', 'mb', 'gb', 'tb', 'pb', 'm', 'h', 'd']);

/** One complaint a line; none when all is by convention. */
export function lintMetrics(families: Iterable<MetricFamily>): string[] {
  return Array.from(families).flatMap(({ name, type, help, samples }) => {
    const words = name.toLowerCase().split('_');
    const labels = new Set(samples.flatMap((sample) => Object.keys(sample.labels)));
    const complaints: [string, boolean][] = [
      ['no help', help.trim() === ''],
      [`a type that is none: ${type}`, !TYPES.has(type)],
      ['a counter without _total', type === 'counter' && !name.endsWith('_total')],
      ['_total, and no counter', type !== 'counter' && name.endsWith('_total')],
      ['a suffix of histograms', type !== 'histogram' && name.endsWith('_bucket')],
      ['a suffix of summaries', !/histogram|summary/.test(type) && /_(?:count|sum)$/.test(name)],
      ['a label of histograms', type !== 'histogram' && labels.has('le')],
      ['a label of summaries', type !== 'summary' && labels.has('quantile')],
      ['its type in its name', words.some((word) => TYPES.has(word))],
      ['a colon', name.includes(':')],
      ['camelCase', [name, ...labels].some((each) => /[a-z][A-Z]/.test(each))],
      ['no base unit', words.some((word) => NOT_BASE.test(word))],
      ['an abbreviated unit', words.slice(1).some((word) => ABBREVIATED.has(word))],
    ];
    return complaints.flatMap(([what, isSo]) => (isSo ? [`${name}: ${what}`] : []));
  });
}
