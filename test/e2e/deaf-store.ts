/** A server that takes every connection, reads all, and never says a word: a store that hangs. */
import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';

export class DeafStore implements AsyncDisposable {
  readonly #server = createServer((socket) => this.#take(socket));
  readonly #sockets = new Set<Socket>();
  /** Connections that were made. */
  connections = 0;

  static async open(): Promise<DeafStore> {
    const store = new DeafStore();
    store.#server.listen(0, '127.0.0.1');
    await once(store.#server, 'listening');
    return store;
  }

  get url(): string {
    const { port } = this.#server.address() as AddressInfo;
    return `s3://deaf/x?endpoint=http://127.0.0.1:${port}&pathStyle=true`;
  }

  get env(): Record<string, string> {
    return { AWS_ACCESS_KEY_ID: 'nobody', AWS_SECRET_ACCESS_KEY: 'nothing' };
  }

  #take(socket: Socket): void {
    this.connections += 1;
    this.#sockets.add(socket);
    socket
      .on('error', () => {})
      .on('close', () => this.#sockets.delete(socket))
      .resume();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }
}
