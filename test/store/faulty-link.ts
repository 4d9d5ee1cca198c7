/**
 * A TCP link to a real server that can be told to go wrong, and that tells how often it did: a test which names a fault
 * and does not see it fire has proved nothing.
 */
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

export interface Fault {
  /** Which way the bytes go that are counted and spoilt: `up` to the server, `down` from it. */
  direction: 'up' | 'down';
  /** How many bytes of a connection still pass, from now or from its beginning. */
  afterBytes: number;
  /** `stall`: nothing more passes; `reset`: both ends see a reset; `flip`: one bit of the next byte is turned over. */
  act: 'stall' | 'reset' | 'flip';
  /** On how many connections; without end unless told. */
  times?: number;
}

export class FaultyLink implements AsyncDisposable {
  /** Times that the present fault fired. */
  fired = 0;
  /** Request lines that went up, as far as they began a packet. */
  readonly requests: string[] = [];
  /** Status lines that came down, likewise. */
  readonly answers: string[] = [];
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #fault: Fault | undefined;
  /** One for each fault, so that connections count from its beginning. */
  #generation = 0;

  static async to(targetPort: number): Promise<FaultyLink> {
    const link = new FaultyLink(targetPort);
    link.#server.listen(0, '127.0.0.1');
    await once(link.#server, 'listening');
    return link;
  }

  constructor(targetPort: number) {
    this.#server = createServer((near) => {
      const far = connect(targetPort, '127.0.0.1');
      for (const [from, to] of [
        [near, far],
        [far, near],
      ] as const) {
        this.#sockets.add(from);
        this.#carry(from === near ? 'up' : 'down', from, to);
        from.on('error', () => to.destroy()).on('close', () => this.#sockets.delete(from) && to.destroy());
      }
    });
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** From now on; undefined mends the link. */
  set fault(fault: Fault | undefined) {
    this.#fault = fault;
    this.#generation += 1;
    this.fired = 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #carry(direction: 'up' | 'down', from: Socket, to: Socket): void {
    let generation = -1;
    let passed = 0;
    let done = false;
    from.on('end', () => to.end());
    from.on('data', (chunk: Buffer) => {
      if (direction === 'up') {
        const line = /^(?:GET|HEAD|PUT|POST|DELETE) \S+/.exec(chunk.toString('latin1', 0, 2_000));
        if (line) this.requests.push(line[0]);
      } else {
        const line = /^HTTP\S+ \d+/.exec(chunk.toString('latin1', 0, 100));
        if (line) this.answers.push(line[0]);
      }
      if (generation !== this.#generation) [generation, passed, done] = [this.#generation, 0, false];
      const fault =
        this.#fault?.direction === direction && this.fired < (this.#fault.times ?? Infinity)
          ? this.#fault
          : undefined;
      const spoiltAt = fault === undefined || done ? Infinity : fault.afterBytes - passed;
      passed += chunk.byteLength;
      if (fault === undefined || spoiltAt >= chunk.byteLength) {
        if (!(done && fault?.act === 'stall')) to.write(chunk);
        return;
      }
      done = true;
      this.fired += 1;
      switch (fault.act) {
        case 'flip':
          chunk[spoiltAt] = (chunk[spoiltAt] ?? 0) ^ 1;
          to.write(chunk);
          return;
        case 'stall':
          to.write(chunk.subarray(0, spoiltAt));
          // Not read any more either: the sender's window fills as on a dead network.
          from.pause();
          return;
        case 'reset':
          from.resetAndDestroy();
          to.resetAndDestroy();
      }
    });
  }
}
