/** Where a server listens, as people write it: `127.0.0.1:8470`, `[::]:8470`, `localhost:8470`. */
import { isIPv4 } from 'node:net';

export interface ListenAddress {
  /** A name, or an address without brackets. */
  host: string;
  /** 0: any free one. */
  port: number;
}

export function parseListenAddress(text: string): ListenAddress | undefined {
  const [, authority, port] = /^([^/@?#\s]+):(\d{1,5})$/.exec(text.trim()) ?? [];
  if (authority === undefined || Number(port) > 65_535 || !URL.canParse(`http://${authority}/`))
    return undefined;
  const { hostname, port: another } = new URL(`http://${authority}/`);
  if (another !== '') return undefined;
  return { host: hostname.replace(/^\[(.*)\]$/, '$1'), port: Number(port) };
}

/** Whether only this machine can reach it. */
export const isLoopback = (host: string): boolean =>
  host === 'localhost' || host === '::1' || (isIPv4(host) && host.startsWith('127.'));

/** `http://127.0.0.1:8470`, for whoever connects: an address that stands for all of this machine's becomes one of it. */
export function urlOf({ host, port }: ListenAddress): string {
  const reached = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host;
  return `http://${reached.includes(':') ? `[${reached}]` : reached}:${port}`;
}
