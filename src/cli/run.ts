/** argv → command → exit code. Ends the process. */
import process from 'node:process';
import { CommanderError } from 'commander';
import { StopRequest } from '../kernel/stop-request.ts';
import { createContext } from './context.ts';
import { EXIT, exitCodeOf } from './exit-codes.ts';
import { errorText } from './output.ts';
import { createProgram } from './program.ts';

export async function run(): Promise<never> {
  const context = createContext(process);
  // A bug; Node would print it unscrubbed. What is recorded lies in the spool, and the next start ships it.
  process.on('uncaughtException', (error) => {
    context.err.line(errorText(error, true));
    process.exit(EXIT.failed);
  });
  const program = await createProgram(context, process.argv.slice(2));

  try {
    await program.parseAsync(process.argv);
  } catch (error) {
    if (error instanceof CommanderError) {
      // It has said already what was wrong; help and version that were asked for are no error.
      process.exitCode = error.exitCode === 0 ? EXIT.done : EXIT.usage;
    } else if (error instanceof StopRequest) {
      process.exitCode = error.kind === 'interrupt' ? EXIT.interrupted : EXIT.done;
    } else {
      const level = program.opts<{ logLevel?: string }>().logLevel ?? process.env['LIVESTOW_LOG_LEVEL'];
      context.err.line(errorText(error, level === 'debug' || level === 'trace'));
      process.exitCode = exitCodeOf(error);
    }
  }

  // A socket that is kept alive for a next request must not keep a finished command.
  await Promise.all([context.out.flush(), context.err.flush()]);
  process.exit();
}
