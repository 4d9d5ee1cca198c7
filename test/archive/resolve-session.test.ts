import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { resolveSession } from '../../src/archive/resolve-session.ts';
import { indexKey } from '../../src/layout/keys.ts';
import { buildSession, LANDSCAPE, tempStore } from './fixture.ts';

const T = Date.UTC(2026, 10, 22, 14, 3, 7);
const DAY = 86_400_000;
const small = { epochs: [LANDSCAPE] };

test('what people write for a session', async () => {
  await using temp = await tempStore();
  const { store } = temp;
  const of = { ...small, platformUserId: '42' };
  const first = await buildSession(store, { ...of, handle: 'alice', foundAtMs: T, roomId: '7' });
  const longer = await buildSession(store, {
    ...of,
    handle: 'bob',
    platformUserId: '43',
    foundAtMs: T,
    roomId: '77',
  });
  const renamed = await buildSession(store, { ...of, handle: 'alicia', foundAtMs: T + DAY, roomId: '8' });
  const refOf = ({ handle, session }: { handle: string; session: string }) => ({ handle, session });

  const resolved = async (text: string): Promise<unknown> => [text, await resolveSession(store, text)];
  for (const [text, expected] of [
    [first.session, first],
    [longer.session, longer],
    [renamed.session, renamed],
    ['20261123', renamed],
    ['@alicia', renamed],
    ['@alice', renamed],
    ['@Bob', longer],
    ['bob/2026', longer],
    ['@bob/20261122T140307Z-7', longer],
    ['alice/20261122T140307Z-7', first],
  ] as const) {
    expect(await resolved(text)).toEqual([text, refOf(expected)]);
  }

  const refused = async (text: string): Promise<unknown> => [
    text,
    await resolveSession(store, text).catch((error: unknown) => error),
  ];
  for (const [text, error] of [
    ['2026', { code: 'AMBIGUOUS', hint: expect.stringContaining(`alice/${first.session}`) }],
    ['20261122T1', { code: 'AMBIGUOUS' }],
    ['20261122T140307Z-9', { code: 'NOT_FOUND' }],
    ['bob/20261123', { code: 'NOT_FOUND' }],
    ['alice', { code: 'NOT_FOUND', hint: expect.stringContaining('@alice') }],
    ['@carol', { code: 'NOT_FOUND' }],
    ['@../x', { code: 'USAGE' }],
    ['../../etc', { code: 'USAGE' }],
    ['', { code: 'USAGE' }],
    ['a/b/c', { code: 'USAGE' }],
    ['@', { code: 'USAGE' }],
  ] as const) {
    expect(await refused(text)).toMatchObject([text, error]);
  }
});

test('the index may be missing or wrong', async () => {
  await using temp = await tempStore();
  const { handle, session } = await buildSession(temp.store, small);
  const wrong = indexKey(session, 'aaron');
  await temp.store.put(wrong, { bytes: Buffer.from('{}') });
  expect(await resolveSession(temp.store, session)).toEqual({ handle, session });
  await rm(join(temp.root, 'index'), { recursive: true });
  expect(await resolveSession(temp.store, session)).toEqual({ handle, session });
});

test('an id that two creators have is neither’s', async () => {
  await using temp = await tempStore();
  const { session } = await buildSession(temp.store, small);
  await buildSession(temp.store, { ...small, handle: 'bob' });
  await expect(resolveSession(temp.store, session)).rejects.toMatchObject({ code: 'AMBIGUOUS' });
  expect(await resolveSession(temp.store, `bob/${session}`)).toEqual({ handle: 'bob', session });
});
