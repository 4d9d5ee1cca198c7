/**
 * Which addresses media may be dialled at. Everything that is not plainly a public address of the Internet is refused:
 * an allow list of kinds, because every list of forbidden ranges has turned out to lack one.
 */
import ipaddr from 'ipaddr.js';
import { LivestowError } from '../kernel/errors.ts';

/** True for an address literal (no brackets) that is global unicast. */
export function isPublicAddress(literal: string): boolean {
  if (!ipaddr.isValid(literal)) return false;
  const address = ipaddr.parse(literal);
  if (address instanceof ipaddr.IPv4) return address.range() === 'unicast';
  // NAT64: what is really dialled is the IPv4 address in the last four bytes.
  if (address.range() === 'rfc6052') {
    return isPublicAddress(address.toByteArray().slice(-4).join('.'));
  }
  // 2000::/3 is all that is handed out; this also refuses ::127.0.0.1, which range() calls unicast.
  const inGlobalBlock = ((address.parts[0] ?? 0) & 0xe000) === 0x2000;
  return inGlobalBlock && address.range() === 'unicast';
}

/** A host as the URL parser spells it: lower case, canonical IPv4, IPv6 without brackets. */
function canonicalHost(host: string): string | undefined {
  const bare = host.trim();
  // The URL parser takes `*.example.com`, which would then quietly match nothing.
  if (!/^[\p{L}\p{N}.:[\]_-]+$/u.test(bare)) return undefined;
  const authority = bare.includes(':') && !bare.startsWith('[') ? `[${bare}]` : bare;
  if (!URL.canParse(`http://${authority}/`)) return undefined;
  const url = new URL(`http://${authority}/`);
  if (
    url.port !== '' ||
    url.username !== '' ||
    url.pathname !== '/' ||
    url.search !== '' ||
    url.hash !== ''
  ) {
    return undefined;
  }
  return withoutBrackets(url.hostname);
}

export const withoutBrackets = (hostname: string): string =>
  hostname.startsWith('[') ? hostname.slice(1, -1) : hostname;

/** The hosts of `LIVESTOW_MEDIA_HOSTS`, canonical; throws CONFIG for what is no host. */
export function parseMediaHosts(hosts: Iterable<string>): ReadonlySet<string> {
  const allowed = new Set<string>();
  for (const host of hosts) {
    const canonical = canonicalHost(host);
    if (canonical === undefined) {
      throw new LivestowError('CONFIG', `${JSON.stringify(host.slice(0, 80))} is not a host`, {
        hint: 'LIVESTOW_MEDIA_HOSTS takes host names or addresses, comma-separated, without scheme or port',
      });
    }
    allowed.add(canonical);
  }
  return allowed;
}
