/** The lookup API: the key, whether the API answers, and, where a credit may be spent, one look. */
import { request } from 'undici';
import type { Config } from '../../config/schema.ts';
import type { Clock } from '../../kernel/clock.ts';
import { LivestowError } from '../../kernel/errors.ts';
import { silentLogger } from '../../kernel/logger.ts';
import { bareUrl } from '../../kernel/redact.ts';
import { LookupClient } from '../../lookup/lookup-client.ts';
import { createNet } from '../../net/net.ts';
import { clockFinding } from './clock.ts';
import type { Check, Finding } from './finding.ts';

export const checkKey =
  ({ apiKey }: Config): Check =>
  async () => [
    apiKey === null
      ? {
          check: 'key',
          status: 'fail',
          found: 'there is no key for the lookup API',
          advice: 'set LIVESTOW_API_KEY to a Social Fetch key (sfk_…): without one nobody can be looked up',
        }
      : { check: 'key', status: 'ok', found: 'is set (--look <handle> tries it, for a credit)' },
  ];

/** @param handle for a look, which costs credits; without it nothing is asked that is charged for */
export const checkLookup =
  (config: Config, clock: Clock, handle: string | undefined): Check =>
  async (signal) => {
    const net = createNet({ mediaHosts: config.mediaHosts, proxy: config.proxy?.reveal() ?? null });
    try {
      const findings: Finding[] = [];
      const { statusCode, headers, body } = await request(config.apiUrl, {
        dispatcher: net.api,
        signal,
      }).catch((error: unknown) => {
        signal.throwIfAborted();
        throw new LivestowError('LOOKUP_FAILED', `${bareUrl(config.apiUrl)} could not be reached`, {
          hint: 'look at the network, LIVESTOW_API_URL and LIVESTOW_PROXY',
          cause: error,
        });
      });
      body.on('error', () => {}).destroy();
      findings.push(reachedFinding(config.apiUrl, statusCode));
      const theirs = Date.parse(String(headers['date']));
      if (!Number.isNaN(theirs)) findings.push(clockFinding(theirs, clock.now(), 'the lookup API'));

      if (handle !== undefined) {
        const client = new LookupClient({
          apiKey: config.apiKey?.reveal(),
          baseUrl: config.apiUrl,
          dispatcher: net.api,
          logger: silentLogger(),
          clock,
        });
        const look = await client.look(handle, { signal });
        const { creditsCharged } = look.meta;
        const cost = `${creditsCharged} ${creditsCharged === 1 ? 'credit' : 'credits'} charged`;
        const found = look.status === 'not-found' ? `there is no @${handle}` : `@${handle} is ${look.status}`;
        findings.push({ check: 'look', status: 'ok', found: `${found} (${cost})` });
      }
      return findings;
    } finally {
      await net.close();
    }
  };

function reachedFinding(apiUrl: string, status: number): Finding {
  const found = `${bareUrl(apiUrl)} answers`;
  return status < 500
    ? { check: 'lookup', status: 'ok', found }
    : {
        check: 'lookup',
        status: 'warn',
        found: `${found} with ${status}`,
        advice: 'the provider has trouble; livestow goes on trying',
      };
}
