/** What a session has beside its manifest: how many watched, and what happened. Of one that goes on, from its journals. */
import { z } from 'zod';
import { linesOf, readText } from '../archive/read-text.ts';
import { keyIn, type SessionRef } from '../archive/session-reader.ts';
import { sampleSchema, type ViewerSample } from '../archive/viewers.ts';
import type { WatchedSession } from '../archive/watched-session.ts';
import { isLivestowError } from '../kernel/errors.ts';
import { sessionKeys } from '../layout/keys.ts';
import type { Manifest } from '../model/manifest.ts';
import type { Store } from '../store/store.ts';

const eventSchema = z.object({
  at: z.string(),
  event: z.string(),
  detail: z.record(z.string(), z.unknown()).catch({}),
});

export interface SessionRecords {
  samples: readonly ViewerSample[];
  events: readonly z.infer<typeof eventSchema>[];
}

const NONE: SessionRecords = { samples: [], events: [] };

/** What cannot be read is left out: it is an extra. */
export async function readRecords(
  store: Store,
  ref: SessionRef,
  manifest: Manifest,
  watched: WatchedSession,
): Promise<SessionRecords> {
  try {
    if (manifest.sealedAt === null) {
      const entries = await watched.records();
      return {
        samples: entries.filter((entry) => entry.type === 'sample'),
        events: entries.filter((entry) => entry.type === 'event'),
      };
    }
    const [samples, events] = await Promise.all(
      [sessionKeys.samples, sessionKeys.events].map((key) => readText(store, keyIn(ref, key))),
    );
    return { samples: linesOf(samples ?? '', sampleSchema), events: linesOf(events ?? '', eventSchema) };
  } catch (error) {
    if (isLivestowError(error, 'MANIFEST', 'STORE_NOT_FOUND')) return NONE;
    throw error;
  }
}
