/** `livestow creators`: who is watched by a running daemon, and orders about them. */
import { Command } from 'commander';
import { formatDuration } from '../../kernel/duration.ts';
import { LivestowError } from '../../kernel/errors.ts';
import { foreign } from '../../kernel/foreign-text.ts';
import { ApiClient } from '../../web/client.ts';
import {
  creatorListSchema,
  creatorSchema,
  removedSchema,
  type Creator,
  type NewCreator,
} from '../../web/schemas.ts';
import {
  action,
  examples,
  HANDLE_HELP,
  handleArgument,
  JSON_OPTION,
  type CommandFactory,
} from '../command.ts';
import type { CliContext } from '../context.ts';
import { nextLook } from '../creators-table.ts';
import { table } from '../table.ts';

const HEADINGS = [
  'CREATOR',
  'STATE',
  'GROUP',
  'PRIORITY',
  'NEXT LOOK',
  'FOUND WITHIN',
  'CREDITS/DAY',
  'NOTE',
];
const NUMBERS = new Set([3, 6]);

interface Flags {
  json?: true;
}

export const creatorsCommand: CommandFactory = (context) =>
  new Command('creators')
    .description('who is watched by a running `livestow serve`; add, remove, pause, record now, stop, note')
    .addHelpText(
      'after',
      `${examples(
        'creators',
        'creators add somebody --group night',
        'creators record somebody',
        "creators note somebody 'asked on Tuesday'",
      )}

Asks the daemon at the address of the setting listen, with the setting token. What is added or said here is kept over
restarts. Creators of the config file are taken off there; here they can be paused.`,
    )
    .addCommand(list(context), { isDefault: true })
    .addCommand(add(context))
    .addCommand(remove(context))
    .addCommand(
      order(
        context,
        'pause',
        'neither looks at it nor records it; a recording goes on to its end',
        (creator) => `is paused${goesOn(creator)}`,
      ),
    )
    .addCommand(order(context, 'resume', 'looks at it again', () => 'is watched again'))
    .addCommand(
      order(
        context,
        'record',
        'looks at once, and records what is live whatever windows say, also of a paused one',
        ({ recording }) => (recording === null ? 'is looked at now' : 'is recorded already'),
      ),
    )
    .addCommand(
      order(
        context,
        'stop',
        'ends its recording, seals it, and leaves that room alone',
        () => 'is not recorded any more; this room is left alone',
      ),
    )
    .addCommand(note(context));

const clientOf = async (context: CliContext, command: Command): Promise<ApiClient> =>
  new ApiClient((await context.loadConfig(command)).config);

const list = (context: CliContext): Command =>
  new Command('list')
    .description('every creator: what it is at, how soon it would be found live, what looking costs')
    .option(...JSON_OPTION)
    .action(
      action(async (flags: Flags, command: Command) => {
        const client = await clientOf(context, command);
        const { creators } = await client.get('/creators', creatorListSchema);
        if (flags.json) for (const creator of creators) context.out.jsonLine(creator);
        else if (creators.length === 0) context.err.line('nobody is watched');
        else {
          const rows = creators.map((creator) => row(creator, context.clock.now()));
          context.out.line(table([HEADINGS, ...rows], NUMBERS).join('\n'));
        }
      }),
    );

function row(creator: Creator, nowMs: number): string[] {
  const { handle, state, group, priority, expectation, problem } = creator;
  const delayMs = expectation?.delayMs ?? null;
  return [
    `@${handle}`,
    state,
    foreign(group ?? ''),
    String(priority),
    nextLook(creator, nowMs),
    delayMs === null ? '' : formatDuration(Math.round(delayMs / 1_000) * 1_000),
    expectation === null ? '' : expectation.creditsPerDay.toFixed(0),
    foreign(problem?.message ?? creator.note ?? ''),
  ];
}

interface AddFlags extends Flags {
  group?: string;
  priority?: string;
  note?: string;
  paused?: true;
}

const add = (context: CliContext): Command =>
  new Command('add')
    .description('watches another creator')
    .argument('<handle>', HANDLE_HELP, handleArgument)
    .option('--group <name>', 'a group of the config file, whose settings are its own')
    .option('--priority <n>', 'from -100 to 100')
    .option('--note <text>', 'for people')
    .option('--paused', 'lists it, and does not watch it yet')
    .option(...JSON_OPTION)
    .action(
      action(async (handle: string, { json, priority, ...flags }: AddFlags, command: Command) => {
        const client = await clientOf(context, command);
        const creator: NewCreator = { handle, ...flags };
        if (priority !== undefined) creator.priority = wholeNumber(priority);
        tell(
          context,
          await client.post('/creators', creatorSchema, creator),
          flags.paused ? 'is listed, and paused' : 'is watched',
          json,
        );
      }),
    );

function wholeNumber(text: string): number {
  if (/^-?\d{1,3}$/.test(text)) return Number(text);
  throw new LivestowError('USAGE', `--priority: not a whole number: ${JSON.stringify(text)}`, {
    hint: 'give one from -100 to 100',
  });
}

const remove = (context: CliContext): Command =>
  new Command('remove')
    .description('watches it no more; a recording goes on to its end')
    .argument('<handle>', HANDLE_HELP, handleArgument)
    .option(...JSON_OPTION)
    .action(
      action(async (handle: string, flags: Flags, command: Command) => {
        const client = await clientOf(context, command);
        const removed = await client.delete(`/creators/${handle}`, removedSchema);
        if (flags.json) context.out.json(removed);
        else
          context.out.line(
            `@${handle} is removed${removed.isLeaving ? '; its recording goes on to its end' : ''}`,
          );
      }),
    );

const order = (
  context: CliContext,
  name: string,
  description: string,
  said: (creator: Creator) => string,
): Command =>
  new Command(name)
    .description(description)
    .argument('<handle>', HANDLE_HELP, handleArgument)
    .option(...JSON_OPTION)
    .action(
      action(async (handle: string, flags: Flags, command: Command) => {
        const client = await clientOf(context, command);
        const creator = await client.post(`/creators/${handle}/${name}`, creatorSchema);
        tell(context, creator, said(creator), flags.json);
      }),
    );

const goesOn = ({ recording }: { recording: unknown }): string =>
  recording === null ? '' : '; its recording goes on to its end';

const note = (context: CliContext): Command =>
  new Command('note')
    .description('notes something about it, for people; without a text, takes the note away')
    .argument('<handle>', HANDLE_HELP, handleArgument)
    .argument('[text]')
    .option(...JSON_OPTION)
    .action(
      action(async (handle: string, text: string | undefined, flags: Flags, command: Command) => {
        const client = await clientOf(context, command);
        const body = { note: text ?? null };
        const creator = await client.put(`/creators/${handle}/note`, creatorSchema, body);
        tell(
          context,
          creator,
          creator.note === null ? 'has no note' : `has a note: ${creator.note}`,
          flags.json,
        );
      }),
    );

function tell({ out }: CliContext, creator: Creator, said: string, json: true | undefined): void {
  if (json) out.json(creator);
  else out.line(foreign(`@${creator.handle} ${said}`));
}
