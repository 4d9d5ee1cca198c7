import { expect, test } from 'vitest';
import { defaultScenario, demoScenario } from '../../src/sandbox/default-scenario.ts';
import type { SandboxState } from '../../src/sandbox/state.ts';
import type { Truth } from '../../src/sandbox/ledger.ts';
import { mediaOf, scenarioSchema } from '../../src/sandbox/scenario.ts';
import { lookUp, receive, streamOf } from './client.ts';
import { play, playAlice } from './playing.ts';

const post = (url: string, body: unknown) => fetch(url, { method: 'POST', body: JSON.stringify(body) });
const get = async <T>(url: string) => (await (await fetch(url)).json()) as T;

test('another process drives the sandbox by HTTP', async () => {
  const sandbox = await play({ creators: { alice: {} } });
  const control = `${sandbox.apiUrl}/_sandbox`;
  expect((await lookUp(sandbox, 'alice')).data.liveStatus).toBe('offline');
  expect((await post(`${control}/live`, { handle: 'alice' })).status).toBe(200);
  const receiving = receive((await streamOf(sandbox, 'alice')).flvUrl!);
  await sandbox.waitFor(({ type }) => type === 'gop');
  expect((await post(`${control}/inject`, { handle: 'alice', fault: { type: 'drop' } })).status).toBe(200);
  expect((await receiving).whole).toBe(false);
  const state = await get<SandboxState>(`${control}/state`);
  expect(state).toMatchObject({
    lookups: 2,
    creators: { alice: { live: true } },
    fired: [{ fault: 'drop' }],
  });
  expect((await get<Truth>(`${control}/truth/alice`)).pictures[0]![0]).toBe(0);
  await post(`${control}/answer`, { next: 1, answer: { type: 'offline' } });
  expect((await lookUp(sandbox, 'alice')).data.liveStatus).toBe('offline');
  expect((await post(`${control}/end`, { handle: 'alice' })).status).toBe(200);
  expect((await get<SandboxState>(`${control}/state`)).creators['alice']!.live).toBe(false);
  await post(`${control}/scenario`, { creators: { bob: { liveAtMs: 0 } } });
  expect(Object.keys((await get<SandboxState>(`${control}/state`)).creators)).toEqual(['bob']);
  expect(await get<unknown[]>(`${control}/events`)).toMatchObject([{ type: 'live', handle: 'bob' }]);
});

test('what makes no sense is refused, and says why', async () => {
  const sandbox = await playAlice({});
  const control = `${sandbox.apiUrl}/_sandbox`;
  const unknownFault = await post(`${control}/inject`, { handle: 'alice', fault: { type: 'meteor' } });
  expect(unknownFault.status).toBe(400);
  expect(await unknownFault.text()).toContain('type');
  expect((await post(`${control}/inject`, { handle: 'zoe', fault: { type: 'drop' } })).status).toBe(400);
  expect((await post(`${control}/nothing`, {})).status).toBe(404);
  await expect(sandbox.inject('alice', { type: 'stall', forMs: -1 })).rejects.toThrow();
  expect(() => sandbox.goLive('zoe')).toThrow('zoe');
});

test('waiting for what never happens ends with the signal', async () => {
  const sandbox = await playAlice({});
  const waiting = sandbox.waitFor(({ type }) => type === 'room', AbortSignal.timeout(50));
  await expect(waiting).rejects.toThrow('timeout');
});

test('the scenarios that come with livestow are good', () => {
  expect(mediaOf(scenarioSchema.parse(demoScenario)).sort()).toEqual(['small', 'small-landscape']);
  expect(Object.keys(scenarioSchema.parse(defaultScenario).creators)).toEqual([
    'alice',
    'bob',
    'carol',
    'dora',
    'erin',
  ]);
});
