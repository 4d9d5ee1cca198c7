/** The commented example that `config init` writes: every setting with what it is for, at its default. */
import { stringify } from 'yaml';
import { aboutSetting, SETTING_KEYS, settingJson, type SettingKey } from './schema.ts';

const WIDTH = 100;

function comment(text: string, indent = ''): string[] {
  const lines: string[] = [];
  let line = `${indent}#`;
  for (const word of text.split(' ')) {
    if (line.length + word.length + 1 > WIDTH) {
      lines.push(line);
      line = `${indent}#`;
    }
    line += ` ${word}`;
  }
  return [...lines, line];
}

/** `key: value`, or commented out where there is no default. */
function keyValue(key: string, fallback: unknown, example = ''): string {
  if (fallback === undefined) return `# ${key}: ${example}`.trimEnd();
  const value = stringify(fallback, { collectionStyle: 'flow', flowCollectionPadding: false });
  return `${key}: ${value.trimEnd()}`;
}

function parts(key: SettingKey): string[] | undefined {
  const { properties } = settingJson(key);
  if (properties === undefined) return undefined;
  return Object.entries(properties).flatMap(([name, part]) => {
    if (typeof part !== 'object') return [];
    return [
      ...(part.description === undefined ? [] : comment(part.description, '  ')),
      `  ${keyValue(name, part.default)}`,
    ];
  });
}

export function exampleConfig(): string {
  const blocks = SETTING_KEYS.map((key) => {
    const { description, env, flag, example } = aboutSetting(key);
    const also = [flag, env].filter((name) => name !== undefined).join(', ');
    const nested = parts(key);
    return [
      ...comment(description),
      ...(also === '' ? [] : [`# Also: ${also}`]),
      ...(nested === undefined ? [keyValue(key, settingJson(key).default, example)] : [`${key}:`, ...nested]),
    ].join('\n');
  });
  return [
    '# Settings of livestow, each at its default.',
    '# The command line goes before the environment, the environment before this file.',
    '# Relative paths are relative to this file. livestow config check says what is in force.',
    '',
    blocks.join('\n\n'),
    '',
  ].join('\n');
}
