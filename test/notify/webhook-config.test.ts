import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import { scrub } from '../../src/kernel/redact.ts';
import { webhookSchema } from '../../src/notify/webhook-config.ts';
import { webhook } from './events.ts';

const SECRET = `whsec_${Buffer.alloc(32, 1).toString('base64')}`;

test('an address is enough', () => {
  expect(webhook({ url: 'http://127.0.0.1:9000/hook' })).toMatchObject({
    shape: 'json',
    events: ['live', 'sealed', 'failed', 'credits', 'disk', 'digest'],
    headers: {},
  });
});

test.each<[url: string, shape: string]>([
  ['https://discord.com/api/webhooks/1/tok', 'discord'],
  ['https://canary.discord.com/api/webhooks/1/tok', 'discord'],
  ['https://discordapp.com/api/webhooks/1/tok?thread_id=5', 'discord'],
  ['https://discord.com/api/webhooks/1/tok/slack', 'slack'],
  ['https://hooks.slack.com/services/T/B/x', 'slack'],
  ['https://ntfy.sh/my-topic', 'ntfy'],
  ['https://ntfy.example.com/my-topic', 'ntfy'],
  ['https://discord.com.example.org/api/webhooks/1/tok', 'json'],
  ['https://notdiscord.com/x', 'json'],
  ['https://example.com/discord.com', 'json'],
])('the shape of %s is %s', (url, shape) => {
  expect(webhook({ url }).shape).toBe(shape);
});

test('a shape that is given goes before the guess', () => {
  expect(webhook({ url: 'https://discord.com/x', shape: 'json' }).shape).toBe('json');
  expect(webhook({ url: 'https://chat.example.org/hooks/x', shape: 'slack' }).shape).toBe('slack');
});

test('handles are written in any form', () => {
  expect(webhook({ url: 'http://localhost/', creators: ['@Alice', 'bob'] }).creators).toEqual([
    'alice',
    'bob',
  ]);
});

test.each<[what: string, given: Record<string, unknown>, path: PropertyKey[]]>([
  ['no address', {}, ['url']],
  ['another protocol', { url: 'file:///etc/passwd' }, ['url']],
  ['no URL', { url: 'example.com/hook' }, ['url']],
  ['a user in the URL, which fetchers drop', { url: 'https://me:pass@example.com/' }, ['url']],
  ['a topic that ntfy does not take', { url: 'https://ntfy.sh/my.topic' }, ['url']],
  ['no topic', { url: 'https://ntfy.sh/' }, ['url']],
  ['an event that there is not', { url: 'http://h/', events: ['lively'] }, ['events', 0]],
  ['no event', { url: 'http://h/', events: [] }, ['events']],
  ['no creator', { url: 'http://h/', creators: [] }, ['creators']],
  ['what is no handle', { url: 'http://h/', creators: ['a b'] }, ['creators', 0]],
  ['a shape that there is not', { url: 'http://h/', shape: 'teams' }, ['shape']],
  ['a secret that is a password', { url: 'http://h/', secret: 'hunter2' }, ['secret']],
  ['a header on two lines', { url: 'http://h/', headers: { 'x-a': 'b\r\nx-c: d' } }, ['headers', 'x-a']],
  ['a header that is no ASCII', { url: 'http://h/', headers: { 'x-a': 'ü' } }, ['headers', 'x-a']],
  [
    'a name of a header on two lines',
    { url: 'http://h/', headers: { 'a\r\nb': 'c' } },
    ['headers', 'a\r\nb'],
  ],
  ['a header of the connection', { url: 'http://h/', headers: { Host: 'x' } }, ['headers', 'Host']],
  [
    'a header of the body',
    { url: 'http://h/', headers: { 'Content-Length': '1' } },
    ['headers', 'Content-Length'],
  ],
  [
    'a header of the signature',
    { url: 'http://h/', headers: { 'Webhook-Signature': 'x' } },
    ['headers', 'Webhook-Signature'],
  ],
  ['a name that is none', { url: 'http://h/', name: 'a b\n' }, ['name']],
  ['an unknown part', { url: 'http://h/', retries: 3 }, []],
])('refused: %s', (_what, given, path) => {
  const result = webhookSchema.safeParse(given);
  expect(result.error?.issues.map((issue) => issue.path)).toEqual([path]);
});

describe('what is secret', () => {
  const given = {
    url: 'https://discord.com/api/webhooks/123/tokentokentokentoken',
    secret: SECRET,
    headers: { Authorization: 'Bearer tk_0123456789abcdef', 'X-Title': 'livestow' },
  };

  test('is printed nowhere', () => {
    const parsed = webhook(given);
    const printed = JSON.stringify(parsed) + inspect(parsed, { depth: 9 });
    for (const secret of ['tokentoken', SECRET, 'tk_0123', 'livestow']) expect(printed).not.toContain(secret);
    expect(parsed.headers['authorization']?.reveal()).toBe(given.headers.Authorization);
  });

  test('is struck out of the log, but for words that are in other lines too', () => {
    webhook(given);
    expect(scrub(`${given.url} ${SECRET} ${given.headers.Authorization}`)).not.toMatch(/token|whsec|tk_/);
    expect(scrub('/var/lib/livestow')).toBe('/var/lib/livestow');
  });

  test.each(['url', 'secret'])('a faulty %s is not quoted', (key) => {
    const result = webhookSchema.safeParse({ url: 'http://h/', [key]: 'hunter2hunter2' });
    expect(JSON.stringify(result.error?.issues)).not.toContain('hunter2');
  });
});
