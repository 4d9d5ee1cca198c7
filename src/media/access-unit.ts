/**
 * Pictures as MPEG-TS has them (Annex B, parameter sets in the stream) made into pictures as FLV and MP4 have them
 * (length-prefixed, parameter sets in a record of their own).
 */
import { isLivestowError } from '../kernel/errors.ts';
import { avcConfigOfRecord, buildAvcRecord, kindOfAvcNal } from './avc.ts';
import { buildHevcRecord, hevcConfigOfRecord, kindOfHevcNal } from './hevc.ts';
import { lengthPrefixed, type NalKind } from './nal.ts';
import type { VideoConfig } from './packet.ts';

export interface AccessUnit {
  /** Length-prefixed, without parameter sets and delimiters; empty when there is no coded picture in it. */
  data: Buffer;
  key: boolean;
  /** Those in this unit, as they came. */
  sets: ParameterSets;
}

export interface ParameterSets {
  vps: Buffer[];
  sps: Buffer[];
  pps: Buffer[];
}

type Codec = VideoConfig['codec'];

const kindOfNal = (codec: Codec, nal: Buffer): NalKind =>
  codec === 'h265' ? kindOfHevcNal(nal) : kindOfAvcNal(nal);

/** Groups of NAL units that begin at a delimiter, once there is a picture before it. */
export function splitAtDelimiters(codec: Codec, nals: readonly Buffer[]): Buffer[][] {
  const groups: Buffer[][] = [];
  let group: Buffer[] = [];
  let hasPicture = false;
  for (const nal of nals) {
    const kind = kindOfNal(codec, nal);
    if (kind === 'aud' && hasPicture) {
      groups.push(group);
      group = [];
      hasPicture = false;
    }
    hasPicture ||= kind === 'key' || kind === 'picture';
    group.push(nal);
  }
  if (group.length > 0) {
    groups.push(group);
  }
  return groups;
}

/** One access unit. Payloads are copied: the framing changes. */
export function accessUnitOfNals(codec: Codec, nals: readonly Buffer[]): AccessUnit {
  const sets: ParameterSets = { vps: [], sps: [], pps: [] };
  const kept: Buffer[] = [];
  let key = false;
  let hasPicture = false;
  for (const nal of nals) {
    const kind = kindOfNal(codec, nal);
    switch (kind) {
      case 'vps':
      case 'sps':
      case 'pps':
        sets[kind].push(nal);
        break;
      case 'aud':
        break;
      case 'key':
      case 'picture':
      case 'other':
        key ||= kind === 'key';
        hasPicture ||= kind !== 'other';
        kept.push(nal);
        break;
    }
  }
  return { data: hasPicture ? lengthPrefixed(kept) : Buffer.alloc(0), key, sets };
}

/** Follows the parameter sets of a stream and says when its configuration is another one. */
export class ParameterSetFollower {
  readonly #codec: Codec;
  #sets: ParameterSets = { vps: [], sps: [], pps: [] };
  #record: Buffer | undefined;

  constructor(codec: Codec) {
    this.#codec = codec;
  }

  /** Whether there was a configuration yet. */
  get known(): boolean {
    return this.#record !== undefined;
  }

  /** The configuration from this unit on, if it is not the one before. Sets that cannot be read change nothing. */
  next(sets: ParameterSets): VideoConfig | undefined {
    const { vps, sps, pps } = sets;
    if (vps.length + sps.length + pps.length === 0) {
      return undefined;
    }
    // A new SPS begins a new set of PPS, if any came with it; PPS alone take the place of the ones before.
    this.#sets = {
      vps: vps.length > 0 ? distinct(vps) : this.#sets.vps,
      sps: sps.length > 0 ? distinct(sps) : this.#sets.sps,
      pps: pps.length > 0 ? distinct(pps) : this.#sets.pps,
    };
    const config = this.#config();
    if (!config || this.#record?.equals(config.record)) {
      return undefined;
    }
    this.#record = config.record;
    return config;
  }

  #config(): VideoConfig | undefined {
    const { vps, sps, pps } = this.#sets;
    try {
      return this.#codec === 'h265'
        ? hevcConfigOfRecord(buildHevcRecord(vps, sps, pps))
        : avcConfigOfRecord(buildAvcRecord(sps, pps));
    } catch (error) {
      if (isLivestowError(error)) {
        return undefined;
      }
      throw error;
    }
  }
}

const distinct = (nals: readonly Buffer[]): Buffer[] =>
  nals.filter((nal, i) => nals.findIndex((other) => other.equals(nal)) === i).map((nal) => Buffer.from(nal));
