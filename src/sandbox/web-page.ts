/** What proxies and captive portals answer instead of what was asked for. */
export const WEB_PAGE =
  '<!doctype html><title>Please wait</title><p>Checking your browser before you go on.</p>\n';
