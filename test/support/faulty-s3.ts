/**
 * An S3 server that goes wrong when it is told to, in front of a real one: what it passes on, it passes on as it is, and
 * what it does itself it does for real, over HTTP. It tells each request that it saw and what became of it.
 */
import { once } from 'node:events';
import {
  createServer,
  request as httpRequest,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { setTimeout as after } from 'node:timers/promises';
import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import type { S3Server } from './s3-servers.ts';

export type S3Fault =
  /** An error, in the words of S3. */
  | { kind: 'error'; status: number; code: string }
  /** Nothing is read, or all of it, or the real server gets it all and its answer is kept back. */
  | { kind: 'hang'; after: 'nothing' | 'the-body' | 'the-deed' }
  | { kind: 'reset'; after: 'nothing' | 'the-deed' }
  /** The body goes on at this pace, for as long as the fault lasts. */
  | { kind: 'slow'; bytesPerSecond: number }
  /** 200, and what is stored is something else, or nothing. */
  | { kind: 'lie'; stores: 'other-bytes' | 'nothing' };

export interface Seen {
  method: string;
  /** Within the bucket. */
  key: string;
  atMs: number;
  fault: S3Fault['kind'] | null;
  /** What the real server said; null when it was not asked, or has not answered yet. */
  status: number | null;
  createsOnly: boolean;
}

type Ask = Pick<Seen, 'method' | 'key'>;

export class FaultyS3 implements AsyncDisposable {
  readonly seen: Seen[] = [];
  readonly #real: S3Server;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #faultOf: ((ask: Ask) => S3Fault | undefined) | null = null;
  #listeners: (() => void)[] = [];

  private constructor(real: S3Server) {
    this.#real = real;
    this.#server = createServer((request, response) => {
      // What is broken off on purpose breaks off the other side too.
      this.#handle(request, response).catch(() => request.socket.destroy());
    });
    this.#server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.on('error', () => {}).on('close', () => this.#sockets.delete(socket));
    });
  }

  static async before(real: S3Server): Promise<FaultyS3> {
    const faulty = new FaultyS3(real);
    faulty.#server.listen(0, '127.0.0.1');
    await once(faulty.#server, 'listening');
    return faulty;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** From now on: what goes wrong with a request, if anything. */
  goWrong(faultOf: (ask: Ask) => S3Fault | undefined): void {
    this.#faultOf = faultOf;
  }

  /** What hangs goes on hanging: that is what a lost connection does. */
  beWell(): void {
    this.#faultOf = null;
  }

  get fired(): Seen[] {
    return this.seen.filter(({ fault }) => fault !== null);
  }

  /** Puts that the real server took, in the order in which they began. */
  stored(of: RegExp): Seen[] {
    return this.seen.filter(({ method, key, status }) => method === 'PUT' && status === 200 && of.test(key));
  }

  /** Resolves when the condition holds; looked at whenever a request came or was answered. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      await new Promise<void>((resolve) => {
        this.#listeners.push(resolve);
      });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const [bucket = '', ...names] = new URL(request.url ?? '', this.url).pathname.slice(1).split('/');
    const ask = { method: request.method ?? '', key: names.join('/') };
    const fault = this.#faultOf?.(ask);
    const createsOnly = request.headers['if-none-match'] === '*';
    const seen: Seen = { ...ask, atMs: Date.now(), fault: fault?.kind ?? null, status: null, createsOnly };
    this.seen.push(seen);
    this.#tell();
    switch (fault?.kind) {
      case undefined:
        return this.#pass(request, response, seen);
      case 'error':
        await buffer(request);
        return sayError(response, fault);
      case 'hang':
        if (fault.after === 'the-body') await buffer(request);
        if (fault.after === 'the-deed') await this.#do(request, seen);
        return;
      case 'reset':
        if (fault.after === 'the-deed') await this.#do(request, seen);
        request.socket.resetAndDestroy();
        return;
      case 'slow':
        return this.#pass(request, response, seen, fault.bytesPerSecond);
      case 'lie':
        return this.#lie(request, response, { bucket, key: ask.key }, fault.stores);
    }
  }

  async #pass(
    request: IncomingMessage,
    response: ServerResponse,
    seen: Seen,
    bytesPerSecond = Infinity,
  ): Promise<void> {
    const answer = await this.#do(request, seen, bytesPerSecond);
    response.writeHead(answer.statusCode ?? 502, answer.rawHeaders);
    answer.pipe(response);
  }

  /** Has the real server do it. */
  async #do(request: IncomingMessage, seen: Seen, bytesPerSecond = Infinity): Promise<IncomingMessage> {
    const { hostname, port } = new URL(this.#real.endpoint);
    const { method = 'GET', url = '/', rawHeaders } = request;
    // With the host that the client signed.
    const onward = httpRequest({ hostname, port, method, path: url, headers: rawHeaders, setHost: false });
    request.on('close', () => {
      if (!request.complete) onward.destroy();
    });
    const answered = once(onward, 'response') as Promise<[IncomingMessage]>;
    // Told below.
    answered.catch(() => {});
    const lasts = this.#faultOf;
    for await (const chunk of request as AsyncIterable<Buffer>) {
      for (let at = 0; at < chunk.length;) {
        const isSlow = bytesPerSecond < Infinity && this.#faultOf === lasts;
        const piece = chunk.subarray(at, isSlow ? at + Math.ceil(bytesPerSecond / 10) : undefined);
        onward.write(piece);
        at += piece.length;
        if (isSlow) await after(100);
      }
    }
    onward.end();
    const [answer] = await answered;
    seen.status = answer.statusCode ?? null;
    this.#tell();
    return answer;
  }

  /** Says of what it stored what it is: another checksum than that of what was sent. */
  async #lie(
    request: IncomingMessage,
    response: ServerResponse,
    { bucket, key }: { bucket: string; key: string },
    stores: 'other-bytes' | 'nothing',
  ): Promise<void> {
    const body = await buffer(request);
    if (stores === 'nothing') {
      response.writeHead(200, { etag: '"00000000000000000000000000000000"' }).end();
      return;
    }
    body[0] = (body[0] ?? 0) ^ 0xff;
    const metadata = Object.entries(request.headers).flatMap(([name, value]) =>
      name.startsWith('x-amz-meta-') ? [[name.slice('x-amz-meta-'.length), String(value)]] : [],
    );
    const client = new S3Client({ ...this.#real, forcePathStyle: true, credentials: this.#real });
    const put = { Bucket: bucket, Key: key, Body: body, Metadata: Object.fromEntries(metadata) };
    const { ETag = '' } = await client.send(new PutObjectCommand(put));
    client.destroy();
    response.writeHead(200, { etag: ETag }).end();
  }

  #tell(): void {
    for (const listener of this.#listeners.splice(0)) listener();
  }
}

function sayError(response: ServerResponse, { status, code }: { status: number; code: string }): void {
  response
    .writeHead(status, { 'content-type': 'application/xml' })
    .end(
      `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>told to</Message></Error>`,
    );
}
