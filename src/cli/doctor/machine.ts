/** The machine itself: Node, the spool's disk. */
import { formatBytes } from '../../kernel/byte-size.ts';
import { freeBytes } from '../../kernel/files.ts';
import { requireWritableSpool } from '../../spool/writable-spool.ts';
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

/** Whether the spool takes files and how much room its disk has beside what is kept free. Makes the folder. */
export const checkSpool =
  (folder: string, reserveBytes: number): Check =>
  async () => {
    await requireWritableSpool(folder);
    return [
      { check: 'spool', status: 'ok', found: `${folder} is writable` },
      await freeSpace('spool', folder, reserveBytes),
    ];
  };

/** @param reserveBytes what recording leaves free */
export async function freeSpace(check: string, folder: string, reserveBytes = 0): Promise<Finding> {
  const bytes = await freeBytes(folder);
  const found = `${formatBytes(bytes)} free${reserveBytes > 0 ? `, ${formatBytes(reserveBytes)} of it in reserve` : ''}`;
  const advice =
    'make room, or move the folder to a larger disk: recording stops where the disk is full but for --disk-reserve';
  if (bytes < Math.max(NO_SPACE, reserveBytes)) return { check, status: 'fail', found, advice };
  if (bytes < LITTLE_SPACE + reserveBytes) return { check, status: 'warn', found, advice };
  return { check, status: 'ok', found };
}
