/** A store that tells of every answer that it gives, for whoever waits no longer than a while for the next one. */
import { isLivestowError } from '../kernel/errors.ts';
import type { Store } from './store.ts';

/** That something is not there, or is there already, is an answer too. */
const isAnswer = (error: unknown): boolean => isLivestowError(error, 'STORE_NOT_FOUND', 'STORE_EXISTS');

export function answering(store: Store, onAnswer: () => void): Store {
  async function told<T>(call: Promise<T>): Promise<T> {
    try {
      const answer = await call;
      onAnswer();
      return answer;
    } catch (error) {
      if (isAnswer(error)) onAnswer();
      throw error;
    }
  }
  async function* each<T>(entries: AsyncIterable<T>): AsyncGenerator<T> {
    for await (const entry of entries) {
      onAnswer();
      yield entry;
    }
    onAnswer();
  }
  return {
    description: store.description,
    capabilities: (signal) => told(store.capabilities(signal)),
    put: (key, body, options) => told(store.put(key, body, options)),
    get: (key, options) => told(store.get(key, options)),
    head: (key, signal) => told(store.head(key, signal)),
    list: (prefix, options) => each(store.list(prefix, options)),
    folders: (prefix, options) => each(store.folders(prefix, options)),
    delete: (key, signal) => told(store.delete(key, signal)),
    lockOf: (key, signal) => told(store.lockOf(key, signal)),
    keepsVersions: (signal) => told(store.keepsVersions(signal)),
    presign: (key, expiresInSeconds) => store.presign(key, expiresInSeconds),
    close: () => store.close(),
  };
}
