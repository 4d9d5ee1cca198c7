/**
 * Keeps secrets out of everything that is written: API keys, and URLs whose query string carries a signature. Used by
 * the logger as its last line, and wherever a URL or a foreign body is quoted.
 */

const API_KEY = /sfk_[A-Za-z0-9_-]+/g;
/** A slash or an ampersand as JSON may spell it, in JSON that is quoted in JSON too. */
const SLASHES = '(?:\\\\*/){2}';
const IN_QUERY = String.raw`(?:[^\s"'<>\\]|\\+(?:/|u[0-9a-f]{4}))*`;
const URL_WITH_QUERY = new RegExp(
  String.raw`((?:https?|wss?|s3|socks5):${SLASHES}(?:[^\s"'<>\\?#]|\\+/)*)(?:[?#]|\\+u003[fF])${IN_QUERY}`,
  'gi',
);
const URL_USERINFO = new RegExp(String.raw`((?:https?|socks5):${SLASHES})[^\s/"'<>\\]*@`, 'gi');
/** A URL within another one. */
const ENCODED_URL = /(?:https?|socks5)%3A%2F%2F[^\s"'<>\\&?#]*/gi;
/** As a header, as an object's field, or one after the other in a list; in JSON that is quoted in JSON too. */
const AUTH_HEADER =
  /\b((?:proxy-)?authorization|x-api-key|x-amz-security-token|(?:set-)?cookie)(\\*["']?\s*[:=]\s*\\*["']?|\\*["']\s*,\s*\\*["'])[^"'\r\n\\}]+/gi;
/** Wherever a piece of a query stands alone. */
const SIGNATURE =
  /(?<![a-z])((?:x-)?sign(?:ature)?|x-amz-(?:signature|credential|security-token)|wssecret|auth_key)(=|%3D)[^\s"'<>\\&%]+/gi;

const extraSecrets = new Set<string>();

/** Shorter ones would be found in words that are none. */
const SHORTEST_SECRET = 6;

/** Registers a literal secret (a configured key or password) that must never be written, in no spelling. */
export function registerSecret(secret: string | undefined): void {
  if (secret === undefined || secret.length < SHORTEST_SECRET) return;
  for (const form of [secret, encodeURIComponent(secret), Buffer.from(secret).toString('base64')])
    extraSecrets.add(form);
}

/** Registers what a URL says of its user, as it is and as it stands in a header (`Basic dXNlcjpwYXNz`). */
export function registerUserInfo(url: string): void {
  if (!URL.canParse(url)) return;
  const { username, password } = new URL(url);
  if (password === '') return;
  registerSecret(password);
  registerSecret(decoded(password));
  registerSecret(`${decoded(username)}:${decoded(password)}`);
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** The text with keys, user info and the query strings of URLs removed. */
export function scrub(text: string): string {
  let clean = text
    .replace(URL_USERINFO, '$1[redacted]@')
    .replace(URL_WITH_QUERY, '$1?[redacted]')
    .replace(ENCODED_URL, '[redacted]')
    .replace(API_KEY, '[redacted]')
    .replace(AUTH_HEADER, '$1$2[redacted]')
    .replace(SIGNATURE, '$1$2[redacted]');
  for (const secret of extraSecrets) clean = clean.replaceAll(secret, '[redacted]');
  return clean;
}

/** A URL without user info, query and fragment; `[not a URL]` when it is none. */
export function bareUrl(url: string): string {
  try {
    const parsed = new URL(url);
    return `${parsed.protocol}//${parsed.host}${parsed.pathname}`;
  } catch {
    return '[not a URL]';
  }
}
