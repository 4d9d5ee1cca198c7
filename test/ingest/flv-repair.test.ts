/** The rules for a stream of FLV tags, one by one: what comes out, what is told, where an epoch or a gap is. */
import { expect, test } from 'vitest';
import { FlvRepair } from '../../src/ingest/flv-repair.ts';
import { Timeline, type TimelineItem } from '../../src/ingest/timeline.ts';
import { FlvTagReader, type FlvTag } from '../../src/media/flv.ts';
import { flvTagOfUnit } from '../../src/media/flv-units.ts';
import { avcConfigOfRecord, parseAvcRecord } from '../../src/media/avc.ts';
import { isConfig, type MediaPacket } from '../../src/media/packet.ts';
import { flv, flvUnits, pictures, sound } from './sources.ts';

const all = new FlvTagReader().push(flv);
const isHeader = ({ type, data }: FlvTag): boolean => type !== 18 && data[1] === 0;
const videoHeader = all.find((tag) => tag.type === 9 && isHeader(tag))!;
const audioHeader = all.find((tag) => tag.type === 8 && isHeader(tag))!;
const media = all.filter((tag) => tag.type !== 18 && tag.data[1] === 1);
/** A GOP is a second long. */
const gop = (from: number, to = from + 1): FlvTag[] =>
  media.filter(({ timestampMs }) => timestampMs >= from * 1_000 && timestampMs < to * 1_000);
const head = [videoHeader, audioHeader];
const later = (tags: readonly FlvTag[], byMs: number): FlvTag[] =>
  tags.map((tag) => ({ ...tag, timestampMs: tag.timestampMs + byMs }));
const script = (name: string): FlvTag => ({
  type: 18,
  timestampMs: 0,
  data: Buffer.concat([Buffer.from([2, 0, name.length]), Buffer.from(name)]),
});
const tag = (type: 8 | 9, hex: string): FlvTag => ({ type, timestampMs: 0, data: Buffer.from(hex, 'hex') });
const endTag = tag(9, '1702000000');
/** The same pictures, said by another picture parameter set. */
const otherHeader = (): FlvTag => {
  const record = flvUnits.find((unit) => unit.kind === 'video' && isConfig(unit));
  if (!record || !isConfig(record)) throw new Error('the media has no configuration');
  const altered = Buffer.from(record.record);
  const [pps] = parseAvcRecord(altered).pps;
  pps![pps!.length - 1]! ^= 0x10;
  return flvTagOfUnit(avcConfigOfRecord(altered));
};
const cutIn = ({ type, timestampMs, data }: FlvTag): FlvTag => ({
  type,
  timestampMs,
  data: data.subarray(0, data.length - 7),
});
const silence = (ms: number): number => ms;

/** What the connection sends; a number is a silence. Media arrives as it is made. */
function play(sent: readonly (FlvTag | number)[]) {
  const repair = new FlvRepair();
  const timeline = new Timeline();
  const items: TimelineItem[] = [...timeline.connect('found-late')];
  const events: string[] = [];
  let damage: string | null = null;
  let nowMs = 0;
  let lastMs: number | null = null;
  for (const each of sent) {
    if (typeof each === 'number') {
      nowMs += each;
      continue;
    }
    if (each.type !== 18) {
      const stepMs = each.timestampMs - (lastMs ?? each.timestampMs);
      if (stepMs > 0 && stepMs < 500) nowMs += stepMs;
      if (stepMs > 0 || stepMs < -200) lastMs = each.timestampMs;
    }
    const mended = repair.take([each]);
    events.push(...mended.notes.map(({ event }) => event));
    const given = timeline.push(mended.units, nowMs);
    items.push(...given);
    damage = mended.damage?.code ?? null;
    if (damage) break;
  }
  items.push(...timeline.finish());
  events.push(...items.flatMap((item) => (item.kind === 'event' ? item.event : [])));
  const packets = items.filter((item): item is MediaPacket => item.kind === 'video' || item.kind === 'audio');
  return {
    events,
    damage,
    epochs: items.filter(({ kind }) => kind === 'epoch').length,
    gapsMs: items.flatMap((item) =>
      item.kind === 'gap' ? Math.round((item.toMs - item.fromMs) / 100) * 100 : [],
    ),
    pictures: pictures(packets),
    sound: sound(packets),
    dtsMs: packets.filter(({ kind }) => kind === 'video').map(({ dtsMs }) => dtsMs),
  };
}

interface Rule {
  sent: (FlvTag | number)[];
  /** The media that comes out, once and in order. */
  kept: FlvTag[];
  events?: string[];
  epochs?: number;
  gapsMs?: number[];
  damage?: string;
}

const rules: Record<string, Rule> = {
  'media in order: nothing is done': { sent: [...head, ...gop(0, 3)], kept: gop(0, 3) },
  'the same headers again, before each GOP: dropped, told once each': {
    sent: [...head, ...gop(0), ...head, ...gop(1), ...head, ...gop(2)],
    kept: gop(0, 3),
    events: ['header-repeated', 'header-repeated'],
  },
  'another header: an epoch at the next keyframe, with both': {
    sent: [...head, ...gop(0), otherHeader(), audioHeader, ...gop(1, 3)],
    kept: gop(0, 3),
    events: ['header-repeated'],
    epochs: 2,
  },
  'a sound header behind two seconds of sound: moved to the front': {
    sent: [videoHeader, ...gop(0, 2), audioHeader, ...gop(2)],
    kept: gop(0, 3),
    events: ['late-sound-header'],
  },
  'a jump forward by an hour: rebased, no gap where none was': {
    sent: [...head, ...gop(0), ...later(gop(1, 3), 3_600_000)],
    kept: gop(0, 3),
    events: ['timestamp-jump'],
  },
  'a jump back: rebased': {
    sent: [...head, ...later(gop(0), 50_000), ...gop(1, 3)],
    kept: gop(0, 3),
    events: ['timestamp-jump'],
  },
  'a jump over what was never sent: a gap of that length': {
    sent: [...head, ...gop(0), silence(2_000), ...gop(3, 5)],
    kept: [...gop(0), ...gop(3, 5)],
    epochs: 2,
    gapsMs: [2_000],
  },
  'a GOP that is sent again: dropped': {
    sent: [...head, ...gop(0, 2), ...gop(1), ...gop(2, 4)],
    kept: gop(0, 4),
    events: ['sent-again'],
  },
  'a GOP that goes round and round with timestamps that go on: never more than once': {
    sent: [
      ...head,
      ...gop(0, 2),
      ...[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12].flatMap((n) => later(gop(1), n * 1_000)),
    ],
    kept: gop(0, 2),
    events: ['sent-again'],
  },
  'a fragment of five tags between two headers: kept, since it can be decoded': {
    sent: [...head, ...gop(0).slice(0, 5), ...head, silence(800), ...gop(1, 3)],
    kept: [...gop(0).slice(0, 5), ...gop(1, 3)],
    events: ['header-repeated', 'header-repeated'],
    epochs: 2,
    gapsMs: [900],
  },
  'pictures that no keyframe precedes: dropped': {
    sent: [...head, ...gop(0).filter(({ type, data }) => type === 8 || data[0] !== 0x17), ...gop(1, 3)],
    kept: gop(1, 3),
    events: ['undecodable-head'],
  },
  'an end tag: told, and what comes behind it goes on in the same epoch': {
    sent: [...head, ...gop(0), endTag, ...head, ...gop(1, 3)],
    kept: gop(0, 3),
    events: ['end-tag', 'header-repeated', 'header-repeated'],
  },
  'script data: dropped, and told unless it is onMetaData': {
    sent: [script('onMetaData'), ...head, script('onCuePoint'), ...gop(0), script('onCuePoint'), ...gop(1)],
    kept: gop(0, 2),
    events: ['script-data-dropped'],
  },
  'a codec that nobody knows, before the media: dropped': {
    sent: [tag(9, '220000000000'), ...head, ...gop(0, 2)],
    kept: gop(0, 2),
    events: ['unsupported-dropped'],
  },
  'nothing but a codec that nobody knows: not to be recorded': {
    sent: Array.from({ length: 30 }, () => tag(9, '220000000000')),
    kept: [],
    events: ['unsupported-dropped'],
    epochs: 0,
    damage: 'MEDIA_UNSUPPORTED',
  },
  'a picture whose lengths do not add up: damage': {
    sent: [...head, ...gop(0), ...gop(1).slice(0, 20), ...gop(1).slice(20).map(cutIn), ...gop(2)],
    kept: gop(0).concat(gop(1).slice(0, 20)),
    damage: 'MEDIA_NOT_MEDIA',
  },
  'a header that can not be read, in the midst of media: damage': {
    sent: [...head, ...gop(0, 2), tag(9, '1700000000ffff'), ...gop(2)],
    kept: gop(0, 2),
    damage: 'MEDIA_NOT_MEDIA',
  },
};

test.each(Object.entries(rules))(
  '%s',
  (_rule, { sent, kept, events = [], epochs = 1, gapsMs = [], damage = null }) => {
    const out = play(sent);
    expect(out.events).toEqual(events);
    expect(out).toMatchObject({ damage, epochs, gapsMs });
    const keptUnits = kept.flatMap(({ type, timestampMs, data }): MediaPacket[] =>
      type === 9
        ? [{ kind: 'video', dtsMs: timestampMs, compositionMs: 0, key: false, data: data.subarray(5) }]
        : [{ kind: 'audio', dtsMs: timestampMs, data: data.subarray(2) }],
    );
    expect(out.pictures).toEqual(pictures(keptUnits));
    // At a cut between pictures, sound may belong to either side.
    const soundIsWhole =
      damage === null && gapsMs.length === 0 && !/undecodable|again/.test(events.join(' '));
    expect(soundIsWhole ? out.sound : '').toBe(soundIsWhole ? sound(keptUnits) : '');
    expect(out.dtsMs.every((dtsMs, i) => i === 0 || dtsMs > out.dtsMs[i - 1]!)).toBe(true);
  },
);

test('oddities are told sixteen times at most', () => {
  const odd = Array.from({ length: 100 }, (_, n) => script(`on${n}`));
  expect(new FlvRepair().take(odd).notes).toHaveLength(16);
});
