import { describe, expect, test } from 'vitest';
import { registerSecret, registerUserInfo, scrub } from '../../src/kernel/redact.ts';

const CANARY = 'c4n4ry-5ecret';

describe('a secret in a URL', { tags: 'secrets' }, () => {
  const url = `https://pull.example/a/live.flv?expire=1&sign=${CANARY}`;
  const json = JSON.stringify({ flvUrl: url });
  test.each([
    ['as it is', url],
    ['in a sentence', `GET ${url}, twice`],
    ['after a hash', `https://pull.example/a#sign=${CANARY}`],
    ['in JSON', json],
    ['in JSON within JSON', JSON.stringify({ body: json })],
    ['in JSON within JSON within JSON', JSON.stringify({ body: JSON.stringify({ body: json }) })],
    ['with escaped slashes, as PHP writes them', json.replaceAll('/', '\\/')],
    ['the same, quoted in a log line', JSON.stringify({ body: json.replaceAll('/', '\\/') })],
    ['with an escaped ampersand, as Go writes it', json.replaceAll('&', '\\u0026')],
    ['the same, quoted in a log line', JSON.stringify({ body: json.replaceAll('&', '\\u0026') })],
    ['with escaped equals signs', json.replaceAll('=', '\\u003d').replaceAll('?', '\\u003f')],
    ['in HTML', `<a href="${url.replace('&', '&amp;')}">`],
    ['within another URL', `redirect=${encodeURIComponent(url)}`],
    ['a piece of the query alone', `expire=1&sign=${CANARY}`],
    ['a piece of a query that is encoded', `expire%3D1%26sign%3D${CANARY}`],
    ['as user info', `http://user:${CANARY}@proxy.example:3128`],
    ['as user info with an @', `http://user:a@${CANARY}@proxy.example:3128`],
    ['as user info, encoded', encodeURIComponent(`http://user:${CANARY}@proxy.example`)],
    ['as user info in escaped JSON', `"http:\\/\\/user:${CANARY}@proxy.example"`],
    ['a pre-signed S3 URL', `https://b.s3.example/k?X-Amz-Credential=x&X-Amz-Signature=${CANARY}`],
  ])('%s', (_how, text) => {
    expect(text).toContain(CANARY);
    expect(scrub(text)).not.toContain(CANARY);
  });

  test('leaves the line that it stands in valid JSON, and what is no secret', () => {
    for (const body of [
      json,
      json.replaceAll('/', '\\/'),
      json.replaceAll('&', '\\u0026'),
      `${url}\\`,
      `${url}"x`,
    ]) {
      const line = JSON.stringify({ handle: 'alice', err: { body }, after: 'https://pull.example/b' });
      expect(JSON.parse(scrub(line))).toMatchObject({ handle: 'alice', after: 'https://pull.example/b' });
    }
    const harmless = 'the design=round, authorization is needed, https://pull.example/@alice/live.flv';
    expect(scrub(harmless)).toBe(harmless);
  });
});

describe('a header', { tags: 'secrets' }, () => {
  test.each([
    ['as it is sent', `Proxy-Authorization: Basic ${CANARY}`],
    [
      'with parts',
      `authorization: AWS4-HMAC-SHA256 Credential=AK/2026, SignedHeaders=host, Signature=${CANARY}`,
    ],
    ['a token of S3', JSON.stringify({ 'x-amz-security-token': CANARY })],
    ['as a field', JSON.stringify({ 'x-api-key': CANARY })],
    [
      'as a field, quoted in JSON',
      JSON.stringify({ body: JSON.stringify({ authorization: `Basic ${CANARY}` }) }),
    ],
    ['as an object is inspected', `{ authorization: 'Basic ${CANARY}' }`],
    ['in a list', `[ 'cookie', 'sid=${CANARY}' ]`],
  ])('%s', (_how, text) => {
    expect(text).toContain(CANARY);
    expect(scrub(text)).not.toContain(CANARY);
  });
});

test('what is registered is found encoded too', { tags: 'secrets' }, () => {
  const secret = 'pa$$ wörd/42';
  registerSecret(secret);
  registerUserInfo('socks5://bob:h%C3%BCnter%202@proxy.example');
  for (const spelt of [
    secret,
    encodeURIComponent(secret),
    Buffer.from(secret).toString('base64'),
    'hünter 2',
    'h%C3%BCnter%202',
    Buffer.from('bob:hünter 2').toString('base64'),
  ]) {
    expect(scrub(`so: ${spelt}.`)).toBe('so: [redacted].');
  }
});
