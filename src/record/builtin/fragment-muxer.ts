/** Packets to fragments of MP4: each is counted in its own bytes, and no sample is copied. */
import { parseAudioSpecificConfig } from '../../media/aac.ts';
import { censusOfFragment, type Fmp4Track } from '../../media/fmp4.ts';
import { fragmentBuffers, type Mp4Run, type Mp4Sample } from '../../media/fmp4-fragment.ts';
import type { AudioConfig, AudioPacket, MediaPacket, VideoPacket } from '../../media/packet.ts';
import { FragmentCount } from '../fragment-count.ts';
import type { SegmentContent, SegmentMuxer } from './segment-muxer.ts';
import { SoundClock } from './sound-clock.ts';

interface Frame {
  ms: number;
  data: Buffer;
}

export class FragmentMuxer implements SegmentMuxer {
  readonly #tracks: readonly Fmp4Track[];
  readonly #video: Fmp4Track | undefined;
  readonly #audio: Fmp4Track | undefined;
  readonly #frameMs: number;
  readonly #clock: SoundClock;
  #sequence = 0;
  #pictures: VideoPacket[] = [];
  #frames: Frame[] = [];
  #count = new FragmentCount();

  /** @param tracks as the init segment has them */
  constructor(tracks: readonly Fmp4Track[], audio: AudioConfig | null) {
    this.#tracks = tracks;
    this.#video = tracks.find(({ kind }) => kind === 'video');
    this.#audio = tracks.find(({ kind }) => kind === 'audio');
    this.#frameMs = audio ? parseAudioSpecificConfig(audio.record).frameDurationMs : 0;
    this.#clock = new SoundClock(this.#frameMs);
  }

  add(packet: MediaPacket): void {
    if (packet.kind === 'video') this.#pictures.push(packet);
    else this.#addFrame(packet);
  }

  #addFrame({ dtsMs, data }: AudioPacket): void {
    this.#frames.push({ ms: this.#clock.place(dtsMs).ms, data });
  }

  drain(nextPictureMs: number | undefined): Buffer[] {
    const runs = [this.#pictureRun(nextPictureMs), this.#soundRun()].filter((run) => run !== undefined);
    if (runs.length === 0) return [];
    this.#sequence += 1;
    const buffers = fragmentBuffers(this.#sequence, runs);
    this.#count.add(censusOfFragment(buffers[0]!, this.#tracks));
    return buffers;
  }

  endSegment(): SegmentContent {
    const content = this.#count.result(this.#tracks);
    this.#count = new FragmentCount();
    return content;
  }

  #pictureRun(nextPictureMs: number | undefined): Mp4Run | undefined {
    const pictures = this.#pictures;
    this.#pictures = nextPictureMs === undefined ? pictures.splice(-1) : [];
    const [first] = pictures;
    if (!this.#video || !first) return undefined;
    const { id, timescale } = this.#video;
    const endMs = nextPictureMs ?? this.#pictures[0]!.dtsMs;
    let tick = ticksOf(first.dtsMs, timescale);
    const baseTick = tick;
    const samples = pictures.map(({ compositionMs, key, data }, at): Mp4Sample => {
      // What goes back in time has no place in a run; the next fragment has its own time again.
      const next = Math.max(tick, ticksOf(pictures[at + 1]?.dtsMs ?? endMs, timescale));
      const durationTicks = next - tick;
      tick = next;
      return { durationTicks, compositionTicks: Math.round((compositionMs * timescale) / 1000), key, data };
    });
    return { trackId: id, kind: 'video', baseTick, samples };
  }

  #soundRun(): Mp4Run | undefined {
    const frames = this.#frames;
    this.#frames = [];
    const [first] = frames;
    if (!this.#audio || !first) return undefined;
    const { id, timescale } = this.#audio;
    let tick = ticksOf(first.ms, timescale);
    const baseTick = tick;
    const samples = frames.map(({ ms, data }, at): Mp4Sample => {
      const next = Math.max(tick, ticksOf(frames[at + 1]?.ms ?? ms + this.#frameMs, timescale));
      const durationTicks = next - tick;
      tick = next;
      return { durationTicks, compositionTicks: 0, key: true, data };
    });
    return { trackId: id, kind: 'audio', baseTick, samples };
  }
}

const ticksOf = (ms: number, timescale: number): number => Math.max(0, Math.round((ms * timescale) / 1000));
