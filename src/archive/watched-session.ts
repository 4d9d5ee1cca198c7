/**
 * A session that somebody looks at, and that may still grow: its manifest as it stood a moment ago, and what its journals
 * tell beside it. A manifest that is sealed stays as it is, but for the session's removal: now and then its size and time
 * are asked for.
 */
import { forEachAtOnce } from '../kernel/at-once.ts';
import type { Clock } from '../kernel/clock.ts';
import { sessionKeys } from '../layout/keys.ts';
import type { JournalEntry, Manifest } from '../model/manifest.ts';
import type { Store } from '../store/store.ts';
import {
  JOURNALS_AT_ONCE,
  journalsOf,
  keyIn,
  openSession,
  readJournal,
  type SessionRef,
} from './session-reader.ts';

const FRESH_MS = 2_000;
const SEALED_FRESH_MS = 60_000;

export type SessionRecord = Extract<JournalEntry, { type: 'sample' | 'event' }>;

export class WatchedSession {
  readonly #store: Store;
  readonly #ref: SessionRef;
  readonly #clock: Clock;
  #current: Promise<Manifest> | undefined;
  #askedAt = -Infinity;
  #sealed: Manifest | undefined;
  /** Of the manifest that is sealed. */
  #stamp: string | undefined;
  /** Journals never change: each is read once. A day has thousands. */
  readonly #records = new Map<string, SessionRecord[]>();
  #reading: Promise<SessionRecord[]> | undefined;

  constructor(store: Store, ref: SessionRef, clock: Clock) {
    this.#store = store;
    this.#ref = ref;
    this.#clock = clock;
  }

  /** Throws as `openSession` does; the next call asks again. */
  manifest(): Promise<Manifest> {
    const freshMs = this.#sealed ? SEALED_FRESH_MS : FRESH_MS;
    if (this.#current && this.#clock.monotonic() - this.#askedAt < freshMs) return this.#current;
    this.#askedAt = this.#clock.monotonic();
    const asked = this.#ask();
    this.#current = asked;
    asked.catch(() => {
      if (this.#current === asked) this.#current = undefined;
    });
    return asked;
  }

  /** Samples and events of its journals, in order. Throws MANIFEST where one cannot be read, and what the store throws. */
  records(): Promise<SessionRecord[]> {
    this.#reading ??= this.#readRecords().finally(() => (this.#reading = undefined));
    return this.#reading;
  }

  async #ask(): Promise<Manifest> {
    if (this.#sealed) {
      const found = await this.#store.head(keyIn(this.#ref, sessionKeys.manifest));
      const stamp = `${found?.bytes} ${found?.modifiedAt?.getTime()}`;
      if (stamp === this.#stamp) return this.#sealed;
      this.#stamp = stamp;
      this.#sealed = undefined;
    }
    const { manifest } = await openSession(this.#store, this.#ref, { quick: true });
    if (manifest.sealedAt !== null) {
      this.#sealed = manifest;
      this.#records.clear();
    }
    return manifest;
  }

  async #readRecords(): Promise<SessionRecord[]> {
    const names = await journalsOf(this.#store, this.#ref);
    const unread = names.filter((name) => !this.#records.has(name));
    await forEachAtOnce(unread, JOURNALS_AT_ONCE, async (name) => {
      const entries = await readJournal(this.#store, this.#ref, name);
      this.#records.set(
        name,
        entries.filter((entry) => entry.type === 'sample' || entry.type === 'event'),
      );
    });
    return names.flatMap((name) => this.#records.get(name) ?? []);
  }
}
