/** A real browser, headless, that talks to nobody but the server under test. */
import { execa } from 'execa';
import { chromium, type Browser } from 'playwright-core';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
const MACOS = '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome';

const QUIET = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--mute-audio',
];

/** `LIVESTOW_CHROMIUM` or `CHROMIUM` names one; else it is looked for where such things are. */
async function findBrowser(): Promise<string> {
  const { LIVESTOW_CHROMIUM, CHROMIUM } = process.env;
  const named = LIVESTOW_CHROMIUM ?? CHROMIUM;
  for (const candidate of named ? [named] : [...NAMES, MACOS]) {
    const found = candidate.startsWith('/')
      ? candidate
      : (await execa('which', [candidate], { reject: false })).stdout;
    if (found && (await execa(found, ['--version'], { reject: false })).exitCode === 0) return found;
  }
  throw new Error('no Chromium: install the package chromium, or name one in LIVESTOW_CHROMIUM');
}

export async function openBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath: await findBrowser(), headless: true, args: QUIET });
}
