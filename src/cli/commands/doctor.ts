/** `livestow doctor`: looks at everything that a recording needs, and says what to do about what is wrong. */
import { Command } from 'commander';
import type { CommandFactory } from '../command.ts';

export const doctorCommand: CommandFactory = () =>
  new Command('doctor').description('checks everything that a recording needs');
