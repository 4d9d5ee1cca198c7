/** A logger for people whose lines stand above what is live at the bottom of the terminal. */
import { createLogger, type Logger, type LogLevel } from '../kernel/logger.ts';
import type { Output } from './output.ts';

export const logAbove = (err: Output, log: Logger): Logger =>
  createLogger({
    level: log.level as LogLevel,
    pretty: true,
    destination: { write: (line) => err.coloured(line.trimEnd()) },
  });
