/**
 * What the operator's signals mean to a running command. The first SIGINT asks it to end the recording, the first
 * SIGTERM, or a terminal that is closed (SIGHUP), to drain; which of them it was is the abort reason. A second SIGINT or
 * SIGTERM stops at once. A second SIGHUP says nothing new: the shell and the system both send one. A daemon, which has no
 * terminal, takes SIGHUP to read its config file again.
 *
 * The handlers are there only for a command that asks for them: any other is ended by the signal itself.
 */

import { constants } from 'node:os';
import { StopRequest, type StopKind } from '../kernel/stop-request.ts';

const SIGNALS = { SIGINT: 'interrupt', SIGTERM: 'drain', SIGHUP: 'drain' } as const;

/** How long shipping may go on after such an end: `docs/operations.md` says so to the operator. */
export const STOP_PATIENCE_MS = { interrupt: 60_000, drain: 20_000 } as const satisfies Record<
  StopKind,
  number
>;

/** Installs the handlers; `onStop` is told of the first signal, `onHangup`, where given, of each SIGHUP instead. */
export function listenForStop(onStop: (kind: StopKind) => void, onHangup?: () => void): AbortSignal {
  const controller = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(name, () => {
      if (name === 'SIGHUP' && onHangup) return onHangup();
      if (controller.signal.aborted) {
        if (name === 'SIGHUP') return;
        // As the shell gives for a process that a signal ended.
        process.exit(128 + constants.signals[name]);
      }
      onStop(SIGNALS[name]);
      controller.abort(new StopRequest(SIGNALS[name]));
    });
  }
  return controller.signal;
}
