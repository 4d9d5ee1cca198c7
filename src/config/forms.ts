/** The forms that values of settings have, whoever's they are: text from a flag or a variable, or what YAML says better. */
import { z } from 'zod';
import { parseByteSize } from '../kernel/byte-size.ts';
import { parseDurationMs } from '../kernel/duration.ts';
import { messageOf } from '../kernel/errors.ts';
import { parseMediaHosts } from '../net/address.ts';
import { textFor } from '../schedule/checked-text.ts';
import { parseLocation } from '../store/location.ts';
import { unknownKey } from './suggest.ts';

export const duration = (leastMs: number) =>
  z
    .string()
    .meta({ examples: ['500ms', '6s', '30m', '2h', '1h30m'] })
    .transform((text, context) => {
      const ms = parseDurationMs(text);
      if (ms !== undefined && ms >= leastMs) return ms;
      context.addIssue({
        code: 'custom',
        message: ms === undefined ? 'not a duration' : `too short: at least ${leastMs} ms`,
      });
      return z.NEVER;
    });

export const DURATION_FORM = 'a duration: a number and a unit, such as 500ms, 6s, 30m, 2h or 1h30m';

/** Text, or a bare 0 from YAML. */
export const byteSize = z
  .union([z.literal(0), z.string().meta({ examples: ['512MiB', '2GB'] })])
  .transform((given, context) => {
    const bytes = parseByteSize(String(given));
    if (bytes !== undefined) return bytes;
    context.addIssue({ code: 'custom', message: 'not a size' });
    return z.NEVER;
  });

/** Bytes in a second. */
export const byteRate = z
  .string()
  .meta({ examples: ['20MB/s', '2.5MiB'] })
  .transform((text, context) => {
    const bytes = parseByteSize(text.replace(/ ?\/ ?s$/i, ''));
    if (bytes !== undefined && bytes > 0) return bytes;
    context.addIssue({ code: 'custom', message: 'not a size in a second' });
    return z.NEVER;
  });

export const BYTE_RATE_FORM = 'a size in a second: a number and a unit, such as 20MB/s, 2.5MiB/s or 800kB';

/** As a share, 0 to 1. */
export const percentage = z
  .string()
  .meta({ examples: ['80%'] })
  .transform((text, context) => {
    const percent = Number(/^(\d+(?:\.\d+)?) ?%$/.exec(text.trim())?.[1] ?? Number.NaN);
    if (percent >= 1 && percent <= 100) return percent / 100;
    context.addIssue({ code: 'custom', message: 'not a percentage from 1% to 100%' });
    return z.NEVER;
  });

export const url = (...protocols: string[]) =>
  z.string().refine((text) => URL.canParse(text) && protocols.includes(new URL(text).protocol.slice(0, -1)));

export const hosts = z.union([z.string(), z.array(z.string())]).transform((given, context) => {
  const names = (typeof given === 'string' ? given.split(',') : given)
    .map((host) => host.trim())
    .filter(Boolean);
  try {
    parseMediaHosts(names);
    return names;
  } catch (error) {
    context.addIssue({ code: 'custom', message: messageOf(error) });
    return z.NEVER;
  }
});

/** Of a store. */
export const location = textFor(parseLocation);

/** Text from a flag or a variable, a number from YAML. */
export const wholeNumber = (least: number, most: number) =>
  z.union([z.number(), z.string().regex(/^\d+$/).transform(Number)]).pipe(z.int().min(least).max(most));

/** A map of these keys and no others; what is taken for one of them is said. */
export const strictMap = <Shape extends z.ZodRawShape>(shape: Shape) =>
  z.strictObject(shape, {
    error: (issue) =>
      issue.code === 'unrecognized_keys'
        ? (issue as { keys: string[] }).keys.map((key) => unknownKey(key, Object.keys(shape))).join('; ')
        : undefined,
  });
