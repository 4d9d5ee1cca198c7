/** One webhook as it stands in the config file: where it is, what it is told, in which shape, signed with what. */
import { z } from 'zod';
import { Secret } from '../kernel/secret.ts';
import { eventSchema, type LivestowEvent } from '../model/event.ts';
import { handleSchema } from '../model/handle.ts';
import { signingKey } from './signature.ts';

type EventType = LivestowEvent['type'];

const EVENT_TYPES = eventSchema.options.map((option) => option.shape.type.value) as [
  EventType,
  ...EventType[],
];

/** What somebody wants to be woken for, or to know the day after. A sealed session says how many gaps it has. */
const DEFAULT_EVENTS: readonly EventType[] = ['live', 'sealed', 'failed', 'credits', 'disk', 'digest'];

const shapeSchema = z.enum(['json', 'discord', 'slack', 'ntfy']);
export type Shape = z.infer<typeof shapeSchema>;

const SHAPE_OF_HOST: readonly [host: RegExp, shape: Shape][] = [
  [/^(?:(?:canary|ptb)\.)?discord(?:app)?\.com$/, 'discord'],
  [/^hooks\.slack(?:-gov)?\.com$/, 'slack'],
  [/^ntfy\./, 'ntfy'],
];

function guessShape({ hostname, pathname }: URL): Shape {
  const shape = SHAPE_OF_HOST.find(([host]) => host.test(hostname))?.[1] ?? 'json';
  // Discord takes what is meant for Slack there.
  return shape === 'discord' && pathname.endsWith('/slack') ? 'slack' : shape;
}

/** What the connection, the body or the signature decides. */
const RESERVED_HEADER =
  /^(?:host|connection|keep-alive|upgrade|te|trailer|expect|transfer-encoding|content-.*|proxy-.*|webhook-.*)$/i;
const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9a-z-]+$/i;
const HEADER_VALUE = /^[\x20-\x7e]*$/;
/** A shorter value may be a word that stands in other lines too. */
const TOKEN_CHARS = 20;

/** ntfy's own rule. */
export const NTFY_TOPIC = /\/([\w-]{1,64})\/?$/;

const textSecret = (good: (text: string) => boolean, message: string) =>
  z
    .string()
    .refine(good, message)
    .transform((text) => new Secret(text));

const isHttpUrl = (text: string): boolean => {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  return (
    url !== undefined &&
    /^https?:$/.test(url.protocol) &&
    url.hostname !== '' &&
    url.username + url.password === ''
  );
};

const headersSchema = z
  .record(
    z
      .string()
      .refine(
        (name) => HEADER_NAME.test(name) && !RESERVED_HEADER.test(name),
        'not a header that can be set',
      ),
    z.string().refine((value) => HEADER_VALUE.test(value), 'not a header: printable ASCII on one line'),
  )
  .transform((headers) =>
    Object.fromEntries(
      Object.entries(headers).map(([name, value]) => [
        name.toLowerCase(),
        new Secret(value, { maskOnly: value.length < TOKEN_CHARS }),
      ]),
    ),
  );

/** Whoever quotes a faulty entry back must leave out its values: `url`, `secret` and `headers` are secrets. */
export const webhookSchema = z
  .strictObject({
    name: z
      .string()
      .regex(/^[\w.-]{1,64}$/, 'not a name: 1 to 64 letters, digits, dots, dashes or underscores')
      .optional()
      .describe('What the log calls it; its URL is never shown.'),
    url: textSecret(isHttpUrl, 'not an http:// or https:// URL without user and password').describe(
      'Where messages are sent. For ntfy: the address of the topic.',
    ),
    events: z
      .array(z.enum(EVENT_TYPES))
      .min(1)
      .default([...DEFAULT_EVENTS])
      .describe('What it is told.'),
    creators: z
      .array(handleSchema)
      .min(1)
      .optional()
      .describe(
        'Of creators, only of these; without it, of all. What concerns no creator is told all the same.',
      ),
    shape: shapeSchema
      .optional()
      .describe('Guessed from the host where it is left out: json for an unknown one.'),
    secret: textSecret(
      (text) => signingKey(text) !== undefined,
      'not a secret: whsec_ and the base64 of 24 to 64 random bytes',
    )
      .optional()
      .describe('Signs each message. whsec_ and the base64 of 24 to 64 random bytes.'),
    headers: headersSchema.default({}).describe('Sent with each message, such as Authorization.'),
  })
  .transform((webhook) => ({ ...webhook, shape: webhook.shape ?? guessShape(new URL(webhook.url.reveal())) }))
  .refine(({ shape, url }) => shape !== 'ntfy' || NTFY_TOPIC.test(new URL(url.reveal()).pathname), {
    path: ['url'],
    message: 'no topic of ntfy: 1 to 64 letters, digits, dashes or underscores at its end',
  });

export type Webhook = z.output<typeof webhookSchema>;
