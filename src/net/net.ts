/** Everything of livestow that dials out over HTTP, apart from the store: made once, closed once. */
import type { Dispatcher } from 'undici';
import { parseMediaHosts } from './address.ts';
import { createGuardedDispatcher, createOpenDispatcher } from './dispatcher.ts';
import { createHostGuard, type Resolve } from './host-guard.ts';
import { createMediaClient, type MediaClient } from './media-client.ts';

export interface Net {
  media: MediaClient;
  /** For the lookup API: no address is refused, its base URL is the operator's own. */
  api: Dispatcher;
  /** Drops every connection at once. */
  close(): Promise<void>;
}

/** `mediaHosts`: what `LIVESTOW_MEDIA_HOSTS` names; `proxy`: `LIVESTOW_PROXY`. Throws CONFIG when either is malformed. */
export function createNet(settings: {
  mediaHosts: Iterable<string>;
  proxy: string | null;
  resolve?: Resolve;
}): Net {
  const guard = createHostGuard(parseMediaHosts(settings.mediaHosts), settings.resolve);
  const mediaDispatcher = createGuardedDispatcher(guard, settings.proxy);
  const api = createOpenDispatcher(settings.proxy);
  return {
    media: createMediaClient({ dispatcher: mediaDispatcher, guard, proxied: settings.proxy !== null }),
    api,
    close: async () => {
      await Promise.all([mediaDispatcher.destroy(), api.destroy()]);
    },
  };
}
