/** One scenario being played: its clock, its creators, its lookup API and its CDN. A new scenario is a new world. */
import type { Clock } from '../kernel/clock.ts';
import { LivestowError } from '../kernel/errors.ts';
import { Cdn } from './cdn/cdn.ts';
import { startTicker, TICK_MS } from './cdn/ticker.ts';
import { creatorsOf, type SimulatedCreator } from './creators.ts';
import { Ledger } from './ledger.ts';
import { LookupApi } from './lookup-api.ts';
import type { MediaLibrary } from './media/library.ts';
import type { Scenario } from './scenario.ts';

export class World {
  readonly scenario: Scenario;
  readonly ledger: Ledger;
  readonly creators: ReadonlyMap<string, SimulatedCreator>;
  readonly api: LookupApi;
  readonly cdn: Cdn;
  readonly now: () => number;
  readonly #stopTicker: () => void;

  constructor(scenario: Scenario, library: MediaLibrary, clock: Clock, tickMs = TICK_MS) {
    const beganMs = clock.monotonic();
    this.now = () => clock.monotonic() - beganMs;
    this.scenario = scenario;
    this.ledger = new Ledger(this.now);
    this.creators = creatorsOf(scenario, this.ledger, this.now);
    const { ledger, creators, now } = this;
    this.cdn = new Cdn({ scenario, creators, ledger, library, clock });
    const streamAddress: Cdn['address'] = (address, positionMs) => this.cdn.address(address, positionMs);
    this.api = new LookupApi({ scenario, creators, ledger, clock, now, streamAddress });
    this.#tick();
    this.#stopTicker = startTicker(clock, tickMs, () => this.#tick());
  }

  /** Throws NOT_FOUND. */
  creator(handle: string): SimulatedCreator {
    const creator = this.creators.get(handle.replace(/^@/, '').toLowerCase());
    if (!creator) {
      throw new LivestowError('NOT_FOUND', `No creator ${JSON.stringify(handle)} is in the scenario.`);
    }
    return creator;
  }

  close(): void {
    this.#stopTicker();
    this.api.close();
    this.cdn.close();
  }

  #tick(): void {
    for (const creator of this.creators.values()) {
      creator.tick();
    }
    this.cdn.tick();
  }
}
