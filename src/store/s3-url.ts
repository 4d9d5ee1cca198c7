/**
 * Where an S3 store is and how it wants to be spoken to, from
 * `s3://bucket/prefix?endpoint=…&region=…&pathStyle=true&storageClass=…&sse=…&sseKmsKeyId=…`. Credentials never stand
 * in it: they come from the AWS SDK's usual chain.
 */
import { z } from 'zod';
import { LivestowError } from '../kernel/errors.ts';
import { checkPrefix } from './key.ts';

export interface S3Location {
  bucket: string;
  /** Empty, or ends in a slash. */
  prefix: string;
  /** Undefined: AWS itself. */
  endpoint: URL | undefined;
  region: string | undefined;
  /** `https://host/bucket` rather than `https://bucket.host`. */
  pathStyle: boolean;
  storageClass: string | undefined;
  sse: 'AES256' | 'aws:kms' | 'aws:kms:dsse' | undefined;
  sseKmsKeyId: string | undefined;
}

/** Angle brackets also keep it from looking like a real URL, whose query would be redacted. */
const FORM = 's3://<bucket>/<prefix>?endpoint=https://<host>&region=<region>&pathStyle=true';
const token = z.string().regex(/^[A-Za-z0-9_.:/-]{1,2048}$/, 'has characters that do not belong there');

const parametersSchema = z.strictObject({
  endpoint: z.url({ protocol: /^https?$/, error: 'must be an http:// or https:// URL' }).optional(),
  region: token.optional(),
  pathStyle: z.stringbool({ error: 'must be true or false' }).optional(),
  storageClass: token.optional(),
  sse: z.enum(['AES256', 'aws:kms', 'aws:kms:dsse']).optional(),
  sseKmsKeyId: token.optional(),
});

/** Throws CONFIG, naming the parameter and the accepted form. */
export function parseS3Url(text: string): S3Location {
  if (!URL.canParse(text)) throw wrong('is not a URL');
  const url = new URL(text);
  if (url.username !== '' || url.password !== '') {
    throw wrong('must not hold credentials', 'Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY instead.');
  }
  // Of a scheme that URL does not know, the host is kept as it was written.
  if (!/^[a-z0-9][a-z0-9._-]{1,62}$/i.test(url.host)) throw wrong('has no bucket name that S3 allows');
  const names = [...url.searchParams.keys()];
  const twice = names.find((name, at) => names.indexOf(name) !== at);
  if (twice !== undefined) throw wrong(`has the parameter ${twice} twice`);
  const parsed = parametersSchema.safeParse(Object.fromEntries(url.searchParams));
  if (!parsed.success) throw wrong(describeIssue(parsed.error.issues[0]));
  const { endpoint, region, pathStyle, storageClass, sse, sseKmsKeyId } = parsed.data;
  if (sseKmsKeyId !== undefined && !sse?.startsWith('aws:kms'))
    throw wrong('has sseKmsKeyId without sse=aws:kms');
  return {
    bucket: url.host,
    prefix: parsePrefix(url.pathname),
    endpoint: endpoint === undefined ? undefined : parseEndpoint(endpoint),
    region,
    // Few servers beside AWS have a DNS name for each bucket; path style works with all of them.
    pathStyle: pathStyle ?? endpoint !== undefined,
    storageClass,
    sse,
    sseKmsKeyId,
  };
}

function parsePrefix(pathname: string): string {
  const path = pathname.replace(/^\/|\/$/g, '');
  try {
    checkPrefix(path);
  } catch (error) {
    throw wrong(`has the prefix ${JSON.stringify(path)}, which cannot begin a key`, undefined, error);
  }
  return path === '' ? '' : `${path}/`;
}

function parseEndpoint(text: string): URL {
  const endpoint = new URL(text);
  if (endpoint.username !== '' || endpoint.password !== '' || endpoint.search !== '') {
    throw wrong('has an endpoint with credentials or a query', 'The endpoint is a bare http(s)://host:port.');
  }
  return endpoint;
}

function describeIssue(issue: z.core.$ZodIssue | undefined): string {
  if (issue?.code === 'unrecognized_keys') {
    const known = Object.keys(parametersSchema.shape).join(', ');
    return `has an unknown parameter ${issue.keys.join(', ')} (known: ${known})`;
  }
  return `has a parameter ${issue?.path.join('.') ?? ''} that cannot be used: ${issue?.message ?? ''}`;
}

function wrong(what: string, hint = `The form is ${FORM}`, cause?: unknown): LivestowError {
  return new LivestowError('CONFIG', `the S3 store’s URL ${what}`, { hint, cause });
}
