/** A setting that must not be seen: prints as `[redacted]` wherever it ends up, and is known to the log's scrubber. */
import { inspect } from 'node:util';
import { registerSecret, registerUserInfo } from '../kernel/redact.ts';

const MASK = '[redacted]';

export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
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
