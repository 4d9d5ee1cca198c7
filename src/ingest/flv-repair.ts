/**
 * The rules by which a stream of FLV tags becomes media: what is dropped, what is told, and what is a sign that bytes were
 * lost or altered. Damage ends the connection at once: the next one begins with the CDN's last group of pictures, so that
 * nothing is lost, while to go on would record garbage up to the next keyframe. What only the order of packets in time
 * tells (jumps, repetitions) is the time line's.
 */
import { LivestowError } from '../kernel/errors.ts';
import { unitOfFlvTag, type FlvUnit } from '../media/flv-units.ts';
import type { FlvTag } from '../media/flv.ts';
import { isWholeFraming } from '../media/nal.ts';
import { isConfig, type AudioConfig, type MediaUnit, type VideoConfig } from '../media/packet.ts';
import type { NoteDetail } from './source.ts';

/** Different oddities that are told, at most: a hostile stream must not fill the events. */
const MAX_NOTES = 16;
/** So many tags of pictures without one that can be read: it is another codec, and another variant may do. */
const UNREADABLE_MAX = 25;

export interface FlvNote {
  event: string;
  detail: NoteDetail;
}

export interface Mended {
  units: MediaUnit[];
  notes: FlvNote[];
  /** Ends the connection, behind the units. */
  damage: LivestowError | null;
}

export class FlvRepair {
  #noted = new Set<string>();
  #headers: { video: VideoConfig | null; audio: AudioConfig | null } = { video: null, audio: null };
  #packets = { video: 0, audio: 0 };
  #unreadable = 0;
  #ended = false;

  /** The encoder said that the stream is over, and nothing came behind that. */
  get ended(): boolean {
    return this.#ended;
  }

  take(tags: readonly FlvTag[]): Mended {
    const mended: Mended = { units: [], notes: [], damage: null };
    for (const tag of tags) {
      const unit = unitOfFlvTag(tag);
      if (unit) this.#takeUnit(unit, mended);
      if (mended.damage) break;
    }
    return mended;
  }

  #takeUnit(unit: FlvUnit, mended: Mended): void {
    switch (unit.kind) {
      case 'script': {
        const what = scriptName(unit.data);
        if (what !== 'onMetaData') this.#note(mended, 'script-data-dropped', { what });
        return;
      }
      case 'end':
        this.#ended = true;
        this.#note(mended, 'end-tag', {});
        return;
      case 'unsupported':
        mended.damage = this.#unsupported(unit, mended);
        return;
      case 'video':
      case 'audio':
        if (isConfig(unit)) this.#header(unit, mended);
        else if (unit.kind === 'video' && this.#isTorn(unit.data))
          mended.damage = damaged('a picture’s length does not fit what it holds');
        else {
          // An encoder that was restarted goes on behind its own end tag.
          this.#ended = false;
          this.#packets[unit.kind] += 1;
          mended.units.push(unit);
        }
    }
  }

  #header(config: VideoConfig | AudioConfig, mended: Mended): void {
    const { kind } = config;
    const known = this.#headers[kind];
    if (known?.codec === config.codec && known.record.equals(config.record)) {
      this.#note(mended, 'header-repeated', { kind });
      return;
    }
    if (kind === 'audio' && !known && this.#packets.audio > 0)
      this.#note(mended, 'late-sound-header', { frames: this.#packets.audio });
    this.#headers = { ...this.#headers, [kind]: config };
    mended.units.push(config);
  }

  /** Where it comes in the midst of what could be read, bytes were altered. */
  #unsupported({ of, what }: FlvUnit & { kind: 'unsupported' }, mended: Mended): LivestowError | null {
    if (this.#packets[of] > 0) return damaged(what);
    this.#note(mended, 'unsupported-dropped', { what });
    this.#unreadable += of === 'video' ? 1 : 0;
    return this.#unreadable < UNREADABLE_MAX
      ? null
      : new LivestowError('MEDIA_UNSUPPORTED', `the pictures of this stream can't be recorded: ${what}`, {
          hint: 'another variant of the same broadcast may do',
        });
  }

  #isTorn(picture: Buffer): boolean {
    const { video } = this.#headers;
    return video !== null && !isWholeFraming(picture, lengthSizeOf(video));
  }

  #note({ notes }: Mended, event: string, detail: NoteDetail): void {
    const name = `${event} ${String(detail['what'] ?? detail['kind'] ?? '')}`;
    if (this.#noted.has(name) || this.#noted.size >= MAX_NOTES) return;
    this.#noted.add(name);
    notes.push({ event, detail });
  }
}

/** Of the lengths before NAL units, in bytes (ISO/IEC 14496-15 5.3.3, 8.3.3). */
const lengthSizeOf = ({ codec, record }: VideoConfig): number =>
  ((record[codec === 'h264' ? 4 : 21] ?? 3) & 3) + 1;

/** AMF: a string marker, its length, the name of what follows. */
function scriptName(data: Buffer): string {
  if (data[0] !== 2 || data.length < 3) return 'script data without a name';
  return data.toString('utf8', 3, 3 + Math.min(64, data.readUInt16BE(1)));
}

const damaged = (what: string): LivestowError =>
  new LivestowError('MEDIA_NOT_MEDIA', `The stream is damaged: ${what}.`, { retryable: true });
