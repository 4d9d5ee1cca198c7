/**
 * The logger: pino, to standard error, scrubbed as a last line whatever a caller passed. People at a terminal get
 * pino-pretty; everything else gets one JSON object a line.
 */
import { pino, type DestinationStream, type Logger } from 'pino';
import { prettyFactory } from 'pino-pretty';
import { LivestowError } from './errors.ts';
import { escapeJson, foreign, foreignLines, shorten } from './foreign-text.ts';
import { scrub } from './redact.ts';

export type { Logger } from 'pino';

export const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** An error may quote what came from outside, however long that was. */
const MESSAGE_CHARS = 2_000;
const STACK_CHARS = 8_000;

function describeError(error: unknown): Record<string, unknown> {
  if (!(error instanceof Error)) return { message: String(error) };
  return {
    type: error.name,
    message: shorten(error.message, MESSAGE_CHARS),
    ...(error instanceof LivestowError
      ? { code: error.code, hint: error.hint, ...error.context }
      : {
          code: 'code' in error ? error.code : undefined,
          stack: shorten(error.stack ?? '', STACK_CHARS),
        }),
    ...(error.cause === undefined ? {} : { cause: describeError(error.cause) }),
  };
}

/** One line each; what is the same in every line of one recorder is left out, and so are stacks. */
const FOR_PEOPLE = {
  singleLine: true,
  translateTime: 'SYS:HH:MM:ss',
  ignore: 'pid,hostname,session,term,event,err',
  messageFormat: (log: Record<string, unknown>, messageKey: string) =>
    withError(String(log[messageKey]), log['err']),
} as const;

/** For whoever looks for a bug. */
const FOR_DEVELOPERS = { ...FOR_PEOPLE, ignore: 'pid,hostname,session,term,event', messageFormat: '{msg}' };

/** `what failed: why (the cause of that); what to do` */
function withError(said: string, err: unknown): string {
  const { message, hint, cause } = (err ?? {}) as {
    message?: string;
    hint?: string;
    cause?: { message?: string };
  };
  return [
    said,
    message === undefined || said.includes(message) ? '' : `: ${message}`,
    cause?.message === undefined ? '' : ` (${cause.message})`,
    hint === undefined ? '' : `; ${hint}`,
  ].join('');
}

/** The line as an object whose texts cannot move the cursor; only a stack has lines. */
const harmless = (line: string): Record<string, unknown> =>
  JSON.parse(line, (key, value: unknown) =>
    typeof value === 'string' ? (key === 'stack' ? foreignLines(value) : foreign(value)) : value,
  ) as Record<string, unknown>;

export function createLogger(options: {
  level: LogLevel;
  pretty?: boolean;
  /** Where lines go; standard error unless told. */
  destination?: DestinationStream;
}): Logger {
  const sink: DestinationStream = options.destination ?? { write: (line) => void process.stderr.write(line) };
  const pretty = options.pretty
    ? prettyFactory({
        ...(/debug|trace/.test(options.level) ? FOR_DEVELOPERS : FOR_PEOPLE),
        colorize: process.stderr.isTTY,
      })
    : undefined;
  const format = (line: string): string => (pretty ? pretty(harmless(line)) : escapeJson(line));
  return pino(
    {
      level: options.level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      serializers: { err: describeError },
    },
    { write: (line: string) => sink.write(format(scrub(line))) },
  );
}

export const silentLogger = (): Logger => pino({ level: 'silent' });
