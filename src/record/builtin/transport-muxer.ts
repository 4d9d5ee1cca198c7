/** Packets to MPEG-TS: each segment begins with the tables, and its keyframes with their parameter sets. */
import { AdtsFraming, parseAudioSpecificConfig } from '../../media/aac.ts';
import { AnnexBFraming } from '../../media/annex-b.ts';
import type { AudioConfig, AudioPacket, MediaPacket, VideoConfig, VideoPacket } from '../../media/packet.ts';
import { TsCensusTaker } from '../../media/ts-census.ts';
import { TsWriter } from '../../media/ts-writer.ts';
import type { SegmentContent, SegmentMuxer } from './segment-muxer.ts';
import { SoundClock } from './sound-clock.ts';

/** Frames of sound share a PES packet, or a third of their bytes would be stuffing: so many bytes of them (as ffmpeg). */
const SOUND_BYTES = 2_930;
/** And so long, at low bitrates. */
const SOUND_MS = 300;

interface SoundGroup {
  ms: number;
  parts: Buffer[];
  bytes: number;
}

export class TransportMuxer implements SegmentMuxer {
  readonly #writer: TsWriter;
  readonly #framing: AnnexBFraming | undefined;
  readonly #adts: AdtsFraming | undefined;
  readonly #clock: SoundClock;
  #sound: SoundGroup | undefined;
  #segmentBegun = false;
  #census = new TsCensusTaker();

  /** Throws MEDIA_UNSUPPORTED when MPEG-TS cannot hold what the configurations say. */
  constructor({ video, audio }: { video: VideoConfig | null; audio: AudioConfig | null }) {
    this.#writer = new TsWriter({ video: video?.codec ?? null, sound: audio !== null });
    this.#framing = video ? new AnnexBFraming(video) : undefined;
    this.#adts = audio ? new AdtsFraming(audio.record) : undefined;
    this.#clock = new SoundClock(audio ? parseAudioSpecificConfig(audio.record).frameDurationMs : 0);
  }

  add(packet: MediaPacket): void {
    if (!this.#segmentBegun) this.#writer.writeTables();
    this.#segmentBegun = true;
    if (packet.kind === 'video') this.#addPicture(packet);
    else this.#addFrame(packet);
  }

  /** A picture's end needs no next one here. */
  drain(): Buffer[] {
    this.#writeSound();
    const bytes = this.#writer.taken();
    this.#census.push(bytes);
    return [bytes];
  }

  endSegment(): SegmentContent {
    const found = this.#census.finish();
    this.#census = new TsCensusTaker();
    this.#segmentBegun = false;
    const { codec, width, height, pictures, audioFrames, firstDtsMs, lastDtsMs } = found;
    return {
      pictures,
      audioFrames,
      firstDtsMs: firstDtsMs ?? 0,
      lastDtsMs: lastDtsMs ?? 0,
      video: codec === null ? undefined : { codec, width, height },
    };
  }

  #addPicture({ dtsMs, compositionMs, key, data }: VideoPacket): void {
    if (this.#sound && dtsMs - this.#sound.ms >= SOUND_MS) this.#writeSound();
    this.#writer.write({
      kind: 'video',
      ptsTicks: ticksOf(dtsMs + compositionMs),
      dtsTicks: ticksOf(dtsMs),
      key,
      data: this.#framing!.frame(data, key),
    });
  }

  #addFrame({ dtsMs, data }: AudioPacket): void {
    const { ms, joins } = this.#clock.place(dtsMs);
    // Only the first frame of a PES packet has a time of its own.
    if (this.#sound && (!joins || this.#sound.bytes + data.length > SOUND_BYTES)) this.#writeSound();
    this.#sound ??= { ms, parts: [], bytes: 0 };
    const parts = this.#adts!.frame(data);
    this.#sound.parts.push(...parts);
    this.#sound.bytes += parts[0].length + parts[1].length;
    if (ms - this.#sound.ms >= SOUND_MS) this.#writeSound();
  }

  #writeSound(): void {
    const sound = this.#sound;
    this.#sound = undefined;
    if (!sound) return;
    const ticks = ticksOf(sound.ms);
    const data = Buffer.concat(sound.parts, sound.bytes);
    this.#writer.write({ kind: 'audio', ptsTicks: ticks, dtsTicks: ticks, key: false, data });
  }
}

const ticksOf = (ms: number): number => Math.round(ms * 90);
