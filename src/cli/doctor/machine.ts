/** The machine itself: Node, the spool's disk. */
import { randomUUID } from 'node:crypto';
import { access, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { formatBytes } from '../../kernel/duration.ts';
import { LivestowError, messageOf } from '../../kernel/errors.ts';
import { freeBytes, writeFileDurably } from '../../kernel/files.ts';
import type { Check, Finding } from './finding.ts';

const LEAST_NODE = 24;

export const checkNode: Check = async () => {
  const major = Number(process.versions.node.split('.')[0]);
  return major >= LEAST_NODE
    ? [{ check: 'node', status: 'ok', found: process.versions.node }]
    : [
        {
          check: 'node',
          status: 'fail',
          found: process.versions.node,
          advice: `livestow needs Node.js ${LEAST_NODE} or newer: https://nodejs.org`,
        },
      ];
};

const GIB = 1024 ** 3;
/** About 100 minutes of one broadcast at 2.5 Mbit/s. */
const LITTLE_SPACE = 2 * GIB;
const NO_SPACE = GIB / 4;

/** Whether the spool takes files and how much room its disk has. Makes the folder. */
export const checkSpool =
  (folder: string): Check =>
  async () => {
    const probe = join(folder, `.doctor-${randomUUID()}`);
    try {
      await mkdir(folder, { recursive: true });
      await writeFileDurably(probe, 'livestow doctor');
      await access(probe);
    } catch (error) {
      throw new LivestowError('SPOOL', `${folder} cannot be written to (${messageOf(error)})`, {
        hint: `make it writable for this user, or name another folder with --spool`,
        cause: error,
      });
    } finally {
      await rm(probe, { force: true }).catch(() => {});
    }
    return [
      { check: 'spool', status: 'ok', found: `${folder} is writable` },
      await freeSpace('spool', folder),
    ];
  };

export async function freeSpace(check: string, folder: string): Promise<Finding> {
  const bytes = await freeBytes(folder);
  const found = `${formatBytes(bytes)} free`;
  const advice = 'make room, or move the folder to a larger disk: recording stops where the disk is full';
  if (bytes < NO_SPACE) return { check, status: 'fail', found, advice };
  if (bytes < LITTLE_SPACE) return { check, status: 'warn', found, advice };
  return { check, status: 'ok', found };
}
