/**
 * The init segment of an fMP4 epoch, by mediabunny: sample entries and decoder configurations as browsers and players
 * accept them. The same tracks give the same bytes, whenever they are asked for.
 *
 * The fragments are not mediabunny's (1.61): it takes presentation times only and makes up decode times, refuses open
 * groups of pictures, cuts fragments at keyframes alone, waits for ever for sound that was announced and never comes, and
 * keeps a record of each sample as long as the file is open: 37 MB an hour (all of it measured).
 */
import type { AudioConfig, VideoConfig } from '../../media/packet.ts';
import { boxesIn, whole } from '../../media/mp4-boxes.ts';
import { parseAudioSpecificConfig } from '../../media/aac.ts';

/** Ticks a second: whole numbers for milliseconds and for what came by MPEG-TS. */
const PICTURE_TIMESCALE = 90_000;
/** Asked for, and written nowhere: the configuration records say it better. */
const CODEC_NAMES = { h264: 'avc1.64001f', h265: 'hvc1.1.6.L120.90', aac: 'mp4a.40.2' } as const;

export async function initSegment(tracks: {
  video: VideoConfig | null;
  audio: AudioConfig | null;
}): Promise<Buffer> {
  // Loaded by those who write fMP4 only: it is large.
  const { BufferTarget, EncodedAudioPacketSource, EncodedVideoPacketSource, Mp4OutputFormat, Output } =
    await import('mediabunny');
  const target = new BufferTarget();
  const output = new Output({ format: new Mp4OutputFormat({ fastStart: 'fragmented' }), target });
  const { video, audio } = tracks;
  if (video) {
    const source = new EncodedVideoPacketSource(video.codec === 'h265' ? 'hevc' : 'avc');
    output.addVideoTrack(source, {
      frameRate: PICTURE_TIMESCALE,
      decoderConfig: {
        codec: CODEC_NAMES[video.codec],
        codedWidth: video.width,
        codedHeight: video.height,
        description: video.record,
      },
    });
  }
  if (audio) {
    output.addAudioTrack(new EncodedAudioPacketSource('aac'), {
      decoderConfig: {
        codec: CODEC_NAMES.aac,
        // Times are counted in the core's samples: frames are whole numbers of them.
        sampleRate: parseAudioSpecificConfig(audio.record).coreSampleRate,
        numberOfChannels: audio.channels,
        description: audio.record,
      },
    });
  }
  await output.start();
  await output.finalize();
  const file = Buffer.from(target.buffer ?? new ArrayBuffer(0));
  const boxes = [...boxesIn(file, whole(file))];
  const moov = boxes.find(({ type }) => type === 'moov');
  const init = file.subarray(0, moov?.end ?? 0);
  forgetDates(init);
  return init;
}

const CONTAINERS = new Set(['moov', 'trak', 'mdia']);
const DATED = new Set(['mvhd', 'tkhd', 'mdhd']);

/** Sets the times of creation and change to zero, "unknown". */
function forgetDates(init: Buffer, parent = whole(init)): void {
  for (const box of boxesIn(init, parent)) {
    if (CONTAINERS.has(box.type)) forgetDates(init, box);
    if (DATED.has(box.type)) init.fill(0, box.from + 4, box.from + (init[box.from] === 1 ? 20 : 12));
  }
}
