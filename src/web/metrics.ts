/**
 * `/metrics`, for Prometheus. What is counted comes from the daemon's events and from what it says of itself when asked;
 * nothing is measured for metrics alone. Labels are closed sets (a job's name is one of the config file), but for `handle`,
 * which only the gauges of single creators have (`livestow_creator_…`): as many series as creators, and none for those that
 * are gone.
 */
import { collectDefaultMetrics, Counter, Gauge, Registry } from 'prom-client';
import { JOB_KINDS } from '../config/jobs.ts';
import { creatorStatusSchema } from '../model/creator-status.ts';
import type { CreatorStatus } from '../model/creator-status.ts';
import { GAP_CAUSES } from '../model/causes.ts';
import type { LivestowEvent } from '../model/event.ts';
import { jobOutcomeSchema } from '../model/job.ts';
import type { DaemonView } from './daemon-view.ts';
import { statusSchema, type Status } from './schemas.ts';

/** Of the library's own: gauges that are named like counters. */
const MISNAMED = [
  'nodejs_active_handles_total',
  'nodejs_active_requests_total',
  'nodejs_active_resources_total',
];

const STATES = creatorStatusSchema.shape.state.options;
const HELD_BY = statusSchema.shape.recordings.shape.heldBy.unwrap().options;

export class Metrics {
  readonly #daemon: DaemonView;
  readonly #registry = new Registry();
  /** Brought up to date at each scrape. */
  readonly #readings: ((status: Status, creators: readonly CreatorStatus[]) => void)[] = [];
  readonly #onEvent: (event: LivestowEvent) => void;

  constructor(daemon: DaemonView, version: string, readers: () => number) {
    this.#daemon = daemon;
    collectDefaultMetrics({ register: this.#registry });
    for (const name of MISNAMED) this.#registry.removeSingleMetric(name);
    const build = this.#gauge('livestow_build_info', 'Always 1; the version is a label.', ['version']);
    build.set({ version }, 1);
    this.#ofTheDaemon(readers);
    this.#ofCreators();
    this.#ofJobs();
    this.#ofWebhooks();
    this.#onEvent = this.#ofEvents();
    for (const event of daemon.events.since(0)) this.#onEvent(event);
    daemon.events.on('event', this.#onEvent);
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  async text(): Promise<string> {
    const [status, creators] = [await this.#daemon.status(), this.#daemon.creatorStatuses()];
    for (const read of this.#readings) read(status, creators);
    return this.#registry.metrics();
  }

  close(): void {
    this.#daemon.events.off('event', this.#onEvent);
    this.#registry.clear();
  }

  #ofTheDaemon(readers: () => number): void {
    this.#reading('livestow_ending', 'Whether it ships what is left before it ends.', ({ isEnding }) =>
      Number(isEnding),
    );
    this.#reading(
      'livestow_credits_spent_today',
      'Credits that looks cost since midnight UTC.',
      ({ credits }) => credits.spentToday,
    );
    this.#reading(
      'livestow_credits_per_day',
      'Credits that looks may cost in a day; +Inf without a limit.',
      ({ credits }) => credits.perDay ?? Infinity,
    );
    this.#total(
      'livestow_credits_charged_total',
      'Credits that looks cost.',
      ({ credits }) => credits.charged,
    );
    this.#totals('livestow_looks_total', 'Looks, by what they found.', ({ looks: of }) => [
      ['live', of.live],
      ['offline', of.offline],
      ['not-found', of.notFound],
      ['failed', of.failed],
    ]);
    this.#reading(
      'livestow_recordings',
      'Broadcasts that are recorded now.',
      ({ recordings }) => recordings.running,
    );
    this.#reading(
      'livestow_recordings_waiting',
      'Creators that are live and not recorded for want of a place.',
      ({ recordings }) => recordings.waiting,
    );
    this.#reading(
      'livestow_recordings_limit',
      'Broadcasts that may be recorded at once; +Inf without a limit.',
      ({ recordings }) => recordings.most ?? Infinity,
    );
    const held = this.#gauge(
      'livestow_recordings_held',
      'Whether creators wait for this limit: of places, of bandwidth or of CPU.',
      ['by'],
    );
    this.#readings.push(({ recordings: { heldBy } }) => {
      for (const by of HELD_BY) held.set({ by }, Number(heldBy === by));
    });
    this.#total(
      'livestow_received_bytes_total',
      'Bytes of media that came.',
      ({ recordings }) => recordings.receivedBytes,
    );
    this.#reading(
      'livestow_download_limit_bytes',
      'Bytes that recordings may receive in a second; +Inf without a limit.',
      ({ load }) => load.downloadBytesPerSecond.most ?? Infinity,
    );
    this.#reading(
      'livestow_upload_limit_bytes',
      'Bytes that may go up to stores in a second; +Inf without a limit.',
      ({ load }) => load.uploadBytesPerSecond.most ?? Infinity,
    );
    this.#reading(
      'livestow_cpu_ratio',
      'How much of all cores is in use; NaN when nothing has a limit.',
      ({ load }) => load.cpuShare.used ?? Number.NaN,
    );
    this.#reading(
      'livestow_cpu_limit_ratio',
      'How much of all cores may be in use for another recording to begin; +Inf without a limit.',
      ({ load }) => load.cpuShare.most ?? Infinity,
    );
    this.#reading('livestow_uploads', 'Objects on their way to the store.', ({ uploads }) => uploads.running);
    this.#reading(
      'livestow_uploads_waiting',
      'Objects that wait for their way to the store.',
      ({ uploads }) => uploads.waiting,
    );
    this.#reading(
      'livestow_store_up',
      'Whether the store takes objects; 0: it fails again and again.',
      ({ uploads }) => Number(uploads.storeTakes),
    );
    this.#total(
      'livestow_shipped_objects_total',
      'Media files that were verified in the store.',
      ({ uploads }) => uploads.shippedObjects,
    );
    this.#total(
      'livestow_shipped_bytes_total',
      'Bytes of media that were verified in the store.',
      ({ uploads }) => uploads.shippedBytes,
    );
    this.#reading('livestow_spool_bytes', 'What lies in the spool.', ({ spool }) => spool.bytes);
    this.#reading(
      'livestow_spool_free_bytes',
      "Room on the spool's disk.",
      ({ spool }) => spool.freeBytes ?? Number.NaN,
    );
    this.#reading(
      'livestow_spool_reserve_bytes',
      "Room on the spool's disk that recording leaves free.",
      ({ spool }) => spool.reserveBytes,
    );
    this.#reading('livestow_event_streams', 'Readers of the stream of events.', readers);
  }

  #ofCreators(): void {
    const states = this.#gauge('livestow_creators', 'Creators in each state.', ['state']);
    this.#readings.push(({ creators }) => {
      for (const state of STATES) states.set({ state }, creators[state] ?? 0);
    });
    this.#each('livestow_creator_recording', 'Whether it is recorded.', ({ recording }) =>
      Number(recording !== null),
    );
    this.#each(
      'livestow_creator_next_look_timestamp_seconds',
      'When it is looked at next; absent when nobody can say.',
      ({ nextLookAt }) => nextLookAt && Date.parse(nextLookAt) / 1_000,
    );
    this.#each(
      'livestow_creator_recorded_seconds',
      'Length of the recording that goes on.',
      ({ recording }) => recording && recording.recordedMs / 1_000,
    );
    this.#each(
      'livestow_creator_recording_gaps',
      'Gaps of the recording that goes on.',
      ({ recording }) => recording && recording.gaps,
    );
    this.#each(
      'livestow_creator_unshipped_bytes',
      'Of the recording that goes on, what is not in the store yet.',
      ({ recording }) => recording && Math.max(0, recording.bytes - recording.shippedBytes),
    );
  }

  #ofJobs(): void {
    const running = this.#gauge('livestow_jobs_running', 'Jobs that run, by kind.', ['kind']);
    const success = this.#gauge(
      'livestow_job_last_success_timestamp_seconds',
      'When a job was last done in full, by its name in the config file; absent when it never was.',
      ['name', 'kind'],
    );
    this.#readings.push(({ jobs }) => {
      for (const kind of JOB_KINDS)
        running.set({ kind }, jobs.filter((job) => job.isRunning && job.kind === kind).length);
      success.reset();
      for (const { job: name, kind, lastDoneAt } of jobs)
        if (lastDoneAt !== null) success.set({ name, kind }, Date.parse(lastDoneAt) / 1_000);
    });
  }

  #ofWebhooks(): void {
    this.#reading(
      'livestow_webhook_messages_waiting',
      'Messages that wait for their webhook to take them.',
      ({ webhooks }) => webhooks.waiting,
    );
    this.#totals(
      'livestow_webhook_messages_total',
      'Messages to webhooks, by what became of them.',
      ({ webhooks: of }) => [
        ['delivered', of.delivered],
        ['refused', of.refused],
        ['given-up', of.givenUp],
        ['dropped', of.dropped],
      ],
    );
  }

  #ofEvents(): (event: LivestowEvent) => void {
    const recordings = this.#counter('livestow_recordings_total', 'Recordings that began.');
    const sealed = this.#counter('livestow_sessions_sealed_total', 'Sessions that were sealed.');
    const sealedSeconds = this.#counter('livestow_sealed_seconds_total', 'Length of the sealed sessions.');
    const gaps = this.#counter('livestow_gaps_total', 'Gaps in recordings, by cause.', ['cause']);
    const missing = this.#counter('livestow_gap_seconds_total', 'Length of the gaps, by cause.', ['cause']);
    for (const cause of Object.keys(GAP_CAUSES)) {
      gaps.inc({ cause }, 0);
      missing.inc({ cause }, 0);
    }
    const errors = this.#counter('livestow_errors_total', 'Failures of watching, by code.', ['code']);
    const runs = this.#counter('livestow_job_runs_total', 'Runs of jobs, by kind and by how they ended.', [
      'kind',
      'outcome',
    ]);
    for (const kind of JOB_KINDS)
      for (const outcome of jobOutcomeSchema.options) runs.inc({ kind, outcome }, 0);
    const reloads = this.#counter('livestow_config_reloads_total', 'Times that the config was read again.', [
      'outcome',
    ]);
    for (const outcome of ['reloaded', 'refused']) reloads.inc({ outcome }, 0);
    return (event) => {
      if (event.type === 'recording') recordings.inc();
      if (event.type === 'sealed') {
        sealed.inc();
        sealedSeconds.inc(event.recordedMs / 1_000);
      }
      if (event.type === 'gap') {
        gaps.inc({ cause: event.cause });
        missing.inc({ cause: event.cause }, event.ms / 1_000);
      }
      if (event.type === 'failed') errors.inc({ code: event.code });
      if (event.type === 'job' && event.outcome !== 'started')
        runs.inc({ kind: event.kind, outcome: event.outcome });
      if (event.type === 'config') reloads.inc({ outcome: event.outcome });
    };
  }

  #gauge<Label extends string>(name: string, help: string, labelNames: Label[] = []): Gauge<Label> {
    return new Gauge({ name, help, labelNames, registers: [this.#registry] });
  }

  #counter<Label extends string>(name: string, help: string, labelNames: Label[] = []): Counter<Label> {
    return new Counter({ name, help, labelNames, registers: [this.#registry] });
  }

  #reading(name: string, help: string, read: (status: Status) => number): void {
    const gauge = this.#gauge(name, help);
    this.#readings.push((status) => gauge.set(read(status)));
  }

  /** Counted elsewhere, since the start. */
  #total(name: string, help: string, read: (status: Status) => number): void {
    const counter = this.#counter(name, help);
    this.#readings.push((status) => {
      counter.reset();
      counter.inc(read(status));
    });
  }

  /** By outcome. */
  #totals(
    name: string,
    help: string,
    read: (status: Status) => readonly (readonly [outcome: string, total: number])[],
  ): void {
    const counter = this.#counter(name, help, ['outcome']);
    this.#readings.push((status) => {
      counter.reset();
      for (const [outcome, total] of read(status)) counter.inc({ outcome }, total);
    });
  }

  #each(name: string, help: string, read: (creator: CreatorStatus) => number | '' | null): void {
    const gauge = this.#gauge(name, help, ['handle']);
    this.#readings.push((_status, creators) => {
      gauge.reset();
      for (const creator of creators) {
        const value = read(creator);
        if (typeof value === 'number') gauge.set({ handle: creator.handle }, value);
      }
    });
  }
}
