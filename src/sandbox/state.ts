/** What is going on, as `GET /_sandbox/state` shows it. */
import { snapshot, type FiredFault, type TransferSnapshot } from './ledger.ts';
import type { World } from './world.ts';

export interface SandboxState {
  /** Since the scenario began. */
  nowMs: number;
  speed: number;
  lookups: number;
  creditsCharged: number;
  openConnections: number;
  creators: Record<string, { live: boolean; roomId: string | null; sinceMs: number | null }>;
  transfers: TransferSnapshot[];
  fired: FiredFault[];
}

export function stateOf({ now, scenario, api, cdn, creators, ledger }: World): SandboxState {
  const creatorState = [...creators].map(([handle, { broadcast }]) => {
    const edgeMs = broadcast?.edgeMs() ?? 0;
    const live = broadcast !== undefined && !broadcast.over;
    const roomId = broadcast?.room(edgeMs).roomId ?? null;
    return [
      handle,
      { live, roomId, sinceMs: broadcast && live ? edgeMs - broadcast.originMs : null },
    ] as const;
  });
  return {
    nowMs: now(),
    speed: scenario.speed,
    lookups: api.requests,
    creditsCharged: api.creditsCharged,
    openConnections: cdn.connections,
    creators: Object.fromEntries(creatorState),
    transfers: ledger.transfers.map(snapshot),
    fired: ledger.fired(),
  };
}
