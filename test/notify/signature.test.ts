import { createHmac } from 'node:crypto';
import { expect, test } from 'vitest';
import { signatureHeaders, signingKey } from '../../src/notify/signature.ts';

test('the example that the libraries of Standard Webhooks are tested with', () => {
  const headers = signatureHeaders(
    { id: 'msg_p5jXN8AQM9LWM0D4loKWxJek', atMs: 1_614_265_330_999, body: '{"test": 2432232314}' },
    'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
  );
  expect(headers).toEqual({
    'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
    'webhook-timestamp': '1614265330',
    'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
  });
});

test('the body is signed as its bytes', () => {
  const key = Buffer.alloc(32, 7);
  const body = '{"title":"Ünïcödé 🎉"}';
  const { 'webhook-signature': signature } = signatureHeaders(
    { id: 'msg_1', atMs: 5_000, body },
    `whsec_${key.toString('base64')}`,
  );
  const bytes = Buffer.concat([Buffer.from('msg_1.5.'), Buffer.from(body)]);
  expect(signature).toBe(`v1,${createHmac('sha256', key).update(bytes).digest('base64')}`);
});

test('without a secret a message has an id and a time, and no signature', () => {
  expect(Object.keys(signatureHeaders({ id: 'msg_1', atMs: 0, body: '' }, undefined))).toEqual([
    'webhook-id',
    'webhook-timestamp',
  ]);
});

test.each<[what: string, secret: string, bytes: number | undefined]>([
  ['24 bytes', `whsec_${Buffer.alloc(24).toString('base64')}`, 24],
  ['64 bytes', `whsec_${Buffer.alloc(64).toString('base64')}`, 64],
  ['without padding', `whsec_${Buffer.alloc(32).toString('base64').replace('=', '')}`, 32],
  ['23 bytes', `whsec_${Buffer.alloc(23).toString('base64')}`, undefined],
  ['65 bytes', `whsec_${Buffer.alloc(65).toString('base64')}`, undefined],
  ['no prefix', Buffer.alloc(32).toString('base64'), undefined],
  ['no base64', 'whsec_a password that is long enough!', undefined],
  ['another kind of key', `whsk_${Buffer.alloc(32).toString('base64')}`, undefined],
  ['nothing', '', undefined],
])('a secret: %s', (_what, secret, bytes) => {
  expect(signingKey(secret)?.length).toBe(bytes);
});
