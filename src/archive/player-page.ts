/**
 * The player's page: self-contained, nothing from elsewhere. Everything that a creator may have written reaches the
 * document as text only. The `%TITLE%` of the document is the session's id, which is safe by its form.
 */

export const PLAYER_HTML = `<!doctype html>
<html lang="en">
  <meta charset="utf-8" />
  <meta name="viewport" content="width=device-width, initial-scale=1" />
  <meta name="color-scheme" content="dark light" />
  <title>%TITLE%</title>
  <link rel="icon" href="icon.svg" />
  <link rel="stylesheet" href="player.css" />
  <script src="hls.js" defer></script>
  <script src="player.js" defer></script>
  <main>
    <header>
      <h1 id="title">%TITLE%</h1>
      <p id="facts"></p>
    </header>
    <video id="video" controls playsinline preload="metadata"></video>
    <p id="problem" role="alert" hidden></p>
    <section id="missing" hidden>
      <h2>What is missing</h2>
      <table>
        <thead><tr><th scope="col">From</th><th scope="col">For</th><th scope="col">Why</th></tr></thead>
        <tbody id="gaps"></tbody>
      </table>
    </section>
    <footer>For another player: <code id="address"></code></footer>
  </main>
</html>
`;

export const PLAYER_ICON = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><path d="M3 1l11 7-11 7z" fill="#e34"/></svg>\n`;

export const PLAYER_CSS = `
:root { color-scheme: dark light; font: 16px/1.5 system-ui, sans-serif; }
body { margin: 0; background: Canvas; color: CanvasText; }
main { max-width: 60rem; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.3rem; margin: 0; overflow-wrap: anywhere; }
h2 { font-size: 1rem; margin: 1rem 0 0.3rem; }
#facts, footer { color: GrayText; margin: 0.2rem 0 1rem; font-size: 0.9rem; }
video { width: 100%; max-height: 78vh; background: #000; border-radius: 0.4rem; }
#problem { border-left: 0.25rem solid #c33; padding: 0.2rem 0.8rem; }
table { border-collapse: collapse; font-size: 0.9rem; font-variant-numeric: tabular-nums; }
th, td { text-align: start; padding: 0.15rem 1rem 0.15rem 0; font-weight: normal; }
th { color: GrayText; }
code { overflow-wrap: anywhere; }
`;

export const PLAYER_JS = `'use strict';
const byId = (id) => document.getElementById(id);
const video = byId('video');
const playlist = new URL('index.m3u8', location.href).href;
byId('address').textContent = playlist;

const problem = (text) => {
  byId('problem').textContent = text;
  byId('problem').hidden = false;
};

const clock = (ms) => {
  const seconds = Math.round(ms / 1000);
  const parts = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  return parts.map((part) => String(part).padStart(2, '0')).join(':');
};

const play = () => {
  if (!window.Hls || !Hls.isSupported()) {
    if (video.canPlayType('application/vnd.apple.mpegurl')) video.src = playlist;
    else problem('This browser cannot play HLS.');
    return;
  }
  let recovered = 0;
  const hls = new Hls({ workerPath: 'hls.worker.js', startPosition: 0, backBufferLength: 60 });
  hls.on(Hls.Events.ERROR, (_, { fatal, type, details }) => {
    if (!fatal) return;
    if (type === Hls.ErrorTypes.MEDIA_ERROR && recovered < 3) {
      recovered += 1;
      hls.recoverMediaError();
      return;
    }
    problem('This browser cannot play it on (' + details + '). A player such as mpv or VLC may: see the address below.');
  });
  hls.loadSource(playlist);
  hls.attachMedia(video);
};

const describe = ({ session, creator, room, foundAt, sealedAt, coverage, epochs, gaps }) => {
  byId('title').textContent = room.title || session;
  const sizes = [...new Set(epochs.map(({ codec, width, height }) => codec + ' ' + width + '×' + height))];
  byId('facts').textContent = [
    '@' + creator.handle,
    new Date(foundAt).toLocaleString(),
    clock(coverage.recordedMs),
    Math.floor(coverage.ratio * 1000) / 10 + ' % of the broadcast',
    ...sizes,
    ...(sealedAt ? [] : ['not sealed yet']),
  ].join(' · ');
  for (const { from, ms, cause } of gaps) {
    const row = byId('gaps').insertRow();
    for (const text of [new Date(from).toLocaleTimeString(), clock(ms), cause]) row.insertCell().textContent = text;
  }
  byId('missing').hidden = gaps.length === 0;
};

play();
fetch('about.json')
  .then((answer) => answer.json())
  .then(describe, () => problem('The session could not be read.'));
`;
