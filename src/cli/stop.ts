/**
 * What the operator's signals mean to a running command. The first SIGINT asks it to end the recording, the first
 * SIGTERM to drain; which of them it was is the abort reason. A second signal of either kind stops at once.
 *
 * The handlers are there only for a command that asks for them: any other is ended by the signal itself.
 */

import { StopRequest, type StopKind } from '../kernel/stop-request.ts';

const SIGNALS = { SIGINT: 'interrupt', SIGTERM: 'drain' } as const;
/** As the shell gives for a process that a signal ended. */
const EXIT_AT_ONCE = { SIGINT: 130, SIGTERM: 143 } as const;

/** Installs the handlers; `onStop` is told of the first signal. */
export function listenForStop(onStop: (kind: StopKind) => void): AbortSignal {
  const controller = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.on(name, () => {
      if (controller.signal.aborted) process.exit(EXIT_AT_ONCE[name]);
      onStop(SIGNALS[name]);
      controller.abort(new StopRequest(SIGNALS[name]));
    });
  }
  return controller.signal;
}
