import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createContext } from '../../src/cli/context.ts';
import { placesOf } from '../../src/cli/completion/grammar.ts';
import { completionScript, SHELLS } from '../../src/cli/completion/scripts.ts';
import { createProgram } from '../../src/cli/program.ts';
import { openStore } from '../../src/store/open-store.ts';
import { HOUR, NOW, write, type Written } from '../catalogue/archive.ts';
import { CliFolder, MAIN } from './run.ts';

let folder: CliFolder;
let newest: Written;
let archive: string;
beforeAll(async () => {
  folder = await CliFolder.make();
  archive = join(folder.path, 'archive');
  const store = openStore(archive);
  await write(store, { handle: 'alice', foundAtMs: NOW - 2 * HOUR });
  newest = await write(store, { handle: 'bob', foundAtMs: NOW - HOUR });
  store.close();
  const start = `#!/bin/sh\nexec '${process.execPath}' '${MAIN}' "$@"\n`;
  await writeFile(join(folder.path, 'livestow'), start, { mode: 0o755 });
  await writeFile(join(folder.path, 'livestow.yaml'), 'creators: [carol]\nstore: ./archive\n');
  const { exitCode, stderr } = await folder.run(['ls']);
  if (exitCode !== 0) throw new Error(stderr);
});
afterAll(() => folder[Symbol.asyncDispose]());

/** What bash would offer behind this line, as its readline asks for it. */
async function offered(line: string): Promise<string[]> {
  const words = line.split(/(@)| /).filter((word) => word !== undefined && word !== '');
  if (/[ @]$/.test(line)) words.push('');
  const script = `
    source <("$PWD/livestow" completion bash)
    COMP_LINE=$1 COMP_POINT=\${#1}
    shift
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
    complete -p livestow >/dev/null && _livestow
    printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout } = await execa('bash', ['--norc', '-c', script, 'bash', line, ...words], {
    cwd: folder.path,
    env: folder.environment({ PATH: `${folder.path}:${process.env['PATH'] ?? ''}` }),
    extendEnv: false,
  });
  return stdout.split('\n').filter((word) => word !== '');
}

describe('bash completes', () => {
  test.each<[line: string, words: string[]]>([
    ['livestow comp', ['completion']],
    ['livestow --store x rei', ['reindex']],
    ['livestow config ', ['check', 'schema', 'init']],
    ['livestow ls --sor', ['--sort']],
    ['livestow ls --sort ', ['found', 'length', 'size', 'coverage', 'gaps']],
    ['livestow ls --sort length --codec h26', ['h264', 'h265']],
    ['livestow completion ', ['bash', 'zsh', 'fish']],
    ['livestow show @a', ['@alice']],
    ['livestow ls ', ['carol', 'bob', 'alice']],
    ['livestow record c', ['carol']],
    ['livestow ls --from ', []],
    ['livestow export -o x.mp4 --for', ['--force']],
  ])('%s', async (line, words) => {
    expect((await offered(line)).sort()).toEqual([...words].sort());
  });

  test('session ids, of the archive that the line names', async () => {
    const begun = `livestow show --store ${archive} ${newest.session.slice(0, -3)}`;
    expect(await offered(begun)).toEqual([newest.session]);
    expect(await offered(`livestow show --store ${folder.path}/other 2`)).toEqual([]);
  });
});

test('nothing is asked of the bucket, and nothing is made where nothing is cached', async () => {
  const { stdout, exitCode, stderr } = await folder.run(['completion', '--names', 'session'], {
    LIVESTOW_STORE: 's3://bucket/x?endpoint=http://127.0.0.1:1',
  });
  expect({ stdout, exitCode, stderr }).toEqual({ stdout: '', exitCode: 0, stderr: '' });
});

test.each(SHELLS)('the script for %s has every command and flag', async (shell) => {
  const places = placesOf(await createProgram(createContext(process), []));
  const script = completionScript(shell, places);
  const words = places.flatMap(({ commands, flags }) => [...commands, ...flags].map(({ word }) => word));
  expect(words.length).toBeGreaterThan(200);
  expect(words.filter((word) => !script.includes(word.replace(/^-+/, '')))).toEqual([]);
});

test('another shell: exit 2', async () => {
  expect(await folder.run(['completion', 'tcsh'])).toMatchObject({ exitCode: 2 });
  expect(await folder.run(['completion'])).toMatchObject({ exitCode: 2 });
});
