/** The commented example that `config init` writes: every setting with what it is for, at its default. */
import { stringify } from 'yaml';
import { aboutSetting, defaultText, SETTING_KEYS } from './schema.ts';

const WIDTH = 100;

function wrapped(text: string): string[] {
  const lines: string[] = [];
  let line = '#';
  for (const word of text.split(' ')) {
    if (line.length + word.length + 1 > WIDTH) {
      lines.push(line);
      line = '#';
    }
    line += ` ${word}`;
  }
  return [...lines, line];
}

export function exampleConfig(): string {
  const blocks = SETTING_KEYS.map((key) => {
    const { description, env, flag, example } = aboutSetting(key);
    const fallback = defaultText(key);
    const also = [flag, env].filter((name) => name !== undefined).join(', ');
    return [
      ...wrapped(description),
      ...(also === '' ? [] : [`# Also: ${also}`]),
      fallback === undefined
        ? `# ${key}: ${example ?? ''}`.trimEnd()
        : stringify({ [key]: fallback }).trimEnd(),
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
