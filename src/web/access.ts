/**
 * Who somebody is: an admin, who may order things, or a viewer, who may look. Programs show a token; people show one once,
 * on the sign-in page, and have a cookie from then on. A cookie is signed with a key made of the token that it was given
 * for: it needs no memory here, and another token ends all of its sessions.
 */
import { createHash, createHmac, hkdfSync, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Clock } from '../kernel/clock.ts';
import type { Secret } from '../kernel/secret.ts';
import { Attempts } from './attempts.ts';

export type Role = 'admin' | 'viewer';

const SESSION_MS = 7 * 24 * 3_600_000;

export interface Tokens {
  token: Secret | null;
  viewerToken: Secret | null;
}

export type SignIn =
  | { outcome: 'signed-in'; role: Role; cookie: string; forSeconds: number }
  | { outcome: 'wrong' }
  | { outcome: 'too-often'; retryAfterMs: number };

export class Access {
  readonly #tokens: readonly { role: Role; token: string; key: Buffer }[];
  readonly #clock: Clock;
  readonly #attempts: Attempts;
  readonly #cookieName: string;

  constructor({ token, viewerToken }: Tokens, clock: Clock) {
    const given = [
      { role: 'admin' as const, token },
      { role: 'viewer' as const, token: viewerToken },
    ];
    this.#tokens = given.flatMap(({ role, token: secret }) =>
      secret ? [{ role, token: secret.reveal(), key: keyFor(secret, `livestow session of ${role}`) }] : [],
    );
    const [first] = this.#tokens;
    this.#cookieName = first ? `livestow-${sign(first.key, 'name of the cookie').slice(0, 8)}` : 'livestow';
    this.#clock = clock;
    this.#attempts = new Attempts(clock);
  }

  /** Nobody has to show anything, which only a loopback address allows. */
  get isOpen(): boolean {
    return this.#tokens.length === 0;
  }

  /**
   * Another one for each token: browsers send a host's cookies to all of its ports, and keep one of each name.
   * @param isEncrypted TLS is spoken in front: browsers then hold it against everybody else on the same host
   */
  cookieName(isEncrypted: boolean): string {
    return isEncrypted ? `__Host-${this.#cookieName}` : this.#cookieName;
  }

  /** Undefined: it is no token of ours. */
  roleOfToken(shown: string): Role | undefined {
    return this.#tokens.find(({ token }) => isSame(shown, token))?.role;
  }

  /** Undefined: it is no cookie of ours, or an old one. */
  roleOfCookie(cookie: string): Role | undefined {
    const [, role, until = '', nonce, signature = ''] =
      /^(admin|viewer)\.(\d{1,15})\.([\w-]{1,64})\.([\w-]{43})$/.exec(cookie) ?? [];
    const known = this.#tokens.find((each) => each.role === role);
    if (!known || !isSame(signature, sign(known.key, `${known.role}.${until}.${nonce}`))) return undefined;
    return Number(until) > this.#clock.now() ? known.role : undefined;
  }

  /** @param from whose attempts are counted: a network address */
  signIn(shown: string, from: string): SignIn {
    const retryAfterMs = this.#attempts.waitMs(from);
    if (retryAfterMs > 0) return { outcome: 'too-often', retryAfterMs };
    const role = this.roleOfToken(shown);
    const known = this.#tokens.find((each) => each.role === role);
    if (!known) {
      this.#attempts.failed(from);
      return { outcome: 'wrong' };
    }
    const about = `${known.role}.${this.#clock.now() + SESSION_MS}.${randomBytes(12).toString('base64url')}`;
    const cookie = `${about}.${sign(known.key, about)}`;
    return { outcome: 'signed-in', role: known.role, cookie, forSeconds: SESSION_MS / 1_000 };
  }
}

/** A key for one purpose, which gives away neither the token nor a key for another. */
export const keyFor = (token: Secret, purpose: string): Buffer =>
  Buffer.from(hkdfSync('sha256', token.reveal(), 'livestow', purpose, 32));

export const sign = (key: Buffer, text: string): string =>
  createHmac('sha256', key).update(text).digest('base64url');

/** In the same time, wherever they differ. */
export const isSame = (a: string, b: string): boolean => timingSafeEqual(digest(a), digest(b));
const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
