/** What is in force for one creator: its own settings, before its group's, before those that hold for all. */
import type { Windows } from '../schedule/windows.ts';
import type { Preferences } from '../variant/preferences.ts';
import type { CreatorEntry, CreatorSettings } from './creators.ts';
import type { LoadedConfig } from './load.ts';
import type { Config, SettingKey } from './schema.ts';

/** Of these it is compared whether a creator's settings changed: plain data only. */
export interface CreatorInForce {
  handle: string;
  group: string | null;
  paused: boolean;
  note: string | null;
  store: string;
  ranking: Preferences;
  /** Null: at any time. */
  windows: Windows | null;
  /** From -100 to 100. */
  priority: number;
  maxDurationMs: number | null;
  /** Null: the cadence is planned. */
  pollIntervalMs: number | null;
  sampleIntervalMs: number;
  maxHoldMs: number;
}

export function creatorInForce(entry: CreatorEntry, config: Config): CreatorInForce {
  const group: CreatorSettings = (entry.group === undefined ? undefined : config.groups[entry.group]) ?? {};
  return {
    handle: entry.handle,
    group: entry.group ?? null,
    paused: entry.paused,
    note: entry.note ?? null,
    store: entry.store ?? group.store ?? config.store,
    ranking: entry.ranking ?? group.ranking ?? config.ranking,
    windows: entry.windows ?? group.windows ?? null,
    priority: entry.priority ?? group.priority ?? 0,
    maxDurationMs: entry.maxDuration ?? group.maxDuration ?? null,
    pollIntervalMs: entry.pollInterval ?? group.pollInterval ?? config.pollIntervalMs,
    sampleIntervalMs: entry.sampleInterval ?? group.sampleInterval ?? config.sampleIntervalMs,
    maxHoldMs: entry.maxHold ?? group.maxHold ?? config.maxHoldMs,
  };
}

/** For a command about single creators: what its command line says goes before what is a creator's own. */
export function underFlags(
  creator: CreatorInForce,
  { config, given }: Pick<LoadedConfig, 'config' | 'given'>,
): CreatorInForce {
  const unlessSaid = <T>(key: SettingKey, own: T, said: T): T =>
    given[key].origin.kind === 'flag' ? said : own;
  return {
    ...creator,
    store: unlessSaid('store', creator.store, config.store),
    pollIntervalMs: unlessSaid('pollInterval', creator.pollIntervalMs, config.pollIntervalMs),
    sampleIntervalMs: unlessSaid('sampleInterval', creator.sampleIntervalMs, config.sampleIntervalMs),
    maxHoldMs: unlessSaid('maxHold', creator.maxHoldMs, config.maxHoldMs),
  };
}
