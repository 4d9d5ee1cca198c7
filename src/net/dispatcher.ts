/**
 * The undici dispatchers of livestow: one for media and pictures, which dials public addresses only, and one for the
 * lookup API, whose base URL the operator chose. Both go through the proxy where one is configured.
 */
import { Agent, buildConnector, ProxyAgent, type Dispatcher } from 'undici';
import { LivestowError } from '../kernel/errors.ts';
import type { HostGuard } from './host-guard.ts';

const CONNECT_TIMEOUT_MS = 10_000;

/** HTTP/1.1 only: a recording is one response, and dropping it must drop the connection. */
const options = {
  allowH2: false,
  connectTimeout: CONNECT_TIMEOUT_MS,
} as const;

const PROXY_PROTOCOLS = new Set(['http:', 'https:', 'socks5:']);

/** Throws CONFIG for a proxy URL of another kind, without quoting it: it may carry a password. */
function requireProxyUrl(text: string): string {
  if (!URL.canParse(text) || !PROXY_PROTOCOLS.has(new URL(text).protocol) || new URL(text).hostname === '') {
    throw new LivestowError('CONFIG', 'LIVESTOW_PROXY is not a proxy URL', {
      hint: 'use http://host:port, https://host:port or socks5://host:port, with user:password@ where it is needed',
    });
  }
  return text;
}

export function createOpenDispatcher(proxy: string | null): Dispatcher {
  return proxy === null ? new Agent(options) : new ProxyAgent({ ...options, uri: requireProxyUrl(proxy) });
}

/** A proxy dials for us, so behind one the guard is asked before each request instead, see `media-client.ts`. */
export function createGuardedDispatcher(guard: HostGuard, proxy: string | null): Dispatcher {
  if (proxy !== null) return createOpenDispatcher(proxy);
  const connect = buildConnector({
    allowH2: false,
    timeout: CONNECT_TIMEOUT_MS,
    lookup: guard.lookup,
    autoSelectFamily: true,
  });
  return new Agent({
    ...options,
    connect: (target, callback) => {
      const refusal = guard.refusal(target.hostname);
      if (refusal) callback(refusal, null);
      else connect(target, callback);
    },
  });
}
