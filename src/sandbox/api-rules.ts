/** Scripted answers of the lookup API: which requests, and what they get instead of the truth. */
import { z } from 'zod';

export const API_ERROR_STATUS = {
  bad_request: 400,
  unauthorized: 401,
  insufficient_credits: 402,
  payment_required: 402,
  internal_error: 500,
  lookup_failed: 502,
  temporarily_unavailable: 503,
} as const;
export type ApiErrorCode = keyof typeof API_ERROR_STATUS;

const answerSchema = z.discriminatedUnion('type', [
  /** The documented error body; `status` where it isn't the code's usual one (429). */
  z.strictObject({
    type: z.literal('error'),
    code: z.enum(Object.keys(API_ERROR_STATUS) as [ApiErrorCode, ...ApiErrorCode[]]).or(z.string().min(1)),
    status: z.number().int().min(400).max(599).optional(),
    /** Seconds, or an HTTP date. */
    retryAfter: z.union([z.number().nonnegative(), z.string()]).optional(),
    checkoutUrl: z.string().optional(),
  }),
  /** What was true so long ago, marked as cached. */
  z.strictObject({
    type: z.literal('cached'),
    ageMs: z.number().nonnegative(),
    ageHeader: z.boolean().default(true),
  }),
  /** As if the creator were offline, uncached. */
  z.strictObject({ type: z.literal('offline') }),
  /** Anything at all. */
  z.strictObject({
    type: z.literal('body'),
    status: z.number().int().min(200).max(599).default(200),
    contentType: z.string().default('application/json'),
    body: z.string(),
  }),
  /** A web page, as a proxy or a captive portal answers. */
  z.strictObject({ type: z.literal('html'), status: z.number().int().min(200).max(599).default(200) }),
  /** The right answer with fields missing, which the schema must refuse. */
  z.strictObject({ type: z.literal('malformed') }),
  /** The right answer with fields that no one documented, which must not matter. */
  z.strictObject({ type: z.literal('extra-fields') }),
  /** Half of the right answer, though Content-Length says more. */
  z.strictObject({ type: z.literal('truncated') }),
  /** The connection is reset before an answer. */
  z.strictObject({ type: z.literal('reset') }),
  /** No answer, ever. */
  z.strictObject({ type: z.literal('hang') }),
  /** The truth; for a rule that only delays. */
  z.strictObject({ type: z.literal('truth') }),
]);
export type ApiAnswer = z.infer<typeof answerSchema>;

export const apiRuleSchema = z.strictObject({
  /** Milliseconds since the scenario began. */
  fromMs: z.number().nonnegative().default(0),
  toMs: z.number().positive().optional(),
  handle: z.string().optional(),
  /** Only so many requests, then the rule is spent. */
  next: z.number().int().positive().optional(),
  delayMs: z.number().nonnegative().default(0),
  answer: answerSchema.default({ type: 'truth' }),
});
export type ApiRule = z.infer<typeof apiRuleSchema>;
export type ApiRuleInput = z.input<typeof apiRuleSchema>;
