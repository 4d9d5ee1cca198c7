/** Reads a YAML config file: its values by key, and the line on which each thing stands. */
import { readFile } from 'node:fs/promises';
import { isMap, isNode, isScalar, LineCounter, parseDocument } from 'yaml';
import { isMissing } from '../kernel/files.ts';
import { messageOf } from '../kernel/errors.ts';
import type { Problem } from './origin.ts';

export interface ConfigFile {
  path: string;
  values: Record<string, unknown>;
  /** From 1; null when it cannot be said. */
  lineOf(path: readonly PropertyKey[]): number | null;
  /** What is wrong with the text itself. */
  problems: Problem[];
}

/** Undefined when there is no such file. Throws what the file system says otherwise. */
export async function readConfigFile(path: string): Promise<ConfigFile | undefined> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    if (isMissing(error)) return undefined;
    throw error;
  });
  return text === undefined ? undefined : parseConfigFile(path, text);
}

function parseConfigFile(path: string, text: string): ConfigFile {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const lineAt = (offset: number | undefined) => (offset === undefined ? null : lines.linePos(offset).line);

  const problem = (message: string, line: number | null): Problem => ({
    path: '',
    origin: { kind: 'file', path, line },
    message,
  });
  const problems = document.errors.map(({ message, pos }) => problem(`not YAML: ${message}`, lineAt(pos[0])));

  let values: Record<string, unknown> = {};
  if (problems.length === 0 && document.contents !== null) {
    if (isMap(document.contents)) {
      try {
        values = document.toJS() as Record<string, unknown>;
      } catch (error) {
        problems.push(problem(`not YAML: ${messageOf(error)}`, null));
      }
    } else if (!isScalar(document.contents) || document.contents.value !== null) {
      problems.push(problem('the file is not a list of "key: value" lines', 1));
    }
  }

  return {
    path,
    values,
    problems,
    lineOf(keys) {
      // The key's own line, not that of its value, which may begin further down.
      const parent = keys.length > 1 ? document.getIn(keys.slice(0, -1), true) : document.contents;
      const last = keys.at(-1);
      if (isMap(parent)) {
        const pair = parent.items.find(({ key }) => isScalar(key) && String(key.value) === String(last));
        if (isNode(pair?.key)) return lineAt(pair.key.range?.[0]);
      }
      const node = document.getIn(keys, true);
      return isNode(node) ? lineAt(node.range?.[0]) : null;
    },
  };
}
