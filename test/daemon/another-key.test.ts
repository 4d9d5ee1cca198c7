/** The key is refused, and another one comes: nobody starts the daemon anew, and nothing that is recorded is cut. */
import { expect, test, vi } from 'vitest';
import { SECRETS, Served } from '../web/served.ts';

const configOf = (apiKey: string): string => `apiKey: ${apiKey}\ncreators: [alice, bob]\n`;
/** Keys of the environment go before those of the file. */
const open = (apiKey: string): Promise<Served> =>
  Served.open({ config: configOf(apiKey), env: { LIVESTOW_API_KEY: '' } });

const keyIsReady = async (served: Served): Promise<boolean | undefined> => {
  const { checks } = (await (await served.fetch('/readyz')).json()) as { checks: Record<string, boolean> };
  return checks['key'];
};

const refusals = (served: Served) =>
  served.daemon.events.since(0).flatMap((event) => (event.type === 'failed' ? [event] : []));

test('a key that is refused from the start: it goes on, says so once for all, and takes another one', async () => {
  const served = await open('sfk_refused');
  await served.isAt('alice', 'failing');
  await served.isAt('bob', 'failing');
  expect(refusals(served)).toMatchObject([{ handle: null, code: 'LOOKUP_UNAUTHORIZED' }]);
  expect(await keyIsReady(served)).toBe(false);

  await served.reload(configOf('sfk_refused_too'));
  await vi.waitFor(() => expect(refusals(served)).toHaveLength(2), { timeout: 10_000 });
  expect(await keyIsReady(served)).toBe(false);

  await served.reload(configOf(SECRETS.apiKey));
  expect(served.inForce.waiting).toEqual([]);
  await served.isAt('alice', 'watching');
  await served.isAt('bob', 'watching');
  await vi.waitFor(() => expect(served.daemon.vitals.looks.offline).toBeGreaterThan(3), { timeout: 10_000 });
  expect(await keyIsReady(served)).toBe(true);
  expect(refusals(served)).toHaveLength(2);
  const { body } = await served.call('GET', '/config');
  expect(JSON.stringify(body)).not.toContain(SECRETS.apiKey);
});

test('a key that is refused while it is recorded cuts nothing, and neither does the next one', async () => {
  const served = await open(SECRETS.apiKey);
  await served.recordsAlice();
  await served.reload(configOf('sfk_refused'));
  await served.isAt('bob', 'failing');
  expect(await keyIsReady(served)).toBe(false);
  await served.reload(configOf(SECRETS.apiKey));
  await served.isAt('bob', 'watching');
  const { body } = await served.call('GET', '/creators/alice');
  expect(body).toMatchObject({ state: 'recording', recording: { gaps: 0 } });
  expect(served.daemon.events.since(0).filter(({ type }) => type === 'ended')).toEqual([]);
});
