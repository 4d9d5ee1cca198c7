/**
 * What proves that a message comes from here and is no copy of an old one: the headers of Standard Webhooks 1.0.0
 * (https://www.standardwebhooks.com), which receivers check with a library of their language.
 */
import { createHmac } from 'node:crypto';

const SECRET = /^whsec_((?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}(?:==)?|[A-Za-z0-9+/]{3}=?)?)$/;
/** The specification's bounds, in bytes. */
const [SHORTEST, LONGEST] = [24, 64];

/** The key in a secret; undefined when it is none. */
export function signingKey(secret: string): Buffer | undefined {
  const key = Buffer.from(SECRET.exec(secret)?.[1] ?? '', 'base64');
  return key.length >= SHORTEST && key.length <= LONGEST ? key : undefined;
}

export interface Signed {
  /** The same for every try of one message. Without a full stop. */
  id: string;
  /** Of this try. */
  atMs: number;
  /** Exactly as it is sent. */
  body: string;
}

/** Without a secret: the id and the time alone. */
export function signatureHeaders(
  { id, atMs, body }: Signed,
  secret: string | undefined,
): Record<string, string> {
  const timestamp = String(Math.floor(atMs / 1_000));
  const headers = { 'webhook-id': id, 'webhook-timestamp': timestamp };
  const key = secret === undefined ? undefined : signingKey(secret);
  if (key === undefined) return headers;
  const signature = createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64');
  return { ...headers, 'webhook-signature': `v1,${signature}` };
}
