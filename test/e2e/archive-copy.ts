/**
 * The archive as anybody may fetch it: files of a folder, or plain objects of a bucket, read with the AWS SDK and nothing
 * of livestow's own. Sessions are found by their manifests.
 */
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { GetObjectCommand, paginateListObjectsV2, S3Client } from '@aws-sdk/client-s3';
import type { S3Bucket } from '../support/s3-servers.ts';
import { DAEMON_FOLDER } from '../../src/spool/session-spool.ts';

export interface ArchiveCopy {
  /** A local folder with everything in it. */
  folder: string;
  /** All keys, sorted. */
  keys: string[];
}

export async function copyOfFolder(folder: string): Promise<ArchiveCopy> {
  return { folder, keys: await filesIn(folder) };
}

export async function copyOfBucket(bucket: S3Bucket, folder: string): Promise<ArchiveCopy> {
  const url = new URL(bucket.url);
  const client = new S3Client({
    endpoint: url.searchParams.get('endpoint') ?? '',
    region: url.searchParams.get('region') ?? 'us-east-1',
    forcePathStyle: true,
    credentials: bucket.credentials,
  });
  const Prefix = `${url.pathname.slice(1).replace(/\/$/, '')}/`;
  try {
    for await (const page of paginateListObjectsV2({ client }, { Bucket: url.hostname, Prefix })) {
      for (const { Key } of page.Contents ?? []) {
        if (Key === undefined) continue;
        const { Body } = await client.send(new GetObjectCommand({ Bucket: url.hostname, Key }));
        const path = join(folder, Key.slice(Prefix.length));
        await mkdir(dirname(path), { recursive: true });
        await writeFile(path, (await Body?.transformToByteArray()) ?? '');
      }
    }
  } finally {
    client.destroy();
  }
  return copyOfFolder(folder);
}

/** Paths of all files below a folder, relative to it; none when there is no folder. */
export async function filesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .sort();
}

/** What is left in a spool beside locks, and what a daemon keeps for itself. */
export async function leftInSpool(spool: string): Promise<string[]> {
  const ours = new RegExp(`(^|/)lock\\.sqlite|^${DAEMON_FOLDER}/`);
  return (await filesIn(spool)).filter((path) => !ours.test(path));
}

/** Files below a folder in which one of the words stands, as `path: word`. */
export async function filesThatSay(folder: string, words: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  for (const path of await filesIn(folder)) {
    const bytes = await readFile(join(folder, path));
    for (const word of words) if (bytes.includes(word)) found.push(`${path}: ${word}`);
  }
  return found;
}
