/** A real HTTP proxy, as small as can be: tunnels by CONNECT, and passes on plain requests. It remembers what went through. */
import { once } from 'node:events';
import { createServer, request as requestOf, type IncomingMessage } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';

export interface ConnectProxy extends AsyncDisposable {
  url: string;
  /** Host and port of every tunnel and every request, in order. */
  asked: string[];
  /** What each of them said of who it is. */
  authorizations: Set<string>;
  /** Bytes that came back from there. */
  bytes: number;
}

export async function startProxy(): Promise<ConnectProxy> {
  const sockets = new Set<Socket>();
  const keep = (socket: Socket): Socket => {
    sockets.add(socket);
    return socket.on('error', () => socket.destroy()).once('close', () => sockets.delete(socket));
  };
  const count = (chunk: Buffer): void => void (proxy.bytes += chunk.length);
  const remember = ({ headers }: IncomingMessage): void => {
    const said = headers['proxy-authorization'];
    if (said !== undefined) proxy.authorizations.add(said);
  };
  const server = createServer((request, response) => {
    const target = new URL(request.url ?? '');
    remember(request);
    proxy.asked.push(target.host);
    const onward = requestOf(target, { method: request.method, headers: request.headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.on('data', count).pipe(response);
      // A connection that broke there breaks here.
      answer.once('close', () => void (answer.complete || response.destroy()));
    });
    onward.on('error', () => response.destroy());
    request.pipe(onward);
  });
  server.on('connection', keep);
  server.on('connect', (request, socket: Socket) => {
    const target = request.url ?? '';
    remember(request);
    proxy.asked.push(target);
    const { hostname, port } = new URL(`http://${target}`);
    const onward = keep(connect(Number(port), hostname));
    onward.once('connect', () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
      onward.on('data', count).pipe(socket).pipe(onward);
    });
    socket.once('close', () => onward.destroy());
    onward.once('close', () => socket.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const proxy: ConnectProxy = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked: [],
    authorizations: new Set(),
    bytes: 0,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
  return proxy;
}
