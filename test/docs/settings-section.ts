/** The settings as docs/configuration.md shows them, made from the schema. */
import { stringify } from 'yaml';
import { aboutSetting, SETTING_KEYS, settingJson, type SettingKey } from '../../src/config/schema.ts';

const code = (text: string): string => `\`${text}\``;
const inline = (value: unknown): string =>
  stringify(value, { collectionStyle: 'flow', flowCollectionPadding: false }).trimEnd();

/** A sentence of the schema, in which a place in angle brackets would be read as HTML. */
const sentence = (text: string): string =>
  text.replaceAll(/\S*(?:<|…)\S*/g, (word) => word.replace(/^(.*?)([.,;:]?)$/, '`$1`$2'));

function setting(key: SettingKey): string {
  const { description, form, flag, value, env } = aboutSetting(key);
  const { default: fallback, properties } = settingJson(key);
  const names = [
    ...(flag === undefined ? [] : [code(`${flag} <${value ?? 'value'}>`)]),
    ...(env === undefined ? [] : [code(env)]),
    ...(properties !== undefined
      ? []
      : [fallback === undefined ? 'no default' : `default ${code(inline(fallback))}`]),
  ];
  const head = [`### ${key}`, ...(names.length === 0 ? [] : [names.join(' · ')]), sentence(description)];
  if (properties === undefined) return [...head, `Accepted: ${sentence(form)}.`].join('\n\n');
  const rows = Object.entries(properties).map(([name, part]) => {
    if (typeof part !== 'object') throw new Error(`${key}.${name} has no schema`);
    const shown = part.default === undefined ? '–' : code(inline(part.default));
    return `| ${code(name)} | ${shown} | ${part.description ?? ''} |`;
  });
  return [...head, ['| part | default | |', '|---|---|---|', ...rows].join('\n')].join('\n\n');
}

export const settingsSection = (): string => SETTING_KEYS.map(setting).join('\n\n');
