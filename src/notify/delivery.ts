/** What became of a message, and how a webhook is doing: for the log, the API and the metrics. Nothing in it is secret. */
import { z } from 'zod';

const at = z.iso.datetime();
const status = z.int().nullable().describe('HTTP; null: no answer came.');
const error = z.string().nullable().describe('Why no answer came: a code such as ECONNREFUSED or TIMEOUT.');
const webhook = z.string().describe('Its name, or its place in the config file.');

export const deliverySchema = z.object({
  id: z.string().describe('The header webhook-id, the same for every try.'),
  webhook,
  type: z.string().describe('Of the event; gaps: several gaps as one message.'),
  handle: z.string().nullable(),
  toldAt: at,
  endedAt: at,
  outcome: z
    .enum(['delivered', 'refused', 'given-up', 'dropped'])
    .describe(
      'refused: the receiver does not want it; given-up: tried for too long; dropped: too many were waiting, or livestow ended.',
    ),
  tries: z.int(),
  status,
  error,
});
export type Delivery = z.infer<typeof deliverySchema>;

export const webhookStateSchema = z.object({
  webhook,
  shape: z.string(),
  waiting: z.int().describe('Messages, with the one that is being sent.'),
  undelivered: z.int().describe('Messages that were lost since one was delivered.'),
  failures: z.int().describe('Tries in a row that failed.'),
  status,
  error,
});
export type WebhookState = z.infer<typeof webhookStateSchema>;
