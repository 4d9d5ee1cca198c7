/** The page of one session: the player, and the time line that it is scrubbed on. */
import { isTyping, maybe, need } from './dom.ts';
import { Player } from './player.ts';
import { Scrubber } from './scrubber.ts';
import { loadTimeline } from './session-timeline.ts';

const LIVE_AGAIN_MS = 10_000;

const video = need('#video', HTMLVideoElement);
const speed = need('#speed', HTMLSelectElement);
const problem = need('#problem', HTMLElement);

void begin();

async function begin(): Promise<void> {
  let timeline;
  try {
    timeline = await loadTimeline();
  } catch {
    tell('The session could not be read. Load the page again to try once more.');
    return;
  }
  const player = new Player(video, timeline, tell);
  const scrubber = new Scrubber(video, timeline);
  player.begin();
  speed.addEventListener('change', () => (video.playbackRate = Number(speed.value)));
  video.addEventListener('ratechange', () => (speed.value = String(video.playbackRate)));
  document.addEventListener('keydown', (event) => onKey(event, scrubber));
  document.addEventListener('click', seekByLink);
  if (!timeline.isLive) return;
  const again = setInterval(() => {
    void grow();
  }, LIVE_AGAIN_MS);
  const grow = async (): Promise<void> => {
    const next = await loadTimeline().catch(() => undefined);
    if (!next) return;
    player.update(next);
    scrubber.update(next);
    if (!next.isLive) clearInterval(again);
  };
  maybe('#go-live', HTMLButtonElement)?.addEventListener('click', () => player.goLive());
}

function tell(text: string): void {
  problem.textContent = text;
  problem.hidden = text === '';
}

/** Of a session that goes on the tables with these links are replaced. */
function seekByLink(event: MouseEvent): void {
  const link = event.target instanceof Element ? event.target.closest<HTMLElement>('a[data-seek-ms]') : null;
  if (!link) return;
  event.preventDefault();
  video.currentTime = Number(link.dataset['seekMs']) / 1_000;
  video.scrollIntoView({ block: 'nearest' });
  video.focus();
}

function onKey(event: KeyboardEvent, scrubber: Scrubber): void {
  if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
  const isOnControl =
    event.target instanceof HTMLElement && event.target.closest('a, button, summary') !== null;
  if (isOnControl && (event.key === ' ' || event.key === 'Enter')) return;
  const by = (seconds: number) => () => (video.currentTime = Math.max(0, video.currentTime + seconds));
  const orders: Record<string, () => void> = {
    ' ': playOrPause,
    k: playOrPause,
    ArrowLeft: by(-5),
    ArrowRight: by(5),
    j: by(-10),
    l: by(10),
    Home: () => (video.currentTime = 0),
    End: () => (video.currentTime = video.duration),
    m: () => (video.muted = !video.muted),
    f: fullScreen,
    '<': () => changeSpeed(-1),
    '>': () => changeSpeed(1),
    n: () => scrubber.toGap(1),
    p: () => scrubber.toGap(-1),
  };
  const order = /^[0-9]$/.test(event.key)
    ? () => (video.currentTime = (video.duration * Number(event.key)) / 10)
    : orders[event.key];
  if (!order || (event.target === video && event.key.startsWith('Arrow'))) return;
  event.preventDefault();
  order();
}

function playOrPause(): void {
  if (video.paused) void video.play().catch(() => {});
  else video.pause();
}

function fullScreen(): void {
  if (document.fullscreenElement) void document.exitFullscreen();
  else void video.requestFullscreen().catch(() => {});
}

function changeSpeed(by: number): void {
  const speeds = [...speed.options].map(({ value }) => Number(value));
  const at = speeds.indexOf(video.playbackRate);
  const from = at === -1 ? speeds.indexOf(1) : at;
  video.playbackRate = speeds[Math.min(speeds.length - 1, Math.max(0, from + by))] ?? 1;
}
