/** Compares one object with what the manifest says of it. */
import { createHash } from 'node:crypto';
import { isLivestowError } from '../kernel/errors.ts';
import type { ArchivedFile } from '../model/manifest.ts';
import type { Store } from '../store/store.ts';
import { finding, type Finding, type FindingKind } from './finding.ts';

export interface ReadObject {
  /** Null when the object is what it should be. */
  finding: Finding | null;
  /** All of it, when it is what it should be and was asked for; else empty. */
  bytes: Buffer;
}

export interface ReadOptions {
  /** Called with the size of each part as it arrives. */
  onBytes: (bytes: number) => void;
  keep: boolean;
  signal?: AbortSignal | undefined;
}

/** By size alone. */
export function compareSize(said: ArchivedFile, bytes: number | undefined): Finding | null {
  if (bytes === undefined) return finding('missing', said.key);
  if (bytes === said.bytes) return null;
  const kind: FindingKind = bytes < said.bytes ? 'truncated' : 'altered';
  return finding(kind, said.key, `${bytes} bytes instead of ${said.bytes}`);
}

/** By reading it whole. */
export async function compareObject(
  store: Store,
  prefix: string,
  said: ArchivedFile,
  { onBytes, keep, signal }: ReadOptions,
): Promise<ReadObject> {
  const hash = createHash('sha256');
  const parts: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const part of await store.get(prefix + said.key, signal ? { signal } : {})) {
      const chunk = part as Buffer;
      hash.update(chunk);
      bytes += chunk.length;
      if (keep && bytes <= said.bytes) parts.push(chunk);
      onBytes(chunk.length);
    }
  } catch (error) {
    if (!isLivestowError(error, 'STORE_NOT_FOUND')) throw error;
    return { finding: finding('missing', said.key), bytes: Buffer.alloc(0) };
  }
  const sha256 = hash.digest('hex');
  const wrong =
    compareSize(said, bytes) ??
    (sha256 === said.sha256
      ? null
      : finding('altered', said.key, `its SHA-256 is ${sha256}, not ${said.sha256}`));
  return { finding: wrong, bytes: wrong ? Buffer.alloc(0) : Buffer.concat(parts) };
}
