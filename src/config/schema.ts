/**
 * Every setting, once: its form, its default, its flag and environment variable, and what it is for. The config file's
 * schema, the flags of the command line, the commented example and the documentation all come from here.
 *
 * Each setting takes the text that a flag or variable carries; some also take what YAML can say better (a list).
 */
import { isAbsolute, resolve } from 'node:path';
import { z } from 'zod';
import { LOG_LEVELS, type LogLevel } from '../kernel/logger.ts';
import { Secret } from '../kernel/secret.ts';
import { webhookSchema, type Webhook } from '../notify/webhook-config.ts';
import { timeZoneSchema } from '../schedule/time-zone.ts';
import { preferencesSchema, type Preferences } from '../variant/preferences.ts';
import { about, type SettingAbout } from './about.ts';
import { creatorsSchema, groupsSchema, type CreatorEntry, type CreatorSettings } from './creators.ts';
import { jobsSchema, type JobSettings, type Jobs } from './jobs.ts';
import { byteSize, duration, DURATION_FORM, hosts, location, url, wholeNumber } from './forms.ts';
import { limitSettings } from './limits.ts';
import { parseListenAddress, type ListenAddress } from './listen-address.ts';

export const settingsSchema = z.strictObject({
  apiKey: z
    .string()
    .trim()
    .regex(/^[\x21-\x7e]+$/)
    .transform((key) => new Secret(key))
    .optional()
    .register(about, {
      description:
        'Social Fetch key. `livestow serve` uses another one in the config file without a restart.',
      form: 'a Social Fetch key (sfk_…)',
      env: 'LIVESTOW_API_KEY',
      example: 'sfk_…',
      secret: true,
    }),
  apiUrl: url('http', 'https').prefault('https://api.socialfetch.dev').register(about, {
    description: 'Base URL of the lookup API.',
    form: 'an http:// or https:// URL',
    env: 'LIVESTOW_API_URL',
    flag: '--api-url',
    value: 'url',
  }),
  store: location.prefault('./archive').register(about, {
    description:
      "Where the archive lies: a path, file:///abs/dir, or s3://bucket/prefix?endpoint=…&region=…&pathStyle=true. S3 credentials come from the AWS SDK's usual chain.",
    form: 'a path, file:///an/absolute/dir, or s3://<bucket>/<prefix>?endpoint=https://<host>&region=<region>&pathStyle=true',
    env: 'LIVESTOW_STORE',
    flag: '--store',
    value: 'location',
  }),
  spool: z.string().min(1).prefault('./spool').register(about, {
    description: 'Local folder for what is not yet shipped. Keep it on a disk that survives a restart.',
    form: 'a path',
    env: 'LIVESTOW_SPOOL',
    flag: '--spool',
    value: 'dir',
  }),
  cache: z.string().min(1).optional().register(about, {
    description:
      "Folder for what is known of the archive's sessions, so that lists and searches are quick. It may be deleted at any time. Without it that is livestow's folder in the user's cache ($XDG_CACHE_HOME, ~/.cache, on macOS ~/Library/Caches); off keeps it in memory.",
    form: 'a path, or off',
    env: 'LIVESTOW_CACHE',
    flag: '--cache',
    value: 'dir',
    example: '/var/cache/livestow',
  }),
  diskReserve: byteSize.prefault('512MiB').register(about, {
    description:
      "Room on the spool's disk that recording leaves free. As it nears, livestow warns, goes to lower variants, and stops recording until there is room again. 0 turns it off.",
    form: '0, or a size: a number and a unit, such as 512MiB or 2GB',
    env: 'LIVESTOW_DISK_RESERVE',
    flag: '--disk-reserve',
    value: 'size',
  }),
  mediaHosts: hosts.prefault([]).register(about, {
    description:
      'Hosts (any port) that media and pictures may come from beside the public ones. Loopback, private and link-local addresses are refused unless they are named here.',
    form: 'host names or addresses, comma-separated, without scheme or port',
    env: 'LIVESTOW_MEDIA_HOSTS',
    flag: '--media-hosts',
    value: 'hosts',
  }),
  proxy: url('http', 'https', 'socks5')
    .transform((proxy) => new Secret(proxy))
    .optional()
    .register(about, {
      description: 'Proxy for the lookup API and the media.',
      form: 'http://host:port, https://host:port or socks5://host:port, with user:password@ where needed',
      env: 'LIVESTOW_PROXY',
      flag: '--proxy',
      value: 'url',
      example: 'socks5://127.0.0.1:1080',
      secret: true,
    }),
  maxHold: duration(0).prefault('30m').register(about, {
    description:
      'How long a session waits for media to come back while the room is listed live or cannot be looked up, before it ends as media-lost.',
    form: DURATION_FORM,
    env: 'LIVESTOW_MAX_HOLD',
    flag: '--max-hold',
    value: 'duration',
  }),
  pollInterval: duration(100).optional().register(about, {
    description: 'Fixed interval between looks; without it the cadence is planned. Each look costs credits.',
    form: DURATION_FORM,
    env: 'LIVESTOW_POLL_INTERVAL',
    flag: '--poll-interval',
    value: 'duration',
    example: '1m',
  }),
  pollFloor: duration(1_000).prefault('1m').register(about, {
    description: 'Planned looks at one creator are at least this far apart.',
    form: DURATION_FORM,
    env: 'LIVESTOW_POLL_FLOOR',
    flag: '--poll-floor',
    value: 'duration',
  }),
  pollCeiling: duration(1_000).prefault('1h').register(about, {
    description:
      'Planned looks at one creator are at most this far apart, while the credits of the day allow it.',
    form: DURATION_FORM,
    env: 'LIVESTOW_POLL_CEILING',
    flag: '--poll-ceiling',
    value: 'duration',
  }),
  sampleInterval: duration(100).prefault('5m').register(about, {
    description:
      'How often a room is looked up while it is being recorded (viewers, title, still the same room). Each look costs credits.',
    form: DURATION_FORM,
    env: 'LIVESTOW_SAMPLE_INTERVAL',
    flag: '--sample-interval',
    value: 'duration',
  }),
  segmentDuration: duration(500).prefault('6s').register(about, {
    description: 'Target length of a segment; each is cut at the next keyframe.',
    form: DURATION_FORM,
    env: 'LIVESTOW_SEGMENT_DURATION',
    flag: '--segment-duration',
    value: 'duration',
  }),
  stallTimeout: duration(1_000).prefault('4s').register(about, {
    description: 'How long a connection may be silent before it is given up for a new one.',
    form: DURATION_FORM,
    env: 'LIVESTOW_STALL_TIMEOUT',
    flag: '--stall-timeout',
    value: 'duration',
  }),
  engine: z.enum(['auto', 'ffmpeg', 'builtin']).prefault('auto').register(about, {
    description:
      "What writes the segments: ffmpeg (supervised processes), builtin (in livestow's own process, FLV only), or auto: ffmpeg wherever it can, builtin for h265 in FLV.",
    form: 'one of auto, ffmpeg, builtin',
    env: 'LIVESTOW_ENGINE',
    flag: '--engine',
    value: 'engine',
  }),
  ranking: preferencesSchema.prefault({}).register(about, {
    description: 'Which of the offered streams is recorded; livestow variants shows the outcome.',
    form: 'a map of preferences',
  }),
  timeZone: timeZoneSchema.prefault('UTC').register(about, {
    description: 'Time zone of windows and schedules that name none of their own.',
    form: 'an IANA time zone, such as UTC or Europe/Berlin',
    env: 'LIVESTOW_TIME_ZONE',
    flag: '--time-zone',
    value: 'zone',
  }),
  creators: creatorsSchema.prefault([]).register(about, {
    description:
      'Whom `livestow serve` records: handles, or maps of a handle and what is its own: group, store, ranking, windows, priority, maxDuration, pollInterval, sampleInterval, maxHold, paused, note. `livestow record` and `recover` go by them too, but for windows and paused; of creators that are named on their command line, its flags go first.',
    form: 'a list of handles, or of maps with a handle and its own settings',
  }),
  groups: groupsSchema.prefault({}).register(about, {
    description: 'Settings that creators share, by the name that they give as their group.',
    form: 'a map from a name to settings of creators',
  }),
  jobs: jobsSchema.prefault({}).register(about, {
    description:
      'What `livestow serve` does with the archive at set times, by name: prune, verify, export, mirror, reindex, digest. docs/operations.md has an example of each.',
    form: 'a map from a name to a job: its kind, a cron expression, and settings of its kind',
  }),
  creditsPerDay: wholeNumber(1, 1_000_000_000).optional().register(about, {
    description:
      'Credits that looks may cost in a day (UTC); what is there is spent where a broadcast is most likely. Without it creators are looked at about once a minute.',
    form: 'a whole number of at least 1',
    env: 'LIVESTOW_CREDITS_PER_DAY',
    flag: '--credits-per-day',
    value: 'n',
    example: '20000',
  }),
  ...limitSettings,
  webhooks: z.array(webhookSchema).prefault([]).register(about, {
    description:
      'Who is told of what happens: maps of a url, and where wanted a name, events, creators, shape (json, discord, slack or ntfy), secret and headers.',
    form: 'a list of maps with a url',
    secret: true,
  }),
  listen: z
    .string()
    .transform((text, context): ListenAddress | 'off' => {
      if (text === 'off') return text;
      const address = parseListenAddress(text);
      if (address !== undefined) return address;
      context.addIssue({ code: 'custom', message: 'not an address' });
      return z.NEVER;
    })
    .prefault('127.0.0.1:8470')
    .register(about, {
      description:
        'Where `livestow serve` answers HTTP (API, metrics, health), and where `livestow status` and `livestow creators` ask. An address that other machines can reach needs a token. off turns it off.',
      form: 'host:port, such as 127.0.0.1:8470, [::]:8470 or 0.0.0.0:8470, or off',
      env: 'LIVESTOW_LISTEN',
      flag: '--listen',
      value: 'address',
    }),
  token: z
    .string()
    .regex(/^[\x21-\x7e]{16,}$/)
    .transform((token) => new Secret(token))
    .optional()
    .register(about, {
      description:
        'What callers of the HTTP API must show, as a bearer token, and people on the sign-in page. Whoever has it may order everything.',
      form: 'at least 16 letters, digits or signs without spaces; openssl rand -hex 24 makes one',
      env: 'LIVESTOW_TOKEN',
      example: '…',
      secret: true,
    }),
  viewerToken: z
    .string()
    .regex(/^[\x21-\x7e]{16,}$/)
    .transform((token) => new Secret(token))
    .optional()
    .register(about, {
      description: 'A second token, for whoever may look at everything and order nothing.',
      form: 'at least 16 letters, digits or signs without spaces; openssl rand -hex 24 makes one',
      env: 'LIVESTOW_VIEWER_TOKEN',
      example: '…',
      secret: true,
    }),
  logLevel: z
    .enum(LOG_LEVELS)
    .prefault('info')
    .register(about, {
      description: 'What is logged, to standard error: fatal, error, warn, info, debug, trace or silent.',
      form: `one of ${LOG_LEVELS.join(', ')}`,
      env: 'LIVESTOW_LOG_LEVEL',
      flag: '--log-level',
      value: 'level',
    }),
});

type Settings = z.output<typeof settingsSchema>;
export type SettingKey = keyof Settings;

/** In the order in which people are shown them. */
export const SETTING_KEYS = Object.keys(settingsSchema.shape) as SettingKey[];

export function aboutSetting(key: SettingKey): SettingAbout {
  const entry = about.get(settingsSchema.shape[key]);
  if (entry === undefined) throw new Error(`the setting ${key} is not described`);
  return entry;
}

/** Of a config file, for editors and other programs. */
export function settingsJsonSchema(): z.core.JSONSchema.JSONSchema {
  return z.toJSONSchema(settingsSchema, {
    io: 'input',
    override: ({ zodSchema, jsonSchema: json }) => {
      const entry = about.get(zodSchema as never);
      if (entry !== undefined) json.description = entry.description;
    },
  });
}

/** A setting as the config file's JSON Schema has it: its default as it would be written, its parts if it has any. */
export function settingJson(key: SettingKey): z.core.JSONSchema.JSONSchema {
  jsonSchema ??= settingsJsonSchema();
  const property = jsonSchema.properties?.[key];
  return typeof property === 'object' ? property : {};
}
let jsonSchema: z.core.JSONSchema.JSONSchema | undefined;

/** What the rest of livestow works with: parsed, units in names, paths absolute. */
export interface Config {
  apiKey: Secret | null;
  apiUrl: string;
  /** For `openStore`: a URL or an absolute path. */
  store: string;
  /** An absolute path. */
  spool: string;
  /** An absolute path, or off; null: the user's cache. */
  cache: string | null;
  /** 0: none. */
  diskReserveBytes: number;
  mediaHosts: readonly string[];
  /** A URL; may carry a password. */
  proxy: Secret | null;
  maxHoldMs: number;
  /** Null: the cadence is planned. */
  pollIntervalMs: number | null;
  pollFloorMs: number;
  pollCeilingMs: number;
  sampleIntervalMs: number;
  segmentDurationMs: number;
  stallTimeoutMs: number;
  engine: 'auto' | 'ffmpeg' | 'builtin';
  ranking: Preferences;
  timeZone: string;
  creators: readonly CreatorEntry[];
  groups: Readonly<Record<string, CreatorSettings>>;
  jobs: Jobs;
  /** Null: the day has no limit. */
  creditsPerDay: number | null;
  /** At once; null: any number. */
  recordings: number | null;
  /** Null: no limit. */
  downloadBytesPerSecond: number | null;
  /** How much of all cores may be in use, 0 to 1; null: no limit. */
  cpuShare: number | null;
  uploads: number;
  /** Null: no limit. */
  uploadBytesPerSecond: number | null;
  webhooks: readonly Webhook[];
  /** Null: no HTTP. */
  listen: ListenAddress | null;
  token: Secret | null;
  viewerToken: Secret | null;
  logLevel: LogLevel;
}

/** `baseOf`: the folder that a relative path in this setting is relative to. */
export function toConfig(settings: Settings, baseOf: (key: SettingKey) => string): Config {
  const path = (key: SettingKey, text: string) => (isAbsolute(text) ? text : resolve(baseOf(key), text));
  const place = (key: SettingKey, text: string) =>
    /^[a-z][a-z0-9+.-]*:/i.test(text) ? text : path(key, text);
  const located = <T extends CreatorSettings>(key: SettingKey, creator: T): T =>
    creator.store === undefined ? creator : { ...creator, store: place(key, creator.store) };
  return {
    apiKey: settings.apiKey ?? null,
    apiUrl: settings.apiUrl,
    store: place('store', settings.store),
    spool: path('spool', settings.spool),
    cache:
      settings.cache === undefined || settings.cache === 'off'
        ? (settings.cache ?? null)
        : path('cache', settings.cache),
    diskReserveBytes: settings.diskReserve,
    mediaHosts: settings.mediaHosts,
    proxy: settings.proxy ?? null,
    maxHoldMs: settings.maxHold,
    pollIntervalMs: settings.pollInterval ?? null,
    pollFloorMs: settings.pollFloor,
    pollCeilingMs: settings.pollCeiling,
    sampleIntervalMs: settings.sampleInterval,
    segmentDurationMs: settings.segmentDuration,
    stallTimeoutMs: settings.stallTimeout,
    engine: settings.engine,
    ranking: settings.ranking,
    timeZone: settings.timeZone,
    creators: settings.creators.map((creator) => located('creators', creator)),
    groups: Object.fromEntries(
      Object.entries(settings.groups).map(([name, group]) => [name, located('groups', group)]),
    ),
    jobs: Object.fromEntries(
      Object.entries(settings.jobs).map(([name, job]): [string, JobSettings] => [
        name,
        'to' in job ? { ...job, to: place('jobs', job.to) } : job,
      ]),
    ),
    creditsPerDay: settings.creditsPerDay ?? null,
    recordings: settings.recordings ?? null,
    downloadBytesPerSecond: settings.downloadBandwidth ?? null,
    cpuShare: settings.cpu ?? null,
    uploads: settings.uploads,
    uploadBytesPerSecond: settings.uploadBandwidth ?? null,
    webhooks: settings.webhooks,
    listen: settings.listen === 'off' ? null : settings.listen,
    token: settings.token ?? null,
    viewerToken: settings.viewerToken ?? null,
    logLevel: settings.logLevel,
  };
}
