/** What is in force and where each value came from, for people and for `--json`. */
import { scrub } from '../kernel/redact.ts';
import type { LoadedConfig } from './load.ts';
import { originText } from './origin.ts';
import { aboutSetting, SETTING_KEYS, type SettingKey } from './schema.ts';

export interface SettingInForce {
  key: SettingKey;
  /** As it would be written in a file, places in full; null when there is none; secrets as `[redacted]`. */
  value: unknown;
  /** `livestow.yaml:3`, `LIVESTOW_STORE`, `--store`, `default` */
  from: string;
  /** Where else it is set, to something that counts for nothing: another layer goes before it. */
  hides: string | null;
}

/** Paths are made absolute and preferences filled up: of these what came of them says more than what was written. */
const isCompleted = (key: SettingKey) =>
  key === 'store' || key === 'spool' || key === 'cache' || key === 'ranking';

export function settingsInForce({ config, given, hidden }: LoadedConfig): SettingInForce[] {
  return SETTING_KEYS.map((key) => {
    const { raw, origin } = given[key];
    const said = isCompleted(key) ? config[key] : (raw ?? null);
    const value = key === 'apiUrl' && typeof said === 'string' ? scrub(said) : said;
    return {
      key,
      value: value !== null && aboutSetting(key).secret && origin.kind !== 'default' ? '[redacted]' : value,
      from: originText(origin),
      hides: hidden[key] ? originText(hidden[key].origin) : null,
    };
  });
}
