/**
 * Holds a creator's lock until it is killed: SPOOL HANDLE. Says `held`, or the code of the error. Nothing but the lock
 * itself remembers that it is held, and the garbage is collected.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { isLivestowError } from '../../src/kernel/errors.ts';
import { lockCreator } from '../../src/spool/creator-lock.ts';

const [spool = '', handle = ''] = process.argv.slice(2);
try {
  lockCreator(spool, handle);
  setFlagsFromString('--expose-gc');
  runInNewContext('gc')();
  process.stdout.write('held\n');
  setInterval(() => {}, 60_000);
} catch (error) {
  process.stdout.write(isLivestowError(error) ? `${error.code}\n` : 'another error\n');
}
