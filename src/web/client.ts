/** Asks a running `livestow serve`, as `livestow status` and `livestow creators` do. What it answers is checked. */
import type { z } from 'zod';
import { urlOf } from '../config/listen-address.ts';
import type { Config } from '../config/schema.ts';
import { AnySignal } from '../kernel/any-signal.ts';
import { ERROR_CODES, LivestowError, type ErrorCode } from '../kernel/errors.ts';
import { API, errorSchema } from './schemas.ts';

const PATIENCE_MS = 30_000;

export class ApiClient {
  readonly #url: string;
  readonly #token: string | undefined;

  /** @throws CONFIG when the settings name no address */
  constructor({ listen, token }: Pick<Config, 'listen' | 'token'>) {
    if (listen === null) {
      throw new LivestowError('CONFIG', 'listen is off: livestow serve answers nobody', {
        hint: 'give livestow serve an address (--listen), and this command the same',
      });
    }
    this.#url = urlOf(listen);
    this.#token = token?.reveal();
  }

  get<T extends z.ZodType>(path: string, schema: T, signal?: AbortSignal): Promise<z.output<T>> {
    return this.#ask('GET', path, schema, undefined, signal);
  }

  post<T extends z.ZodType>(path: string, schema: T, body?: unknown): Promise<z.output<T>> {
    return this.#ask('POST', path, schema, body);
  }

  put<T extends z.ZodType>(path: string, schema: T, body: unknown): Promise<z.output<T>> {
    return this.#ask('PUT', path, schema, body);
  }

  delete<T extends z.ZodType>(path: string, schema: T): Promise<z.output<T>> {
    return this.#ask('DELETE', path, schema);
  }

  async #ask<T extends z.ZodType>(
    method: string,
    path: string,
    schema: T,
    body?: unknown,
    signal?: AbortSignal,
  ): Promise<z.output<T>> {
    const { status, text } = await this.#answer(method, path, body, signal);
    const answer = parsed(text);
    if (status >= 200 && status < 300) {
      const read = schema.safeParse(answer);
      if (read.success) return read.data;
    }
    const failure = errorSchema.safeParse(answer);
    if (!failure.success) throw this.#stranger();
    const { code, message, hint } = failure.data.error;
    const known = Object.hasOwn(ERROR_CODES, code) ? (code as ErrorCode) : 'UNAVAILABLE';
    throw new LivestowError(known, message, hint === null ? {} : { hint });
  }

  async #answer(
    method: string,
    path: string,
    body: unknown,
    signal?: AbortSignal,
  ): Promise<{ status: number; text: string }> {
    using until = new AnySignal(AbortSignal.timeout(PATIENCE_MS), ...(signal ? [signal] : []));
    try {
      const response = await fetch(`${this.#url}${API}${path}`, {
        method,
        headers: {
          ...(this.#token === undefined ? {} : { authorization: `Bearer ${this.#token}` }),
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        redirect: 'error',
        signal: until.signal,
      });
      return { status: response.status, text: await response.text() };
    } catch (cause) {
      signal?.throwIfAborted();
      throw new LivestowError('UNREACHABLE', `no livestow serve answers at ${this.#url}`, {
        cause,
        retryable: true,
        hint: 'start livestow serve, or say with --listen (LIVESTOW_LISTEN, livestow.yaml) where it listens',
      });
    }
  }

  #stranger(): LivestowError {
    return new LivestowError(
      'UNREACHABLE',
      `what answers at ${this.#url} is no livestow serve that this one understands`,
      {
        hint: 'say with --listen where it listens; if it is another version, use that one',
      },
    );
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
