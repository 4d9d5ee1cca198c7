import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { registerSecret } from '../../src/kernel/redact.ts';
import type { LivestowEvent } from '../../src/model/event.ts';
import type { GapDigest, Notice } from '../../src/notify/gap-digest.ts';
import { shapeRequest } from '../../src/notify/shapes.ts';
import { EVENTS, live } from './events.ts';

const DISCORD = 'https://discord.com/api/webhooks/1/tok';
const SLACK = 'https://hooks.slack.com/services/T/B/x';
const NTFY = 'https://ntfy.sh/my-topic';

interface Discord {
  content: string;
  allowed_mentions: unknown;
  flags: number;
}
interface Ntfy {
  topic: string;
  title?: string;
  message: string;
  click?: string;
  priority?: number;
}

const bodyOf = (
  shape: Parameters<typeof shapeRequest>[0],
  url: string,
  notice: Notice,
  undelivered = 0,
): unknown => JSON.parse(shapeRequest(shape, url, notice, undelivered).body);
const discord = (notice: Notice, undelivered = 0) =>
  bodyOf('discord', DISCORD, notice, undelivered) as Discord;
const slack = (notice: Notice, undelivered = 0) =>
  bodyOf('slack', SLACK, notice, undelivered) as Record<string, unknown> & { text: string };
const ntfy = (notice: Notice, undelivered = 0) => bodyOf('ntfy', NTFY, notice, undelivered) as Ntfy;
const json = (notice: Notice, undelivered = 0) =>
  bodyOf('json', 'http://h/', notice, undelivered) as Record<string, unknown> & {
    text: string;
    data: LivestowEvent;
  };

const digest: GapDigest = {
  type: 'gaps',
  at: EVENTS.gap.at,
  gaps: 12,
  ms: 30_500,
  causes: { stall: 10, refused: 2 },
  sessions: Array.from({ length: 7 }, (_, i) => ({
    handle: `creator_${i}`,
    session: `s${i}`,
    gaps: i + 1,
    ms: 1_000,
    from: EVENTS.gap.from,
    to: EVENTS.gap.to,
  })),
};

describe('in words', () => {
  test.each<[notice: Notice, text: string]>([
    [EVENTS.live, '@alice is live\n“Cooking”\n123 viewers'],
    [live(null), '@alice is live\n123 viewers'],
    [EVENTS.recording, '@alice is being recorded\nSession s1'],
    [
      EVENTS.gap,
      '@alice: 12.0 s are missing\n2026-11-22T10:00:00.000Z to 2026-11-22T10:00:12.000Z\nthe CDN kept the connection open and sent nothing',
    ],
    [EVENTS.ended, '@alice: the recording ended\nthe room went offline'],
    [EVENTS.sealed, '@alice: 1:02:03 archived\n2 gaps, 99.9 % of it there, 1.4 GiB'],
    [EVENTS.failed, 'STORE_DENIED\nno\ncheck the key'],
    [EVENTS.credits, 'Few credits are left for today\n900 spent today of 1000'],
    [EVENTS.disk, "The spool's disk has no room but its reserve: nothing is recorded\n476.8 MiB are free"],
    [EVENTS.config, 'The configuration was refused\nlivestow.yaml:3: no'],
    [EVENTS.job, 'Job verify: failed\n1 object is gone'],
    [
      digest,
      '12 gaps in 7 recordings: 30.5 s are missing\n@creator_6: 7 gaps, 1.0 s\n@creator_5: 6 gaps, 1.0 s\n@creator_4: 5 gaps, 1.0 s\n@creator_3: 4 gaps, 1.0 s\n@creator_2: 3 gaps, 1.0 s\nand 2 more\nstall 10, refused 2',
    ],
  ])('$type', (notice, text) => {
    expect(json(notice).text).toBe(text);
  });
});

describe('what each receiver gets', () => {
  test('JSON: the event as the API gives it', () => {
    expect(json(EVENTS.sealed)).toEqual({
      type: 'sealed',
      timestamp: EVENTS.sealed.at,
      text: expect.stringContaining('archived'),
      undelivered: 0,
      data: EVENTS.sealed,
    });
  });

  test('Discord', () => {
    expect(discord(EVENTS.live)).toEqual({
      content: '**@alice is live**\n“Cooking”\n123 viewers\nhttps://www.tiktok.com/@alice/live',
      allowed_mentions: { parse: [] },
      flags: 4,
    });
  });

  test.each([
    [DISCORD, `${DISCORD}?wait=true`],
    [`${DISCORD}?thread_id=5`, `${DISCORD}?thread_id=5&wait=true`],
    [`${DISCORD}?wait=false`, `${DISCORD}?wait=false`],
  ])('Discord is asked whether it kept the message: %s', (url, asked) => {
    expect(shapeRequest('discord', url, EVENTS.live, 0).url).toBe(asked);
  });

  test('Slack', () => {
    expect(slack(EVENTS.live)).toEqual({
      text: '@alice is live\n“Cooking”\n123 viewers\nhttps://www.tiktok.com/@alice/live',
      mrkdwn: false,
      unfurl_links: false,
      unfurl_media: false,
    });
  });

  test('ntfy', () => {
    expect(ntfy(EVENTS.live)).toEqual({
      topic: 'my-topic',
      title: '@alice is live',
      message: '“Cooking”\n123 viewers',
      click: 'https://www.tiktok.com/@alice/live',
    });
    expect(ntfy(EVENTS.failed)).toMatchObject({ priority: 4, tags: ['warning'] });
    expect(ntfy({ ...EVENTS.config, outcome: 'reloaded', message: '' })).toEqual({
      topic: 'my-topic',
      message: 'The configuration was reloaded',
    });
  });

  test.each([
    [NTFY, 'https://ntfy.sh/'],
    ['https://ntfy.sh/my-topic/', 'https://ntfy.sh/'],
    ['https://example.org/ntfy/my-topic?auth=x', 'https://example.org/ntfy/?auth=x'],
  ])('ntfy is published to at its root: %s', (url, root) => {
    const shaped = shapeRequest('ntfy', url, EVENTS.live, 0);
    expect(shaped.url).toBe(root);
    expect(JSON.parse(shaped.body)).toMatchObject({ topic: 'my-topic' });
  });

  test('how many messages were lost before', () => {
    expect(json(EVENTS.live, 12)).toMatchObject({
      undelivered: 12,
      text: expect.stringMatching(/\nNot delivered before this: 12 messages$/),
    });
    for (const text of [
      discord(EVENTS.live, 1).content,
      slack(EVENTS.live, 1).text,
      ntfy(EVENTS.live, 1).message,
    ])
      expect(text).toContain('Not delivered before this: 1 message');
  });
});

describe('what others wrote is text', () => {
  test.each<[title: string, inDiscord: string, inSlack: string]>([
    [
      '**bold** _it_ ~~no~~ `x`',
      String.raw`\*\*bold\*\* \_it\_ \~\~no\~\~ \`x\``,
      '**bold** _it_ ~~no~~ `x`',
    ],
    ['||spoiler|| # > quote', String.raw`\|\|spoiler\|\| \# \> quote`, '||spoiler|| # &gt; quote'],
    [
      '<@1> <#2> <t:0:R> <:a:1>',
      String.raw`\<@1\> \<\#2\> \<t:0:R\> \<:a:1\>`,
      '&lt;@1&gt; &lt;#2&gt; &lt;t:0:R&gt; &lt;:a:1&gt;',
    ],
    ['<!channel> & co', String.raw`\<!channel\> & co`, '&lt;!channel&gt; &amp; co'],
    ['&lt;!here&gt;', '&lt;!here&gt;', '&amp;lt;!here&amp;gt;'],
    ['@everyone @here @all', '@everyone @here @all', '@\u200Beveryone @\u200Bhere @\u200Ball'],
    [
      '[click](https://evil.example)',
      String.raw`\[click\]\(https\://evil.example\)`,
      '[click]\u200B(https://evil.example)',
    ],
    [
      '<https://evil.example|safe>',
      String.raw`\<https\://evil.example\|safe\>`,
      '&lt;https://evil.example|safe&gt;',
    ],
    [String.raw`\*not escaped\*`, String.raw`\\\*not escaped\\\*`, String.raw`\*not escaped\*`],
  ])('a title %j', (title, inDiscord, inSlack) => {
    expect(discord(live(title)).content).toContain(`\n“${inDiscord}”\n`);
    expect(slack(live(title)).text).toContain(`\n“${inSlack}”\n`);
    expect(ntfy(live(title)).message).toContain(`“${title}”`);
    expect(json(live(title)).data).toMatchObject({ title });
  });

  test.each([
    ['line ends', 'a\r\nX-Title: b\u2028c\u0085d'],
    ['an escape sequence', '\u001B[2Ja\u0007'],
    ['a change of direction', 'a\u202Egnp.exe\u2066'],
    ['half a character', 'a\uD83D'],
  ])('%s', (_what, title) => {
    const unsafe = /(?!\n)\p{Cc}|[\p{Bidi_Control}\u2028\u2029\p{Surrogate}]/u;
    for (const text of [discord(live(title)).content, slack(live(title)).text, ntfy(live(title)).message]) {
      expect(text).not.toMatch(unsafe);
      // The headline was apart, or is the first line; title, viewers and, but for ntfy, the link follow.
      expect(text.split('\n').length).toBeLessThanOrEqual(4);
    }
    expect(shapeRequest('json', 'http://h/', live(title), 0).body).not.toMatch(unsafe);
    expect(json(live(title)).data).toMatchObject({ title });
  });

  test('whatever it is, no limit is exceeded, and Discord sees no sign that begins something', () => {
    const hostile = fc.string({ unit: 'grapheme', maxLength: 3_000 });
    const signs = fc.string({
      unit: fc.constantFrom('*', '&', '<', '💥', '\n', '\\', '@'),
      maxLength: 3_000,
    });
    fc.assert(
      fc.property(fc.oneof(hostile, signs), fc.nat(), (text, undelivered) => {
        for (const notice of [
          live(text, 'a'.repeat(64)),
          { ...EVENTS.failed, message: text, hint: text, code: text },
          { ...EVENTS.job, job: text, message: text },
          digest,
        ]) {
          const said = discord(notice, undelivered);
          expect(said.content.length).toBeLessThanOrEqual(2_000);
          expect(said.allowed_mentions).toEqual({ parse: [] });
          const lines = said.content.slice(2).replace(/\*\*(?=\n|$)/, '');
          expect(lines.replaceAll(/\\[\\`*_~|<>#[\]()]/g, '')).not.toMatch(/[\\`*_~|<>#[\]()]/);
          expect(Buffer.byteLength(ntfy(notice, undelivered).message)).toBeLessThanOrEqual(4_096);
          expect(slack(notice, undelivered).text.length).toBeLessThanOrEqual(40_000);
          expect(slack(notice, undelivered).text).not.toMatch(/[<>]|&(?!amp;|lt;|gt;)/);
        }
      }),
      { numRuns: 100 },
    );
  });

  test.each(['json', 'discord', 'slack', 'ntfy'] as const)(
    'an error that tells a secret does not tell it as %s',
    (shape) => {
      registerSecret('hunter2-and-more');
      const url = 'https://ntfy.sh/my-topic';
      const message = 'with hunter2-and-more at https://cdn.example/a?sign=abcdef';
      const { body } = shapeRequest(shape, url, { ...EVENTS.failed, message, hint: message }, 0);
      expect(body).not.toMatch(/hunter2|abcdef/);
      expect(body).toContain('redacted');
    },
  );
});
