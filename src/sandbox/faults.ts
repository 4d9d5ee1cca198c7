/**
 * What can go wrong with a broadcast, as data. `atMs` counts from the creator's going live, on the broadcast's own clock
 * (which `speed` makes run faster than the wall's); a fault without it begins when it is injected. Durations are on the
 * same clock. Whether a fault really did something is in the ledger, never assumed.
 */
import { z } from 'zod';
import { GARBLES } from './cdn/garble.ts';
import { mediaNameSchema } from './media/recipes.ts';

const durationMs = z.number().positive();

/** Whom it hits: all, unless a field says otherwise. */
const targetSchema = z.strictObject({
  qualityKey: z.string().optional(),
  protocol: z.enum(['flv', 'hls']).optional(),
  codecFamily: z.enum(['h264', 'h265']).optional(),
});
export type FaultTarget = z.infer<typeof targetSchema>;

function fault<Type extends string, Shape extends z.ZodRawShape>(type: Type, shape: Shape) {
  return z.strictObject({
    type: z.literal(type),
    atMs: z.number().nonnegative().optional(),
    target: targetSchema.optional(),
    ...shape,
  });
}

export const faultSchema = z.discriminatedUnion('type', [
  /**
   * Silence on an open connection. `connection`: those open at `atMs`, while new ones get media. `source`: the encoder
   * itself pauses, nobody gets media, and it goes on at the first keyframe after. Afterwards: `resume` at the live edge's
   * keyframe, `catch-up` with all that was withheld (not for `source`), `drop` or `close`.
   */
  fault('stall', {
    forMs: durationMs,
    scope: z.enum(['connection', 'source']).default('connection'),
    afterwards: z.enum(['resume', 'catch-up', 'drop', 'close']).default('resume'),
  }),
  /** The socket is gone in mid-GOP; `reset` sends RST instead of FIN. */
  fault('drop', { reset: z.boolean().default(false) }),
  /** The response ends properly, though the broadcast goes on. */
  fault('close', {}),
  /** New requests get this status for a while; `cut` drops open connections too. */
  fault('refuse', {
    forMs: durationMs,
    status: z.number().int().min(400).max(599).default(404),
    cut: z.boolean().default(true),
  }),
  /** New requests get a web page with status 200 for a while. */
  fault('html', { forMs: durationMs, cut: z.boolean().default(true) }),
  /**
   * Listed live without media for a while: `empty` answers 200 and stays silent, `headers` sends codec configurations
   * and no picture, `no-streams` lists no stream at all and answers 404.
   */
  fault('no-media', {
    forMs: durationMs,
    how: z.enum(['empty', 'headers', 'no-streams']).default('empty'),
    cut: z.boolean().default(true),
  }),
  /**
   * How connections opened from now on begin: so many GOPs before the live edge (a reconnect gets those again), with the
   * broadcast's timestamps or restarted from 0.
   */
  fault('join', {
    gops: z.number().int().positive().default(1),
    timestamps: z.enum(['same', 'restart']).default('same'),
    forMs: durationMs.optional(),
  }),
  /** The last GOPs are sent again within the connection, with the timestamps they had or with ones that go on. */
  fault('replay', {
    gops: z.number().int().positive().default(1),
    timestamps: z.enum(['same', 'onward']).default('same'),
  }),
  /** A dead connection: the last GOPs round and round in real time, timestamps going on, then the live edge again. */
  fault('loop', { gops: z.number().int().positive().default(1), forMs: durationMs }),
  /** Other media from the next keyframe on, with both new headers. `replaces` is the media that it takes the place of. */
  fault('media', { media: mediaNameSchema, replaces: mediaNameSchema.optional() }),
  /** The same headers again before a keyframe: once, or before each for a while. */
  fault('repeat-headers', { forMs: durationMs.optional() }),
  /** Timestamps jump by so much. */
  fault('jump', { byMs: z.number() }),
  /** Timestamps start again from 0. */
  fault('reset', {}),
  /** Connections opened from now on get their audio header so late; the frames before it are sent, or withheld. */
  fault('late-audio-header', {
    byMs: durationMs,
    frames: z.enum(['sent', 'withheld']).default('withheld'),
    forMs: durationMs.optional(),
  }),
  /**
   * Bytes that are no media come between two tags: noise, half a tag, one that claims 16 MiB, a picture or a header cut
   * short in a tag that is whole, an FLV file's beginning. The media goes on behind them.
   */
  fault('garble', { how: z.enum(GARBLES).default('garbage') }),
  /** URLs handed out before now answer 403; `cut` drops the connections that they opened. */
  fault('expire', { cut: z.boolean().default(false) }),
  /** Another room of the same creator; media `breaks` (old URLs answer 404) or `goes-on`. */
  fault('room', {
    roomId: z.string().min(1).optional(),
    title: z.string().optional(),
    media: z.enum(['goes-on', 'breaks']).default('breaks'),
  }),
  /** The lookup API says offline for a while, though the room is not over. */
  fault('offline', { forMs: durationMs, media: z.enum(['goes-on', 'stops']).default('goes-on') }),
  /** The broadcast is over: the connection closes, is dropped, or stays open in silence. */
  fault('end', { media: z.enum(['close', 'drop', 'silence']).default('close') }),
  /** The HLS playlist stays as it is for a while. */
  fault('hls-frozen', { forMs: durationMs }),
  /** HLS segments that begin in this time are in the playlist and answer this status. */
  fault('hls-missing', { forMs: durationMs, status: z.number().int().min(400).max(599).default(404) }),
]);

export type Fault = z.infer<typeof faultSchema>;
export type FaultInput = z.input<typeof faultSchema>;
export type FaultType = Fault['type'];
export type FaultOf<Type extends FaultType> = Extract<Fault, { type: Type }>;
