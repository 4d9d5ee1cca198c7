/** The headers of pages: nothing from elsewhere is loaded, nothing runs that was not bundled, nobody frames them. */
import type { Context } from 'hono';

/** @param mediaFrom origins of stores from which a page may fetch media itself */
export function pageHeaders(c: Context, mediaFrom: readonly string[] = []): void {
  const elsewhere = mediaFrom.map((origin) => ` ${origin}`).join('');
  const policy = [
    "default-src 'none'",
    "script-src 'self'",
    "worker-src 'self'",
    "style-src 'self'",
    `connect-src 'self'${elsewhere}`,
    "img-src 'self'",
    `media-src 'self' blob:${elsewhere}`,
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
  ];
  c.header('Content-Security-Policy', policy.join('; '));
  // With none at all, browsers do not say from where a form was sent.
  c.header('Referrer-Policy', 'same-origin');
  c.header('Cross-Origin-Opener-Policy', 'same-origin');
  c.header('Permissions-Policy', 'camera=(), geolocation=(), microphone=()');
  if (isEncrypted(c)) c.header('Strict-Transport-Security', 'max-age=31536000');
}

/** A proxy in front speaks TLS: whoever says so falsely makes their own life harder only. */
export const isEncrypted = (c: Context): boolean =>
  c.req.header('x-forwarded-proto')?.split(',')[0]?.trim() === 'https' || c.req.url.startsWith('https:');

/** Under which the browser knows this server. */
export const originOf = (c: Context): string =>
  `${isEncrypted(c) ? 'https' : 'http'}://${new URL(c.req.url).host}`;
