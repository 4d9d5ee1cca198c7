/**
 * Writes one term of a session: takes what the time line gives, keeps one epoch recorder at a time, and turns closed
 * segments, gaps and events into journal entries in the spool. It does not know where media comes from.
 */
import type { Clock } from '../kernel/clock.ts';
import { hasNoRoom } from '../kernel/files.ts';
import type { Logger } from '../kernel/logger.ts';
import type { EpochItem, GapItem, Timeline, TimelineItem } from '../ingest/timeline.ts';
import type { MediaPacket } from '../media/packet.ts';
import type { GapCause } from '../model/causes.ts';
import type { Container, Epoch, Gap, JournalEntry } from '../model/manifest.ts';
import type { VariantLabel } from '../model/variant.ts';
import type { SessionSpool } from '../spool/session-spool.ts';
import { KEPT_MS, removeTail } from '../spool/tail.ts';
import { TailWriter } from '../spool/tail-writer.ts';
import type { ClosedInit, ClosedSegment, Engine, EpochSpec } from './engine.ts';
import { EpochRecorder } from './epoch-recorder.ts';
import { nothingRecorded, type RecordingProgress } from './recording-progress.ts';
import { epochOf, lostMsOf, segmentEntry, segmentOf } from './journal-entries.ts';
import { TermGaps } from './term-gaps.ts';
import { TermJournal } from './term-journal.ts';
import type { Withheld } from './withheld.ts';

/** Each has a process of its own: a stream that changes with every picture must not have them by the hundred. */
const EPOCHS_ENDING_MOST = 3;
/** Times are rounded on the way; less than a picture lasts. */
const ROUNDING_MS = 5;

export interface SessionRecordingDeps {
  spool: SessionSpool;
  timeline: Timeline;
  clock: Clock;
  log: Logger;
  term: number;
  /** Of the session's first epoch, when an earlier term had one. */
  container: Container | null;
  /** Where media could first have been: the room's start, or the end of the earlier terms' last picture. */
  mediaDueSinceMs: number | null;
  /** Key of the earlier terms' last segment. */
  lastSegmentKey: string | null;
  /** When the disk had no room in earlier terms, since media came last. */
  withheldBefore: readonly Withheld[];
  /** Gaps that earlier terms have told. */
  told: readonly Gap[];
  segmentDurationMs: number;
  engineFor: (spec: EpochSpec, variant: VariantLabel) => Engine;
  /** Told of each gap once it is journaled. */
  onGap?: (gap: Gap) => void;
  /** Ends the waiting for a disk that cannot be written. */
  signal: AbortSignal;
}

interface CurrentEpoch {
  recorder: EpochRecorder;
  epoch: Epoch;
  /** The epoch stands in the journal. */
  announced: boolean;
  /** Not journaled before the segment that they follow. */
  gaps: GapItem[];
  /** What follows from its closed files, in order, behind everything of the epochs before it. */
  chain: Promise<void>;
}

export class SessionRecording {
  readonly progress: RecordingProgress = nothingRecorded();
  readonly #deps: SessionRecordingDeps;
  readonly #tail: TailWriter;
  readonly #journal: TermJournal;
  #container: Container | null;
  #epoch: CurrentEpoch | null = null;
  #epochs = 0;
  #lastCodec: Epoch['codec'] = 'none';
  readonly #gaps: TermGaps;
  #lastPictureMs: number | null = null;
  #resumedUpToMs: number | null = null;
  /** Sound up to here is in the epoch before, though it goes back: it may lie behind the keyframe that ends that. */
  #soundUpToMs = -Infinity;
  /** Engines that close their last segment while the next epoch is recorded. */
  readonly #ending = new Set<Promise<void>>();
  /** Ends of epochs, and journal entries that belong to none, in order. */
  #closing: Promise<void> = Promise.resolve();
  #failure: { error: unknown } | null = null;

  constructor(deps: SessionRecordingDeps) {
    this.#deps = deps;
    this.#container = deps.container;
    this.#gaps = new TermGaps(deps);
    this.#journal = new TermJournal({
      ...deps,
      onGap: (gap) => {
        this.progress.gaps += 1;
        deps.onGap?.(gap);
      },
    });
    this.#tail = new TailWriter(deps.spool.tailFolder, deps.term, (error) => {
      deps.log.error(
        { err: error },
        'the raw tail cannot be written: a crash now would lose the open segment',
      );
    });
  }

  /** Of the epoch being recorded, for a ranking that keeps to it. */
  get codec(): 'h264' | 'h265' | null {
    const codec = this.#epoch?.epoch.codec ?? this.#lastCodec;
    return codec === 'none' ? null : codec;
  }

  /** UTC milliseconds of the end of the last picture in a closed segment. */
  get lastPictureMs(): number | null {
    return this.#lastPictureMs;
  }

  /**
   * The time line goes on where an earlier term's tail ends, so that it notes what is missing behind that itself. The
   * tail goes once what lies before `dtsMs` is closed here, and this term's own is long enough.
   */
  resumedUpTo(dtsMs: number): void {
    this.#gaps.goOn();
    this.#resumedUpToMs = dtsMs;
  }

  /** Takes what the time line gave for one network read. Resolves when more may come (back-pressure). */
  async take(items: readonly TimelineItem[], variant: VariantLabel): Promise<void> {
    if (this.#failure) throw this.#failure.error;
    let batch: MediaPacket[] = [];
    const write = async (): Promise<void> => {
      const packets = batch;
      batch = [];
      if (packets.length === 0) return;
      if (!this.#epoch) throw new Error('media without an epoch');
      await this.#epoch.recorder.write(packets);
    };
    for (const item of items) {
      switch (item.kind) {
        case 'audio':
          if (item.dtsMs > this.#soundUpToMs) batch.push(item);
          break;
        case 'video':
          batch.push(item);
          break;
        case 'epoch':
          await write();
          await this.#beginEpoch(item, variant);
          break;
        case 'gap':
          if (this.#epoch) this.#epoch.gaps.push(item);
          else
            this.#then(() => this.#journal.noteGaps(this.#gaps.between(item.fromMs, item.toMs, item.cause)));
          break;
        case 'event':
          this.event(item.event, item.detail);
          break;
      }
    }
    await write();
  }

  event(event: string, detail: Extract<JournalEntry, { type: 'event' }>['detail'] = {}): void {
    this.#deps.log.info({ event, ...detail }, event);
    this.#note({ type: 'event', at: this.#journal.now, event, detail });
  }

  /** Journals an entry after everything that was taken before it. */
  note(entry: JournalEntry): void {
    this.#note(entry);
  }

  /**
   * There is no room for media.
   * @param cutMedia some came until now
   */
  withhold(cutMedia: boolean): void {
    this.#gaps.withhold(this.#deps.clock.now(), cutMedia);
  }

  /** For want of room no media is taken for now: closes what is open, so that it is shipped. */
  async pause(): Promise<void> {
    this.withhold(false);
    const current = this.#epoch;
    if (!current) return;
    await current.recorder.pause();
    // Not waited for: that may need room, and an end is to be seen meanwhile.
    this.#follow(current, () => this.#journal.persist(() => this.#deps.spool.cutJournal()));
  }

  /**
   * No more media: closes the last segment.
   * @param withheldUntilMs to when media was there and not taken, for want of room
   */
  async end(withheldUntilMs: number | null = null): Promise<void> {
    void this.#endEpoch((recorder) => recorder.end());
    this.#then(() =>
      this.#journal.noteGaps(this.#gaps.end(this.#deps.clock.now(), withheldUntilMs, this.#lastPictureMs)),
    );
    await this.#finish();
  }

  /** No more media in this term: what no keyframe ends stays in the tail, for the next one. */
  async drain(): Promise<void> {
    void this.#endEpoch((recorder) => recorder.endAtKeyframe());
    await this.#finish();
  }

  /** Gives up at once; what is in no closed segment stays in the tail. Never rejects. */
  async abandon(): Promise<void> {
    void this.#endEpoch((recorder) => recorder.abort());
    await this.#closing;
    await this.#tail.close();
  }

  async #finish(): Promise<void> {
    await this.#closing;
    await this.#tail.close();
    if (this.#failure) throw this.#failure.error;
  }

  async #beginEpoch(item: EpochItem, variant: VariantLabel): Promise<void> {
    await this.#endBefore(item);
    while (this.#ending.size >= EPOCHS_ENDING_MOST) await Promise.race(this.#ending);
    const { spool, term, segmentDurationMs, engineFor } = this.#deps;
    this.#container ??= item.video?.codec === 'h265' ? 'fmp4' : 'mpegts';
    this.#epochs += 1;
    const epoch = epochOf(item, { term, epoch: this.#epochs, container: this.#container }, variant);
    const engineFolder = await this.#journal.persist(() => spool.engineFolder(term, epoch.epoch));
    const spec: EpochSpec = {
      term,
      epoch: this.#epochs,
      video: item.video,
      audio: item.audio,
      container: this.#container,
      segmentDurationMs,
      folder: engineFolder,
      firstSegment: 1,
    };
    const recorder = new EpochRecorder(spec, {
      engine: engineFor(spec, variant),
      tail: this.#tail,
      variant,
      log: this.#deps.log,
      clock: this.#deps.clock,
      tailState: () => this.#deps.timeline.state,
      onInit: (init) => this.#follow(current, () => this.#addInit(current, init)),
      onSegment: (segment, lossCause) =>
        this.#follow(current, () => this.#addSegment(current, segment, lossCause)),
      onLost: (fromDtsMs, toDtsMs, cause) =>
        this.#follow(current, () => this.#noteLost(current, fromDtsMs, toDtsMs, cause)),
      onEngineDied: (reason) => this.event('engine-died', { epoch: spec.epoch, reason }),
      signal: this.#deps.signal,
    });
    const current: CurrentEpoch = { recorder, epoch, announced: false, gaps: [], chain: this.#closing };
    this.#epoch = current;
    this.#lastCodec = epoch.codec;
    this.progress.width = epoch.width;
    this.progress.height = epoch.height;
    const { codec, width, height } = epoch;
    this.event('epoch', { epoch: spec.epoch, codec, width, height, ...variant });
  }

  async #endBefore({ backToDtsMs }: EpochItem): Promise<void> {
    if (backToDtsMs === null) {
      this.#soundUpToMs = -Infinity;
      void this.#endEpoch((recorder) => recorder.end());
      return;
    }
    const ending = this.#epoch;
    // What the old quality lacks behind that keyframe, the new one may bring.
    const wallMs = this.#deps.timeline.wallOf(backToDtsMs);
    if (ending) ending.gaps = ending.gaps.filter(({ fromMs }) => fromMs < wallMs);
    await this.#endEpoch((recorder) => recorder.endAtKeyframe(backToDtsMs));
    // An epoch that went back before it had a segment leaves the sound of the one before it.
    if (ending) this.#soundUpToMs = Math.max(this.#soundUpToMs, ending.recorder.soundUpToMs);
  }

  /** Resolves when its last segment is closed; what follows from that comes later, in order. */
  async #endEpoch(end: (recorder: EpochRecorder) => Promise<void>): Promise<void> {
    const ending = this.#epoch;
    this.#epoch = null;
    if (!ending) return;
    const ended = end(ending.recorder)
      .catch((error: unknown) => this.#fail(error))
      .finally(() => this.#ending.delete(ended));
    this.#ending.add(ended);
    this.#then(async () => {
      await ended;
      await ending.chain;
      await this.#journal.noteGaps(
        ending.gaps.flatMap(({ fromMs, toMs, cause }) => this.#gaps.between(fromMs, toMs, cause)),
      );
      await this.#journal.persist(() => this.#deps.spool.cutJournal());
    });
    await ended;
  }

  /** No engine survived this media. */
  async #noteLost(current: CurrentEpoch, fromDtsMs: number, toDtsMs: number, cause: GapCause): Promise<void> {
    const fromMs = this.#deps.timeline.wallOf(fromDtsMs);
    const head = this.#gaps.head(fromMs, current.epoch.variant.protocol);
    await this.#journal.noteGaps([
      ...head,
      ...this.#gaps.between(fromMs, fromMs + toDtsMs - fromDtsMs, cause),
    ]);
  }

  async #addInit(current: CurrentEpoch, init: ClosedInit): Promise<void> {
    current.epoch = { ...current.epoch, initBytes: init.bytes, initSha256: init.sha256 };
    await this.#announce(current, init);
  }

  async #announce(current: CurrentEpoch, init: ClosedInit | null): Promise<void> {
    if (current.announced || !this.#container) return;
    current.announced = true;
    const entry: JournalEntry = {
      type: 'epoch',
      at: this.#journal.now,
      container: this.#container,
      epoch: current.epoch,
    };
    const key = current.epoch.init;
    if (init === null || key === null) await this.#journal.append(entry);
    else
      await this.#journal.persist(
        async () => void (await this.#deps.spool.addObject(init.path, { ...init, key }, entry)),
      );
  }

  /** What is missing before a segment, within it or at its end is journaled with it: no crash comes in between. */
  async #addSegment(current: CurrentEpoch, closed: ClosedSegment, lossCause: GapCause): Promise<void> {
    const { term, timeline, spool } = this.#deps;
    await this.#announce(current, null);
    const startsAtMs = timeline.wallOf(closed.firstDtsMs);
    const place = { term, epoch: current.epoch.epoch, container: this.#container ?? 'mpegts' } as const;
    const segment = segmentOf(closed, place, startsAtMs);
    const { key } = segment;
    const endsAtMs = startsAtMs + segment.durationMs;
    this.#lastPictureMs = endsAtMs;
    const head = this.#gaps.head(startsAtMs, current.epoch.variant.protocol);
    const within = current.gaps.filter(({ fromMs }) => fromMs <= endsAtMs + ROUNDING_MS);
    const behind = within.flatMap(({ fromMs, toMs, cause }) => this.#gaps.between(fromMs, toMs, cause, key));
    const entries = [...this.#journal.entriesOf(head), segmentEntry(segment, closed, this.#journal.now)];
    const lostMs = lostMsOf(closed);
    if (lostMs > 0) {
      const detail = { key, fed: closed.fedPictures, written: closed.pictures };
      entries.push({ type: 'event', at: this.#journal.now, event: 'engine-lost', detail });
      const cause = (await hasNoRoom(spool.folder)) ? 'disk-full' : lossCause;
      behind.unshift(...this.#gaps.between(endsAtMs - lostMs, endsAtMs, cause, key));
    }
    entries.push(...this.#journal.entriesOf(behind));
    if (!(await this.#journal.persist(() => spool.addObject(closed.path, segment, ...entries)))) {
      await this.#journal.noteGaps([...head, ...this.#gaps.between(startsAtMs, endsAtMs, 'lost-locally')]);
      return;
    }
    this.#journal.tell([...head, ...behind]);
    current.gaps = current.gaps.filter((gap) => !within.includes(gap));
    this.#gaps.segmentClosed(key, startsAtMs);
    this.progress.recordedMs += segment.durationMs;
    this.progress.bytes += segment.bytes;
    this.progress.segments += 1;
    // The first segment makes the session visible in the store; later ones wait for the journal's own rhythm.
    if (this.progress.segments === 1) await this.#journal.persist(() => spool.cutJournal());
    await this.#tail.closedUpTo(closed.lastDtsMs);
    if (this.#resumedUpToMs !== null && closed.lastDtsMs >= this.#resumedUpToMs + KEPT_MS) {
      this.#resumedUpToMs = null;
      await this.#journal.persist(() => removeTail(spool.tailFolder, term));
    }
  }

  /** Queues what follows from a file that an engine has closed. */
  #follow(current: CurrentEpoch, step: () => Promise<void>): void {
    current.chain = current.chain.then(step).catch((error: unknown) => this.#fail(error));
  }

  #note(entry: JournalEntry): void {
    this.#then(() => this.#journal.append(entry));
  }

  #then(step: () => Promise<void>): void {
    this.#closing = this.#closing.then(step).catch((error: unknown) => this.#fail(error));
  }

  #fail(error: unknown): void {
    // What follows from the first failure says nothing new.
    this.#deps.log[this.#failure ? 'debug' : 'error']({ err: error }, 'recording failed');
    this.#failure ??= { error };
  }
}
