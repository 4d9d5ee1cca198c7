/**
 * The soak's store: a real S3 server, and before it what goes wrong with one. On the wire to it connections are cut, carry
 * nothing, or turn over a bit; the server errs, refuses, hangs, dribbles, and lies.
 */
import { setTimeout as after } from 'node:timers/promises';
import type { Bucket, S3Server } from '../../bench/s3.ts';
import { FaultyLink, type Fault } from '../store/faulty-link.ts';
import { FaultyS3, type S3Fault } from '../support/faulty-s3.ts';

const OF_THE_WIRE = {
  reset: { direction: 'up', afterBytes: 0, act: 'reset' },
  stall: { direction: 'up', afterBytes: 0, act: 'stall' },
  flip: { direction: 'up', afterBytes: 3_000, act: 'flip' },
} as const satisfies Record<string, Fault>;

const OF_THE_SERVER = {
  'error 500': { kind: 'error', status: 500, code: 'InternalError' },
  'error 503': { kind: 'error', status: 503, code: 'SlowDown' },
  'error 403': { kind: 'error', status: 403, code: 'AccessDenied' },
  hang: { kind: 'hang', after: 'nothing' },
  'hang after the deed': { kind: 'hang', after: 'the-deed' },
  'reset after the deed': { kind: 'reset', after: 'the-deed' },
  slow: { kind: 'slow', bytesPerSecond: 8_000 },
  'lie, other bytes': { kind: 'lie', stores: 'other-bytes' },
  'lie, nothing': { kind: 'lie', stores: 'nothing' },
} as const satisfies Record<string, S3Fault>;

export type StoreTrouble = keyof typeof OF_THE_WIRE | keyof typeof OF_THE_SERVER;
export const STORE_TROUBLES = [...keysOf(OF_THE_WIRE), ...keysOf(OF_THE_SERVER)];

export class TroubledStore implements AsyncDisposable {
  readonly bucket: Bucket;
  readonly #s3: FaultyS3;
  readonly #link: FaultyLink;
  /** One at a time. */
  #chain: Promise<unknown> = Promise.resolve();

  private constructor(bucket: Bucket, s3: FaultyS3, link: FaultyLink) {
    this.bucket = bucket;
    this.#s3 = s3;
    this.#link = link;
  }

  /** A new bucket on the server. */
  static async on(server: S3Server): Promise<TroubledStore> {
    const s3 = await FaultyS3.before(server.access);
    const link = await FaultyLink.to(Number(new URL(s3.url).port));
    return new TroubledStore(await server.newBucket(link.url), s3, link);
  }

  /** Begins when the ones before are over. Resolves when this one is, with whether anybody met it. */
  trouble(how: StoreTrouble, forMs: number): Promise<boolean> {
    const done = this.#chain.then(() =>
      isOfTheWire(how) ? this.#spoil(OF_THE_WIRE[how], forMs) : this.#goWrong(OF_THE_SERVER[how], forMs),
    );
    this.#chain = done;
    return done;
  }

  async #spoil(fault: Fault, forMs: number): Promise<boolean> {
    this.#link.fault = fault;
    await after(forMs);
    const { fired } = this.#link;
    this.#link.fault = undefined;
    return fired > 0;
  }

  async #goWrong(fault: S3Fault, forMs: number): Promise<boolean> {
    const before = this.#s3.fired.length;
    // Nobody sends anything with other requests that could be slow, or stored otherwise.
    const onlyPuts = fault.kind === 'lie' || fault.kind === 'slow';
    this.#s3.goWrong(({ method }) => (onlyPuts && method !== 'PUT' ? undefined : fault));
    await after(forMs);
    this.#s3.beWell();
    return this.#s3.fired.length > before;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#link[Symbol.asyncDispose]();
    await this.#s3[Symbol.asyncDispose]();
  }
}

const isOfTheWire = (how: StoreTrouble): how is keyof typeof OF_THE_WIRE => how in OF_THE_WIRE;

function keysOf<Key extends string>(of: Record<Key, unknown>): Key[] {
  return Object.keys(of) as Key[];
}
