/**
 * Bodies too big to be held in memory go up in parts, each of which the client can send again. lib-storage cuts and
 * counts them; what it leaves out is added in the client that it is given: the parts stop with the caller's signal, and
 * each names its Content-MD5, which Ceph and Swift verify.
 */
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import {
  AbortMultipartUploadCommand,
  UploadPartCommand,
  type PutObjectCommandInput,
  type S3Client,
} from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import { AnySignal } from '../kernel/any-signal.ts';
import { checkDigest, openSource, readLocal } from './body.ts';
import type { FileBody } from './store.ts';

/** R2 wants parts of equal size, S3 at least 5 MiB and at most 10,000 of them: 80 GiB. */
const PART_BYTES = 8 * 1024 * 1024;
const PARTS_AT_ONCE = 2;

/**
 * Returns the ETag that a server which hashes its parts gives the whole (MD5 of the parts' MD5s, and their number).
 * Throws STORE_CORRUPT, with nothing left in the store, when the file is not what the body says.
 */
export async function uploadInParts(
  client: S3Client,
  key: string,
  target: Omit<PutObjectCommandInput, 'Body'>,
  body: FileBody,
  sha256: string,
  signal: AbortSignal | undefined,
): Promise<string> {
  const file = await openSource(body.file);
  const failure = new AbortController();
  using any = new AnySignal(failure.signal, ...(signal ? [signal] : []));
  const stop = any.signal;
  const etag = new PartsEtag();
  const content = Readable.from(checked(readLocal(file, stop), etag, key, body, sha256), {
    objectMode: false,
  });
  try {
    const upload = new Upload({
      client: clientForParts(client, stop, (error) => failure.abort(error)),
      params: { ...target, Body: content },
      partSize: PART_BYTES,
      queueSize: PARTS_AT_ONCE,
    });
    await upload.done();
    return etag.toString();
  } catch (error) {
    // What failed first: when a part did, the rest were told to stop, and even the cleaning up may fail after it.
    throw failure.signal.aborted ? failure.signal.reason : error;
  } finally {
    content.destroy();
    await file.close();
  }
}

/** The client as lib-storage sees it. */
function clientForParts(client: S3Client, stop: AbortSignal, onFailure: (error: unknown) => void): S3Client {
  const send = async (command: Parameters<S3Client['send']>[0]) => {
    if (command instanceof AbortMultipartUploadCommand) return client.send(command);
    if (command instanceof UploadPartCommand) {
      command.input.ContentMD5 = createHash('md5')
        .update(command.input.Body as Uint8Array)
        .digest('base64');
    }
    try {
      return await client.send(command, { abortSignal: stop });
    } catch (error) {
      onFailure(error);
      throw error;
    }
  };
  return Object.create(client, { send: { value: send } }) as S3Client;
}

/** The parts on their way up; an error in place of the end when they are not the promised bytes. */
async function* checked(
  parts: AsyncIterable<Uint8Array>,
  etag: PartsEtag,
  key: string,
  body: FileBody,
  sha256: string,
): AsyncGenerator<Uint8Array> {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const part of parts) {
    hash.update(part);
    etag.update(part);
    bytes += part.byteLength;
    yield part;
  }
  checkDigest(key, { bytes, sha256: hash.digest('hex') }, body, sha256);
}

class PartsEtag {
  readonly #whole = createHash('md5');
  #part = createHash('md5');
  #partBytes = 0;
  #parts = 0;

  update(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.byteLength;) {
      const take = Math.min(PART_BYTES - this.#partBytes, bytes.byteLength - at);
      this.#part.update(bytes.subarray(at, at + take));
      this.#partBytes += take;
      at += take;
      if (this.#partBytes === PART_BYTES) this.#endPart();
    }
  }

  toString(): string {
    if (this.#partBytes > 0) this.#endPart();
    return `${this.#whole.digest('hex')}-${this.#parts}`;
  }

  #endPart(): void {
    this.#whole.update(this.#part.digest());
    this.#part = createHash('md5');
    this.#partBytes = 0;
    this.#parts += 1;
  }
}
