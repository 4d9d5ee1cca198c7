/** The receiver's code that docs/operations.md gives, run as it stands there. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { signatureHeaders } from '../../src/notify/signature.ts';

type Check = (headers: Record<string, string>, body: Buffer, secret: string) => boolean;

const page = readFileSync(new URL('../../docs/operations.md', import.meta.url), 'utf8');
const code = /```js\n(.*?isFromLivestow.*?)```/s.exec(page)?.[1] ?? '';
const { isFromLivestow } = (await import(
  `data:text/javascript;base64,${Buffer.from(code).toString('base64')}`
)) as { isFromLivestow: Check };

const SECRET = `whsec_${Buffer.alloc(32, 9).toString('base64')}`;
const body = Buffer.from('{"text":"Grüße"}');
const headers = (ageMs = 0) =>
  signatureHeaders({ id: 'msg_1', atMs: Date.now() - ageMs, body: body.toString() }, SECRET);

test('accepts what livestow signed', () => {
  expect(isFromLivestow(headers(), body, SECRET)).toBe(true);
  const rotating = { ...headers(), 'webhook-signature': `v1,AAAA ${headers()['webhook-signature']}` };
  expect(isFromLivestow(rotating, body, SECRET)).toBe(true);
});

test.each<[what: string, headers: Record<string, string>, body: Buffer, secret: string]>([
  ['another body', headers(), Buffer.from('{}'), SECRET],
  ['another secret', headers(), body, `whsec_${Buffer.alloc(32, 8).toString('base64')}`],
  ['another id', { ...headers(), 'webhook-id': 'msg_2' }, body, SECRET],
  ['an old message', headers(301_000), body, SECRET],
  [
    'an old message with a new time',
    { ...headers(60_000), 'webhook-timestamp': headers()['webhook-timestamp']! },
    body,
    SECRET,
  ],
  ['no headers', {}, body, SECRET],
  ['no signature', { ...headers(), 'webhook-signature': '' }, body, SECRET],
])('refuses %s', (_what, given, bytes, secret) => {
  expect(isFromLivestow(given, bytes, secret)).toBe(false);
});
