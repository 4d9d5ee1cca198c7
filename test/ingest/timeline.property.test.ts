import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { Broadcast, runs, START_UTC, videoConfig } from './synthetic-broadcast.ts';

/** What a CDN does to a stream, one after another; times in ms. */
type Fault =
  | { kind: 'run'; ms: number }
  | { kind: 'jump'; byMs: number }
  | { kind: 'reset' }
  | { kind: 'guest' }
  | { kind: 'replay'; gops: number; timestamps: 'same' | 'onward' }
  | { kind: 'stall'; ms: number; after: 'catch-up' | 'skip' }
  | { kind: 'reconnect'; awayMs: number; gops: number; clock: 'same' | 'restart' };

const span = (min: number, max: number) => fc.integer({ min, max });
const anyFault: fc.Arbitrary<Fault> = fc.oneof(
  fc.record({
    kind: fc.constant('jump' as const),
    byMs: fc.oneof(span(1_200, 8_000_000), span(-8_000_000, -1_200)),
  }),
  fc.record({ kind: fc.constant('reset' as const) }),
  fc.record({ kind: fc.constant('guest' as const) }),
  fc.record({
    kind: fc.constant('replay' as const),
    gops: span(0, 3),
    timestamps: fc.constantFrom('same' as const, 'onward' as const),
  }),
  fc.record({
    kind: fc.constant('stall' as const),
    ms: span(600, 20_000),
    after: fc.constantFrom('catch-up' as const, 'skip' as const),
  }),
  fc.record({
    kind: fc.constant('reconnect' as const),
    awayMs: span(0, 20_000),
    gops: span(0, 3),
    clock: fc.constantFrom('same' as const, 'restart' as const),
  }),
);
const anySchedule = fc.array(fc.tuple(span(700, 9_000), anyFault), { minLength: 1, maxLength: 8 });

/**
 * Runs the schedule; the holes are what was never sent, by the pictures. A CDN that fills a hole later is left out: the
 * line has passed it then, and it stays a gap.
 */
function play(schedule: readonly (readonly [number, Fault])[], skewMs: number) {
  const broadcast = new Broadcast({ gopPictures: 60, skewMs });
  const holes: number[] = [];
  broadcast.connect('found-late');
  let hasMedia = 0;
  let filledFromMs = 0;
  for (const [ms, fault] of schedule) {
    broadcast.run(ms);
    hasMedia = Math.max(hasMedia, broadcast.atMs);
    switch (fault.kind) {
      case 'run':
        break;
      case 'jump':
        broadcast.shiftMs += fault.byMs;
        break;
      case 'reset':
        broadcast.shiftMs = -broadcast.atMs;
        break;
      case 'guest':
        broadcast.video = videoConfig(`guest at ${broadcast.atMs}`);
        broadcast.headers();
        break;
      case 'replay': {
        // Of less than 200 ms of sound nobody could say that it is the same.
        const fromMs = broadcast.gopStartMs(broadcast.atMs - 200 - skewMs, fault.gops);
        if (fromMs >= filledFromMs && fromMs <= broadcast.atMs - 200 - skewMs) {
          broadcast.replayFrom(fromMs, fault.timestamps);
        }
        break;
      }
      case 'stall':
        broadcast.silence(fault.ms);
        if (fault.after === 'skip') {
          const toMs = broadcast.gopStartMs(broadcast.nowMs) + 2_000;
          broadcast.silence(toMs - broadcast.nowMs);
          holes.push(toMs - hasMedia);
          filledFromMs = toMs;
          broadcast.skipTo(toMs);
        } else broadcast.burst(broadcast.nowMs);
        break;
      case 'reconnect': {
        broadcast.silence(fault.awayMs);
        const fromMs = Math.max(filledFromMs, broadcast.gopStartMs(broadcast.nowMs, fault.gops));
        if (fromMs > hasMedia) {
          holes.push(fromMs - hasMedia);
          filledFromMs = fromMs;
        }
        broadcast.connect('connection-lost', { fromMs, clock: fault.clock });
      }
    }
    hasMedia = Math.max(hasMedia, broadcast.atMs);
  }
  return { broadcast, outcome: broadcast.run(6_000).end(), holes };
}

test('whatever happens, each packet comes out once, and the gaps are what was never sent', () => {
  fc.assert(
    fc.property(anySchedule, fc.constantFrom(0, 400, 1_100), (schedule, skewMs) => {
      const { broadcast, outcome, holes } = play(schedule, skewMs);
      expect(outcome.faults).toEqual([]);
      expect(runs(outcome.missing.video)).toEqual('');
      expect(runs(outcome.repeats.video)).toEqual('');
      expect(runs(outcome.repeats.audio)).toEqual('');
      const missing = holes.reduce((sum, ms) => sum + ms, 0);
      const gaps = outcome.gaps.reduce((sum, { ms }) => sum + ms, 0);
      expect(Math.abs(gaps - missing)).toBeLessThan(100 + 60 * schedule.length);
      const off = outcome.packets.map(
        ({ dtsMs, trueMs }) => broadcast.timeline.wallOf(dtsMs) - START_UTC - trueMs,
      );
      expect(Math.max(...off.map(Math.abs))).toBeLessThan(200 + skewMs);
    }),
    { numRuns: 100 },
  );
});
