/** The day's credits are for those who are looked at. */
import { describe, expect, test } from 'vitest';
import { Served } from '../web/served.ts';

const served = (): Promise<Served> =>
  Served.open({
    config: 'creators: [alice, bob]\n',
    env: { LIVESTOW_POLL_INTERVAL: '', LIVESTOW_CREDITS_PER_DAY: '200' },
  });
const perDay = ({ daemon }: Served, handle: string): number =>
  daemon.expectation(handle)?.creditsPerDay ?? Number.NaN;

describe('what one would have cost is for the others', () => {
  test.each<[what: string, leave: (town: Served) => Promise<unknown>]>([
    ['when it is taken off the config', (town) => town.reload('creators: [alice]\n')],
    ['when it is paused', (town) => town.call('POST', '/creators/bob/pause')],
    [
      'when it is looked at in an interval of its own',
      (town) => town.reload('creators:\n  - alice\n  - handle: bob\n    pollInterval: 1h\n'),
    ],
  ])('%s', async (_what, leave) => {
    const town = await served();
    const shared = perDay(town, 'alice');
    expect(perDay(town, 'bob')).toBeCloseTo(shared, 0);
    await leave(town);
    expect(town.daemon.expectation('bob')).toBeNull();
    expect(perDay(town, 'alice')).toBeGreaterThan(1.8 * shared);
  });

  test('until it is back', async () => {
    const town = await served();
    const shared = perDay(town, 'alice');
    await town.call('POST', '/creators/bob/pause');
    await town.call('POST', '/creators/bob/resume');
    expect(perDay(town, 'alice')).toBeCloseTo(shared, 0);
    expect(perDay(town, 'bob')).toBeCloseTo(shared, 0);
  });
});

test('who leaves while it is recorded is listed to its end, and promises nothing', async () => {
  const town = await Served.open({ config: 'creators: [alice]\n' });
  await town.recordsAlice();
  await town.reload('creators: []\n');
  await town.isAt('alice', 'leaving');
  const { status, body } = await town.call('GET', '/creators');
  expect(status).toBe(200);
  expect(body).toMatchObject({ creators: [{ handle: 'alice', state: 'leaving', expectation: null }] });
});
