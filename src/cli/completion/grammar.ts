/** The command line as completion sees it: which words may follow which command, and what an argument stands for. */
import type { Argument, Command, Option } from 'commander';

/** What stands for something that only the archive or the disk knows. */
export type NameKind = 'session' | 'handle' | 'file' | 'none';

export interface Word {
  word: string;
  /** One line. */
  about: string;
}

export interface Flag extends Word {
  /** Null: it takes none. Words, or something that is looked up. */
  value: NameKind | readonly string[] | null;
}

export interface Place {
  /** The commands up to here, by a space: `` for livestow itself, `config check`. */
  path: string;
  commands: Word[];
  flags: Flag[];
  argument: NameKind | readonly string[];
}

/** Every place in a program, the outermost first. Its global flags are those of each place. */
export function placesOf(program: Command): Place[] {
  const places: Place[] = [];
  const visit = (command: Command, path: string, inherited: readonly Flag[]): void => {
    const flags = [...inherited, ...command.options.filter(({ hidden }) => !hidden).map(flagOf)];
    places.push({
      path,
      commands: command.commands.map((child) => ({
        word: child.name(),
        about: firstLine(child.description()),
      })),
      flags: [...flags, { word: '--help', about: 'what it does, and how it is called', value: null }],
      argument: argumentOf(command.registeredArguments[0]),
    });
    for (const child of command.commands)
      visit(child, path === '' ? child.name() : `${path} ${child.name()}`, flags.filter(isGlobal));
  };
  const globals = new Set(program.options.map(({ long }) => long));
  const isGlobal = ({ word }: Flag): boolean => globals.has(word) && word !== '--version';
  visit(program, '', []);
  return places;
}

function flagOf({ long, short, description, required, optional, argChoices, flags }: Option): Flag {
  const takes = /<([^>]+)>/.exec(flags)?.[1] ?? '';
  const value = argChoices ?? (/^(?:file|dir|location)$/.test(takes) ? 'file' : 'none');
  return {
    word: long ?? short ?? '',
    about: firstLine(description),
    value: required || optional ? value : null,
  };
}

function argumentOf(argument: Argument | undefined): Place['argument'] {
  if (argument?.argChoices !== undefined) return argument.argChoices;
  const [, name] = /^(session|handle|file)s?$/.exec(argument?.name() ?? '') ?? [];
  return (name as NameKind | undefined) ?? 'none';
}

const firstLine = (text: string): string => (text.split('\n')[0] ?? '').slice(0, 100);
