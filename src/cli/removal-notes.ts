/** What `rm` and `prune` tell beside their results. */
import { Deadline } from '../kernel/deadline.ts';
import { readManifest, type SessionRef } from '../archive/session-reader.ts';
import type { Store } from '../store/store.ts';
import type { CliContext } from './context.ts';

export async function tellVersions({ err }: CliContext, store: Store, signal: AbortSignal): Promise<void> {
  if ((await store.keepsVersions(signal)) !== true) return;
  err.line(
    'note: this bucket keeps old versions: what was removed takes its room until a lifecycle rule expires them',
  );
}

/** A store that may be away must not keep a command from ending. */
const PATIENCE_MS = 5_000;

/** After an interruption or a failure: how the session was left. */
export async function tellBrokenOff(
  { clock, err }: CliContext,
  store: Store,
  ref: SessionRef,
): Promise<void> {
  using patience = new Deadline(clock, PATIENCE_MS);
  const isGone = await readManifest(store, ref, patience.signal).then(
    ({ manifest }) => (manifest ? manifest.deletedAt !== null : undefined),
    () => undefined,
  );
  const name = `@${ref.handle} ${ref.session}`;
  if (isGone === false) err.line(`${name} is as it was`);
  else
    err.line(
      `${name} is ${isGone ? '' : 'perhaps '}removed in part: the next \`livestow prune\` finishes it`,
    );
}
