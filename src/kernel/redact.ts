/**
 * Keeps secrets out of everything that is written: API keys, and URLs whose query string carries a signature. Used by
 * the logger as its last line, and wherever a URL or a foreign body is quoted.
 */

const API_KEY = /sfk_[A-Za-z0-9_-]+/g;
const URL_WITH_QUERY = /((?:https?|wss?|s3|socks5):\/\/[^\s"'<>\\?#]*)[?#][^\s"'<>\\]*/gi;
const URL_USERINFO = /((?:https?|socks5):\/\/)[^\s/@"'<>]+@/gi;
const AUTH_HEADER = /\b(authorization|x-api-key|cookie)(["']?\s*[:=]\s*["']?)[^\s"',}]+/gi;

const extraSecrets = new Set<string>();

/** Registers a literal secret (a configured key or password) that must never be written. */
export function registerSecret(secret: string | undefined): void {
  if (secret !== undefined && secret.length >= 6) extraSecrets.add(secret);
}

/** The text with keys, user info and the query strings of URLs removed. */
export function scrub(text: string): string {
  let clean = text
    .replace(URL_USERINFO, '$1[redacted]@')
    .replace(URL_WITH_QUERY, '$1?[redacted]')
    .replace(API_KEY, '[redacted]')
    .replace(AUTH_HEADER, '$1$2[redacted]');
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
