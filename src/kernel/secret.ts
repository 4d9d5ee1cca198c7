/** A setting that must not be seen: prints as `[redacted]` wherever it ends up, and is known to the log's scrubber. */
import { inspect } from 'node:util';
import { registerSecret, registerUserInfo } from './redact.ts';

const MASK = '[redacted]';

export class Secret {
  readonly #value: string;

  /** `maskOnly`: too ordinary a text to be struck out of every line of the log. */
  constructor(value: string, { maskOnly = false }: { maskOnly?: boolean } = {}) {
    this.#value = value;
    if (maskOnly) return;
    registerSecret(value);
    registerUserInfo(value);
  }

  /** The value itself: only for the header or the connection that needs it. */
  reveal(): string {
    return this.#value;
  }

  toString(): string {
    return MASK;
  }

  toJSON(): string {
    return MASK;
  }

  [inspect.custom](): string {
    return MASK;
  }
}

/** For comparing: two secrets are the same when what they hide is, wherever in a value they stand. */
export function plain(value: unknown): unknown {
  if (value instanceof Secret) return value.reveal();
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, plain(part)]));
}
