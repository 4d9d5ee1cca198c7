/** The operations and metrics as docs/api.md shows them, made from what the server has. */
import { EventLog } from '../../src/daemon/event-log.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import type { DaemonView } from '../../src/web/daemon-view.ts';
import { EventStreams } from '../../src/web/event-stream.ts';
import { Metrics } from '../../src/web/metrics.ts';
import { operations } from '../../src/web/operations.ts';
import { familiesOf } from '../web/metric-lint.ts';

interface Operation {
  summary?: string;
}

/** Nobody: only what there is to ask is looked at, never an answer. */
function nobody(events: EventLog): DaemonView {
  const unasked = (): never => {
    throw new Error('nobody is there');
  };
  return {
    isEnding: false,
    events,
    status: async () => ({
      version: '0',
      startedAt: '',
      uptimeMs: 0,
      isEnding: false,
      creators: {},
      credits: { spentToday: 0, perDay: null, charged: 0 },
      looks: { live: 0, offline: 0, notFound: 0, failed: 0 },
      recordings: { running: 0, waiting: 0, most: null, heldBy: null, receivedBytes: 0 },
      load: {
        cpuShare: { used: null, most: null },
        downloadBytesPerSecond: { used: null, most: null },
        uploadBytesPerSecond: { used: null, most: null },
      },
      uploads: { running: 0, waiting: 0, storeTakes: true, shippedObjects: 0, shippedBytes: 0 },
      spool: { bytes: 0, freeBytes: null, reserveBytes: 0 },
      jobs: [],
      webhooks: { waiting: 0, delivered: 0, refused: 0, givenUp: 0, dropped: 0 },
    }),
    creatorStatuses: () => [],
    creators: unasked,
    creator: unasked,
    config: unasked,
    readiness: unasked,
    add: unasked,
    remove: unasked,
    setPaused: unasked,
    setNote: unasked,
    recordNow: unasked,
    stopRecording: unasked,
    jobs: unasked,
    jobHistory: unasked,
    runJob: unasked,
    stopJob: unasked,
  };
}

const rows = (cells: string[][]): string => cells.map((row) => `| ${row.join(' | ')} |`).join('\n');

export async function operationsSection(): Promise<string> {
  const events = new EventLog(systemClock);
  const streams = new EventStreams(events, 'run', systemClock);
  const app = operations({ daemon: nobody(events), streams, run: 'run', version: '0', hasToken: false });
  const document = (await (await app.request('/api/openapi.json')).json()) as {
    paths: Record<string, Record<string, Operation>>;
  };
  const lines = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { summary = '' }]) => [
      `\`${method.toUpperCase()} ${path}\``,
      summary,
    ]),
  );
  return rows([['operation', 'does'], ['---', '---'], ...lines]);
}

export async function metricsSection(): Promise<string> {
  const events = new EventLog(systemClock);
  const metrics = new Metrics(nobody(events), '0', () => 0);
  const families = [...familiesOf(await metrics.text()).values()];
  metrics.close();
  const lines = families
    .filter(({ name }) => name.startsWith('livestow_'))
    .map(({ name, type, help }) => [`\`${name}\``, type, help]);
  return rows([['metric', 'type', ''], ['---', '---', '---'], ...lines]);
}
