/**
 * Writing one object to S3, so that it is there whole or not at all, that nothing is overwritten which was to be kept,
 * and that the server has said something which only one that has the right bytes can say.
 *
 * - Up to SINGLE_PUT_BYTES it is one request from memory, which the client can send again; beyond, parts.
 * - Create-only is `If-None-Match: *` where the server was seen to honour it. A create whose answer was lost is sent
 *   again and then meets its own object: each write carries a mark of its own, by which it knows itself.
 * - Evidence is the server's own checksum: on AWS the SHA-256 or CRC that it verified; elsewhere an ETag that is the MD5
 *   of what was sent. A server that gives neither is asked for the object back.
 */
import { createHash, randomUUID } from 'node:crypto';
import { HeadObjectCommand, PutObjectCommand, type PutObjectCommandInput } from '@aws-sdk/client-s3';
import { isLivestowError, LivestowError } from '../kernel/errors.ts';
import { bodySize, digestFile, openSource, readBody, type Digest } from './body.ts';
import { sendOptions, type S3Calls } from './s3-calls.ts';
import { uploadInParts } from './s3-multipart.ts';
import type { Body, FileBody, ObjectInfo, PutOptions } from './store.ts';

const SINGLE_PUT_BYTES = 16 * 1024 * 1024;

/** Object metadata (`x-amz-meta-…`). */
const SHA256_METADATA = 'sha256';
const WRITE_METADATA = 'livestow-write';

export interface PutDeps {
  calls: S3Calls;
  conditionalCreate(signal?: AbortSignal): Promise<boolean>;
  readBack(key: string, signal?: AbortSignal): Promise<Digest | undefined>;
  remove(key: string): Promise<void>;
}

/** What the server said of the object, beside what it says when it has the right bytes. */
interface Written {
  etag: string | undefined;
  expectedEtag: string;
}

export async function putObject(
  deps: PutDeps,
  key: string,
  body: Body,
  options: PutOptions,
): Promise<ObjectInfo> {
  const { signal, ifAbsent = false } = options;
  const inParts = 'file' in body && bodySize(body) > SINGLE_PUT_BYTES;
  const conditional = ifAbsent && (await deps.conditionalCreate(signal)) && (!inParts || deps.calls.isAws);
  // Ceph, for one, has no condition on the completion of an upload in parts.
  if (ifAbsent && !conditional && (await headObject(deps.calls, key, signal)) !== undefined)
    throw exists(key);

  const write = { key, options, conditional, mark: options.writeId ?? randomUUID() };
  const { written, digest } = inParts
    ? await writeInParts(deps, write, body)
    : await writeWhole(deps, write, body);
  if (!deps.calls.isAws && written.etag !== written.expectedEtag) await compare(deps, key, digest, options);
  return { key, ...digest, modifiedAt: null };
}

interface Write {
  key: string;
  options: PutOptions;
  conditional: boolean;
  mark: string;
}

async function writeWhole(
  deps: PutDeps,
  write: Write,
  body: Body,
): Promise<{ written: Written; digest: Digest }> {
  const { calls } = deps;
  const { content, ...digest } = await readBody(write.key, body, write.options.sha256);
  const md5 = createHash('md5').update(content);
  const expectedEtag = md5.copy().digest('hex');
  const input: PutObjectCommandInput = {
    ...describe(calls, write, digest.sha256),
    Body: content,
    ContentLength: digest.bytes,
    ...(calls.isAws
      ? { ChecksumSHA256: Buffer.from(digest.sha256, 'hex').toString('base64') }
      : { ContentMD5: md5.digest('base64') }),
  };
  const { signal } = write.options;
  const etag = await orOwnEarlier(deps, write, () =>
    calls.call(`writing ${write.key}`, signal, async (client) => {
      const answer = await client.send(new PutObjectCommand(input), sendOptions(signal));
      return answer.ETag;
    }),
  );
  return { written: { etag: bareEtag(etag), expectedEtag }, digest };
}

async function writeInParts(
  deps: PutDeps,
  write: Write,
  body: FileBody,
): Promise<{ written: Written; digest: Digest }> {
  const { calls } = deps;
  const { signal } = write.options;
  const sha256 = write.options.sha256 ?? (await fileSha256(body.file, signal));
  const target = {
    ...describe(calls, write, sha256),
    ...(calls.isAws ? { ChecksumAlgorithm: 'SHA256' as const } : {}),
  };
  let expectedEtag = '';
  const upload = () =>
    calls.call(`writing ${write.key}`, signal, async (client) => {
      expectedEtag = await uploadInParts(client, write.key, target, body, sha256, signal);
      return undefined;
    });
  await orOwnEarlier(deps, write, upload);
  // Ceph completes an upload with an empty ETag; a server may also have dropped the object while it joined the parts.
  const found = await headObject(calls, write.key, signal);
  if (found === undefined || found.bytes !== body.size)
    throw damaged(write.key, { bytes: body.size, sha256 }, found);
  return { written: { etag: found.etag, expectedEtag }, digest: { bytes: body.size, sha256 } };
}

function describe(
  calls: S3Calls,
  write: Write,
  sha256: string,
): { Bucket: string; Key: string } & PutObjectCommandInput {
  const { storageClass, sse, sseKmsKeyId } = calls.location;
  return {
    ...calls.target(write.key),
    Metadata: { [SHA256_METADATA]: sha256, [WRITE_METADATA]: write.mark },
    ...(write.options.contentType === undefined ? {} : { ContentType: write.options.contentType }),
    ...(write.conditional ? { IfNoneMatch: '*' } : {}),
    // A third-party server has storage classes of its own naming.
    ...(storageClass === undefined
      ? {}
      : { StorageClass: storageClass as NonNullable<PutObjectCommandInput['StorageClass']> }),
    ...(sse === undefined ? {} : { ServerSideEncryption: sse }),
    ...(sseKmsKeyId === undefined ? {} : { SSEKMSKeyId: sseKmsKeyId }),
  };
}

/** The ETag of a create; when the object is there already, and by this very write, the ETag of that. */
async function orOwnEarlier(
  deps: PutDeps,
  write: Write,
  create: () => Promise<string | undefined>,
): Promise<string | undefined> {
  try {
    return await create();
  } catch (error) {
    if (!isLivestowError(error, 'STORE_EXISTS')) throw error;
    const found = await headObject(deps.calls, write.key, write.options.signal);
    if (found?.mark !== write.mark) throw exists(write.key, error);
    return found.etag;
  }
}

/** Reads the object back; STORE_CORRUPT, and a create undone so that it can be tried again, when it is another. */
async function compare(deps: PutDeps, key: string, digest: Digest, options: PutOptions): Promise<void> {
  const actual = await deps.readBack(key, options.signal);
  if (actual?.bytes === digest.bytes && actual.sha256 === digest.sha256) return;
  if (options.ifAbsent === true) await deps.remove(key);
  throw damaged(key, digest, actual);
}

export interface HeadFacts {
  bytes: number;
  sha256: string | null;
  modifiedAt: Date | null;
  etag: string | undefined;
  mark: string | undefined;
}

/** Undefined when there is no such object. */
export async function headObject(
  calls: S3Calls,
  key: string,
  signal?: AbortSignal,
): Promise<HeadFacts | undefined> {
  try {
    const head = await calls.call(`looking at ${key}`, signal, (client) =>
      client.send(new HeadObjectCommand(calls.target(key)), sendOptions(signal)),
    );
    const sha256 = head.Metadata?.[SHA256_METADATA];
    return {
      bytes: head.ContentLength ?? 0,
      sha256: sha256 !== undefined && /^[0-9a-f]{64}$/.test(sha256) ? sha256 : null,
      modifiedAt: head.LastModified ?? null,
      etag: bareEtag(head.ETag),
      mark: head.Metadata?.[WRITE_METADATA],
    };
  } catch (error) {
    if (isLivestowError(error, 'STORE_NOT_FOUND')) return undefined;
    throw error;
  }
}

async function fileSha256(path: string, signal: AbortSignal | undefined): Promise<string> {
  const file = await openSource(path);
  try {
    return (await digestFile(file, signal)).sha256;
  } finally {
    await file.close();
  }
}

const bareEtag = (etag: string | undefined): string | undefined => etag?.replaceAll('"', '').toLowerCase();

const exists = (key: string, cause?: unknown): LivestowError =>
  new LivestowError('STORE_EXISTS', `${key} exists already`, { cause });

const damaged = (key: string, sent: Digest, found: Partial<Digest> | HeadFacts | undefined): LivestowError =>
  new LivestowError('STORE_CORRUPT', `${key}: the store does not hold what was sent`, {
    retryable: true,
    context: {
      sentBytes: sent.bytes,
      foundBytes: found?.bytes,
      sentSha256: sent.sha256,
      foundSha256: found?.sha256,
    },
  });
