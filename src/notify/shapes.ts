/**
 * The body that each kind of receiver understands. What others wrote (titles, names, errors) is text there and nothing
 * else: no mention, no markup, no header. The bounds of `wording.ts` keep every shape within its receiver's limits:
 * Discord 2,000 characters, ntfy 4,096 bytes, Slack 40,000 characters.
 */
import { escapeJson } from '../kernel/foreign-text.ts';
import { scrub } from '../kernel/redact.ts';
import type { Notice } from './gap-digest.ts';
import { NTFY_TOPIC, type Shape } from './webhook-config.ts';
import { wordingOf, type Wording } from './wording.ts';

export interface ShapedRequest {
  url: string;
  /** JSON. */
  body: string;
}

/** Message flag of Discord: no preview of links. */
const SUPPRESS_EMBEDS = 4;
/** Of ntfy: 3 is the default, 4 is high. */
const HIGH_PRIORITY = 4;

/** `undelivered`: how many messages before this one were not delivered. */
export function shapeRequest(shape: Shape, url: string, notice: Notice, undelivered: number): ShapedRequest {
  const wording = withUndelivered(wordingOf(notice), undelivered);
  switch (shape) {
    case 'json':
      return { url, body: bodyOf(generic(notice, wording, undelivered)) };
    case 'discord':
      return { url: withAnswer(url), body: bodyOf(discord(wording)) };
    case 'slack':
      return { url, body: bodyOf(slack(wording)) };
    case 'ntfy':
      return ntfy(url, wording);
  }
}

const bodyOf = (value: object): string => escapeJson(JSON.stringify(value));

function withUndelivered(wording: Wording, undelivered: number): Wording {
  if (undelivered === 0) return wording;
  const note = `Not delivered before this: ${undelivered} message${undelivered === 1 ? '' : 's'}`;
  return { ...wording, text: wording.text === '' ? note : `${wording.text}\n${note}` };
}

/** As Standard Webhooks recommends it; `data` is what the stream of events of the API gives. */
function generic(notice: Notice, { headline, text }: Wording, undelivered: number): object {
  return {
    type: notice.type,
    timestamp: notice.at,
    text: text === '' ? headline : `${headline}\n${text}`,
    undelivered,
    data: Object.fromEntries(
      Object.entries(notice).map(([key, value]: [string, unknown]) => [
        key,
        typeof value === 'string' && key !== 'title' ? scrub(value) : value,
      ]),
    ),
  };
}

/** Discord's Markdown: each sign that begins something, and what makes an address a link. */
const forDiscord = (text: string): string => text.replace(/[\\`*_~|<>#[\]()]|:(?=\/\/)/g, String.raw`\$&`);

function discord({ headline, text, link }: Wording): object {
  return {
    content: [
      `**${forDiscord(headline)}**`,
      ...(text === '' ? [] : [forDiscord(text)]),
      ...(link === undefined ? [] : [link]),
    ].join('\n'),
    // Else a title could call everybody.
    allowed_mentions: { parse: [] },
    flags: SUPPRESS_EMBEDS,
  };
}

/** Discord says whether it kept a message only where it is asked to. */
function withAnswer(url: string): string {
  const asking = new URL(url);
  if (!asking.searchParams.has('wait')) asking.searchParams.set('wait', 'true');
  return asking.href;
}

const ENTITY: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;' };
/** Receivers that are like Slack (Mattermost, Rocket.Chat) read mentions and links in plain text, too. */
const forSlack = (text: string): string =>
  text
    .replace(/@(?=(?:channel|here|everyone|all)\b)|\](?=\()/gi, '$&\u200B')
    .replace(/[&<>]/g, (sign) => ENTITY[sign] ?? sign);

function slack({ headline, text, link }: Wording): object {
  return {
    text: [headline, ...(text === '' ? [] : [text])]
      .map(forSlack)
      .concat(link ?? [])
      .join('\n'),
    mrkdwn: false,
    unfurl_links: false,
    unfurl_media: false,
  };
}

/** Published as JSON, to the server's root, so that nothing of it becomes a header. */
function ntfy(url: string, { headline, text, link, urgent }: Wording): ShapedRequest {
  const root = new URL(url);
  const topic = NTFY_TOPIC.exec(root.pathname)?.[1] ?? '';
  root.pathname = root.pathname.replace(NTFY_TOPIC, '/');
  const message = text === '' ? { message: headline } : { title: headline, message: text };
  return {
    url: root.href,
    body: bodyOf({
      topic,
      ...message,
      ...(urgent ? { priority: HIGH_PRIORITY, tags: ['warning'] } : {}),
      ...(link === undefined ? {} : { click: link }),
    }),
  };
}
