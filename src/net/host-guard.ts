/**
 * Decides whether a host may be dialled. The decision falls on the addresses that will really be used, at connect time,
 * so that redirects, odd spellings and DNS names that change their answer are all covered. A host named in the
 * configuration is let through whatever it resolves to.
 */
import { lookup as systemLookup, type LookupAddress, type LookupOptions } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import { LivestowError } from '../kernel/errors.ts';
import { isPublicAddress, withoutBrackets } from './address.ts';

/** As `dns.lookup` with `all: true`. */
export type Resolve = (
  hostname: string,
  options: LookupOptions & { all: true },
  callback: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void;

export interface HostGuard {
  /** Undefined when the host may be asked for; for a name only its addresses can tell, see `lookup`. */
  refusal(hostname: string): LivestowError | undefined;
  /** For `net.connect`: resolves a name and fails with MEDIA_FORBIDDEN_HOST when any of its addresses is not public. */
  lookup: LookupFunction;
}

function forbidden(host: string): LivestowError {
  return new LivestowError(
    'MEDIA_FORBIDDEN_HOST',
    `media from ${host} is refused: it is not a public address`,
    {
      hint: `name the host in LIVESTOW_MEDIA_HOSTS (--media-hosts ${host}) if you trust it`,
      context: { host },
    },
  );
}

/** `allowed` holds canonical hosts, see `parseMediaHosts`. */
export function createHostGuard(allowed: ReadonlySet<string>, resolve: Resolve = systemLookup): HostGuard {
  const isAllowed = (hostname: string) => allowed.has(withoutBrackets(hostname).toLowerCase());

  return {
    refusal(hostname) {
      const bare = withoutBrackets(hostname);
      return isIP(bare) === 0 || isAllowed(bare) || isPublicAddress(bare) ? undefined : forbidden(bare);
    },

    lookup(hostname, options, callback) {
      resolve(hostname, { ...options, all: true }, (error, addresses) => {
        if (error) return callback(error, []);
        const first = addresses[0];
        if (first === undefined) return callback(new Error(`no address for ${hostname}`), []);
        // One bad address spoils the name: an honest CDN has none.
        if (!isAllowed(hostname) && !addresses.every(({ address }) => isPublicAddress(address))) {
          return callback(forbidden(hostname), []);
        }
        if (options.all === true) callback(null, addresses);
        else callback(null, first.address, first.family);
      });
    },
  };
}
