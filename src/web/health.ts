/**
 * `/healthz`: the process answers, and its event loop keeps up; whoever supervises it starts it anew when not. `/readyz`:
 * whether it can do its work now; says which of the conditions fails, and nothing more, for anybody may ask.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Hono } from 'hono';
import type { Clock } from '../kernel/clock.ts';
import type { DaemonView } from './daemon-view.ts';
import type { Checks } from './schemas.ts';

const RESOLUTION_MS = 20;
/** When most turns of the loop are later than this, nothing here is in time any more. */
const STUCK_MS = 2_000;
const WINDOW_MS = 60_000;

export class LoopWatch {
  readonly #clock: Clock;
  readonly #delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  #cancel: () => void;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#delay.enable();
    this.#cancel = clock.after(WINDOW_MS, this.#again);
  }

  get isKeepingUp(): boolean {
    return this.#delay.percentile(50) / 1e6 < STUCK_MS;
  }

  close(): void {
    this.#cancel();
    this.#delay.disable();
  }

  readonly #again = (): void => {
    this.#delay.reset();
    this.#cancel = this.#clock.after(WINDOW_MS, this.#again);
  };
}

/** @param daemon undefined while it starts, null where there is none to wait for */
export function healthRoutes(loop: LoopWatch, daemon: DaemonView | null | undefined): Hono {
  const app = new Hono();
  app.get('/healthz', (c) => {
    const answer = answerOf({ eventLoop: loop.isKeepingUp });
    return c.json(answer, answer.ok ? 200 : 503);
  });
  app.get('/readyz', async (c) => {
    // It has not started before its config is loaded.
    const answer = answerOf(
      daemon ? { config: true, ...(await daemon.readiness()) } : { config: true, started: daemon === null },
    );
    return c.json(answer, answer.ok ? 200 : 503);
  });
  return app;
}

const answerOf = (checks: Record<string, boolean>): Checks => ({
  ok: Object.values(checks).every(Boolean),
  checks,
});
