/**
 * Completion scripts for bash, zsh and fish. What can follow is written into them; only sessions and handles are asked of
 * livestow, which answers from what is cached of the archive, without network.
 */
import type { Flag, NameKind, Place, Word } from './grammar.ts';

export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

/** Handed on to livestow when it is asked: they say which archive is meant. */
const OF_ARCHIVE = ['--store', '--config', '--cache'];

export const completionScript = (shell: Shell, places: readonly Place[]): string =>
  ({ bash, zsh, fish })[shell](places);

const isNames = (kind: Place['argument']): kind is NameKind => typeof kind === 'string';
const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;
const ofFish = (text: string): string => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
const indented = (lines: readonly string[], by: string): string => lines.map((line) => by + line).join('\n');

/** The other flags that take a value, wherever they may stand: what follows one is no command. */
const valued = (places: readonly Place[]): string[] => [
  ...new Set(
    places.flatMap(({ flags }) =>
      flags.filter(({ word, value }) => value !== null && !OF_ARCHIVE.includes(word)).map(({ word }) => word),
    ),
  ),
];

/** In bash and zsh alike: `case` branches that go from one place to the next. */
const steps = (places: readonly Place[]): string[] =>
  places
    .filter(({ path }) => path !== '')
    .map(({ path }) => `${quoted(path.includes(' ') ? path : ` ${path}`)}) at=${quoted(path)} ;;`);

const names = (kind: NameKind): string =>
  kind === 'session' ? '_livestow_names session' : '_livestow_names handle';

function bash(places: readonly Place[]): string {
  const words = (kind: Place['argument']): string => {
    if (!isNames(kind)) return `words=${quoted(kind.join(' '))}`;
    if (kind === 'file') return 'files=1';
    return kind === 'none' ? ':' : `words=$(${names(kind)})`;
  };
  const values = places.flatMap(({ path, flags }) =>
    flags.flatMap((flag) =>
      flag.value === null ? [] : [`${quoted(`${path} ${flag.word}`)}) ${words(flag.value)} ;;`],
    ),
  );
  const follow = places.map(({ path, commands, flags, argument }) => {
    const listed = (all: readonly Word[]): string => quoted(all.map(({ word }) => word).join(' '));
    const otherwise = commands.length > 0 ? `words=${listed(commands)}` : words(argument);
    return `${quoted(path)}) if [[ $cur == -* ]]; then words=${listed(flags)}; else ${otherwise}; fi ;;`;
  });
  return `# Completion of livestow for bash: source <(livestow completion bash)
_livestow_names() {
  "\${COMP_WORDS[0]}" completion --names "$1" \${settings[@]+"\${settings[@]}"} 2>/dev/null
}

_livestow() {
  local cur at='' word words='' files='' i
  local -a settings=()
  # As it stands on the line: bash breaks words at @ too, and replaces them with it all the same.
  cur=\${COMP_LINE:0:COMP_POINT}
  cur=\${cur##*[[:space:]]}
  local -a line
  read -ra line <<<"\${COMP_LINE:0:COMP_POINT}"
  [[ -n $cur ]] && unset "line[\${#line[@]} - 1]"
  local prev=\${line[\${#line[@]} - 1]}
  for ((i = 1; i < \${#line[@]}; i++)); do
    word=\${line[i]}
    case $word in
      ${OF_ARCHIVE.join(' | ')}) settings+=("$word" "\${line[i + 1]}"); ((i++)) ;;
      ${valued(places).join(' | ')}) ((i++)) ;;
      -*) ;;
      *) case "$at $word" in
${indented(steps(places), '          ')}
        esac ;;
    esac
  done
  case "$at $prev" in
${indented(values, '    ')}
    *) case $at in
${indented(follow, '        ')}
      esac ;;
  esac
  COMPREPLY=()
  if [[ -n $files ]]; then
    compopt -o default 2>/dev/null
    return
  fi
  while IFS= read -r word; do COMPREPLY+=("$word"); done < <(compgen -W "$words" -- "$cur")
}

complete -F _livestow livestow`;
}

function zsh(places: readonly Place[]): string {
  const described = (all: readonly Word[]): string =>
    all.map(({ word, about }) => quoted(`${word}:${about.replaceAll(':', '\\:')}`)).join(' ');
  const words = (kind: Place['argument']): string => {
    if (!isNames(kind)) return `compadd -- ${kind.map(quoted).join(' ')}`;
    if (kind === 'file') return '_files';
    return kind === 'none' ? ':' : `compadd -- \${(f)"$(${names(kind)})"}`;
  };
  const values = places.flatMap(({ path, flags }) =>
    flags.flatMap((flag) =>
      flag.value === null ? [] : [`${quoted(`${path} ${flag.word}`)}) ${words(flag.value)} ;;`],
    ),
  );
  const follow = places.map(({ path, commands, flags, argument }) => {
    const otherwise =
      commands.length > 0 ? `known=(${described(commands)}); _describe command known` : words(argument);
    return `${quoted(path)}) if [[ $PREFIX == -* ]]; then known=(${described(flags)}); _describe option known; else ${otherwise}; fi ;;`;
  });
  return `#compdef livestow
# Completion of livestow for zsh: livestow completion zsh > "\${fpath[1]}/_livestow"
_livestow_names() {
  "\${words[1]}" completion --names "$1" "\${settings[@]}" 2>/dev/null
}

_livestow() {
  local at='' word
  local -a settings known
  integer i
  for ((i = 2; i < CURRENT; i++)); do
    word=\${words[i]}
    case $word in
      (${OF_ARCHIVE.join('|')}) settings+=("$word" "\${words[i + 1]}"); ((i++)) ;;
      (${valued(places).join('|')}) ((i++)) ;;
      (-*) ;;
      (*) case "$at $word" in
${indented(steps(places), '          ')}
        esac ;;
    esac
  done
  case "$at \${words[CURRENT - 1]}" in
${indented(values, '    ')}
    *) case $at in
${indented(follow, '        ')}
      esac ;;
  esac
}

if [[ \${funcstack[1]} == _livestow ]]; then _livestow "$@"; else compdef _livestow livestow; fi`;
}

function fish(places: readonly Place[]): string {
  const values = (value: Flag['value']): string => {
    if (value === null) return '';
    if (!isNames(value)) return ` -x -a ${ofFish(value.join(' '))}`;
    if (value === 'file') return ' -r -F';
    return value === 'none' ? ' -x' : ` -x -a '(__livestow_names ${value})'`;
  };
  const lines = places.flatMap(({ path, commands, flags, argument }) => {
    const at = `complete -c livestow -n ${ofFish(`test (__livestow_at) = "${path}"`)}`;
    const named =
      isNames(argument) && argument !== 'session' && argument !== 'handle'
        ? argument === 'file'
          ? [`${at} -F`]
          : []
        : [`${at} -a ${isNames(argument) ? `'(__livestow_names ${argument})'` : ofFish(argument.join(' '))}`];
    return [
      ...commands.map(({ word, about }) => `${at} -a ${word} -d ${ofFish(about)}`),
      ...flags.map(
        ({ word, about, value }) => `${at} -l ${word.replace(/^-+/, '')} -d ${ofFish(about)}${values(value)}`,
      ),
      ...(commands.length > 0 ? [] : named),
    ];
  });
  return `# Completion of livestow for fish: livestow completion fish > ~/.config/fish/completions/livestow.fish
function __livestow_at
  set -l at ''
  set -l skip 0
  for word in (commandline -opc)[2..]
    if test $skip = 1
      set skip 0
      continue
    end
    switch $word
      case ${[...OF_ARCHIVE, ...valued(places)].join(' ')}
        set skip 1
      case '-*'
      case '*'
        switch "$at $word"
${indented(
  places
    .filter(({ path }) => path !== '')
    .flatMap(({ path }) => [
      `case ${ofFish(path.includes(' ') ? path : ` ${path}`)}`,
      `  set at ${ofFish(path)}`,
    ]),
  '          ',
)}
        end
    end
  end
  echo $at
end

function __livestow_names
  set -l line (commandline -opc)
  set -l settings
  for i in (seq (count $line))
    contains -- $line[$i] ${OF_ARCHIVE.join(' ')}; and set -a settings $line[$i] $line[(math $i + 1)]
  end
  $line[1] completion --names $argv[1] $settings 2>/dev/null
end

complete -c livestow -f
${lines.join('\n')}`;
}
