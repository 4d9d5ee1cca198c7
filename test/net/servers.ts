/** Small real servers for the network tests: HTTP, an HTTP proxy and a SOCKS5 proxy, each counting what it was asked. */
import { createServer, request as httpRequest, type RequestListener, type Server } from 'node:http';
import {
  connect,
  createServer as createTcpServer,
  type AddressInfo,
  type Server as TcpServer,
  type Socket,
} from 'node:net';

export interface Running extends AsyncDisposable {
  port: number;
  /** `http://127.0.0.1:port` */
  url: string;
}

async function listen(server: Server | TcpServer, host = '127.0.0.1'): Promise<Running> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => {}).on('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => {
    server.listen(0, host, resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    port,
    url: `http://${host.includes(':') ? `[${host}]` : host}:${port}`,
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => {
        server.close(resolve);
      });
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

export const serve = (handler: RequestListener, host?: string): Promise<Running> =>
  listen(createServer(handler), host);

/** Answers each connection with these bytes, whatever they are. */
export const serveRaw = (answer: string): Promise<Running> =>
  listen(createTcpServer((socket) => void socket.once('data', () => socket.write(answer))));

/** Absolute-form requests and CONNECT. `asked` gets one line for each. */
export function serveHttpProxy(asked: string[]): Promise<Running> {
  const server = createServer((incoming, outgoing) => {
    asked.push(`GET ${incoming.url}`);
    const onward = httpRequest(incoming.url ?? '', { headers: incoming.headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
    });
    onward.on('error', () => outgoing.writeHead(502).end());
    onward.end();
  });
  server.on('connect', (incoming, socket) => {
    asked.push(`CONNECT ${incoming.url}`);
    const [host, port] = (incoming.url ?? '').split(':');
    const onward = connect(Number(port), host, () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      onward.pipe(socket).pipe(onward);
    });
    onward.on('error', () => socket.destroy());
    socket.on('error', () => onward.destroy());
  });
  return listen(server);
}

/** SOCKS5 without authentication, IPv4 and names. */
export function serveSocksProxy(asked: string[]): Promise<Running> {
  return listen(
    createTcpServer((client) => {
      client.once('data', () => {
        client.write(Buffer.from([5, 0]));
        client.once('data', (ask) => {
          const named = ask[3] === 3;
          const length = named ? (ask[4] ?? 0) : 4;
          const start = named ? 5 : 4;
          const address = ask.subarray(start, start + length);
          const host = named ? address.toString() : [...address].join('.');
          const port = ask.readUInt16BE(start + length);
          asked.push(`${host}:${port}`);
          const onward = connect(port, host, () => {
            client.write(Buffer.from([5, 0, 0, 1, 127, 0, 0, 1, 0, 0]));
            onward.pipe(client).pipe(onward);
          });
          onward.on('error', () => client.destroy());
          client.on('close', () => onward.destroy());
        });
      });
    }),
  );
}
