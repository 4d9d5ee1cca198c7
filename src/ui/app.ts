/** What every page does: times of the reader's zone, parts that stay up to date, search as one types, orders that ask. */
import { isTyping, maybe } from './dom.ts';
import { bringUpToDate } from './live-parts.ts';
import { playLivePictures } from './live-pictures.ts';
import { showLocalTimes } from './local-times.ts';

/** Several things happen at once as a rule. */
const GATHER_MS = 700;
/** What is counted (seconds recorded, bytes) goes on without events. */
const BEAT_MS = 5_000;
const TYPING_MS = 180;

showLocalTimes();
stayUpToDate();
searchAsTyped();
askBefore();
copyOnClick();
document.addEventListener('keydown', (event) => {
  const search = maybe('input[type=search]', HTMLInputElement);
  if (event.key !== '/' || event.ctrlKey || event.metaKey || isTyping(event.target) || !search) return;
  event.preventDefault();
  search.select();
});

function stayUpToDate(): void {
  const { live, events } = document.body.dataset;
  if (live === undefined) return;
  playLivePictures();
  let isDue = false;
  let isBusy = false;
  const bring = async (): Promise<void> => {
    if (isBusy || document.hidden) return;
    isBusy = true;
    isDue = false;
    try {
      await bringUpToDate(location.href);
      document.body.removeAttribute('data-stale');
      playLivePictures();
    } catch {
      document.body.setAttribute('data-stale', '');
    }
    isBusy = false;
  };
  const soon = (): void => {
    if (isDue) return;
    isDue = true;
    setTimeout(() => void bring(), GATHER_MS);
  };
  setInterval(() => void bring(), BEAT_MS);
  document.addEventListener('visibilitychange', soon);
  if (events === undefined) return;
  const source = new EventSource(events);
  for (const type of events.split('#')[1]?.split(',') ?? []) source.addEventListener(type, soon);
}

function searchAsTyped(): void {
  const form = maybe('form[data-search]', HTMLFormElement);
  if (!form) return;
  let asked = new AbortController();
  let timer = 0;
  const search = (): void => {
    asked.abort();
    asked = new AbortController();
    const filled = [...new FormData(form)].filter(([, value]) => value !== '') as [string, string][];
    const url = `${form.action.split('?')[0] ?? ''}?${new URLSearchParams(filled).toString()}`;
    bringUpToDate(url, asked.signal).then(
      () => history.replaceState(null, '', url),
      () => {},
    );
  };
  form.addEventListener('input', () => {
    clearTimeout(timer);
    timer = window.setTimeout(search, TYPING_MS);
  });
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    search();
  });
}

function askBefore(): void {
  document.addEventListener('submit', (event) => {
    const { target: form, submitter } = event;
    if (!(form instanceof HTMLFormElement)) return;
    const question = submitter?.dataset['confirm'] ?? form.dataset['confirm'];
    if (question !== undefined && !confirm(question)) event.preventDefault();
  });
}

function copyOnClick(): void {
  document.addEventListener('click', (event) => {
    const button = event.target instanceof Element ? event.target.closest<HTMLElement>('[data-copy]') : null;
    if (!button) return;
    navigator.clipboard.writeText(button.dataset['copy'] ?? '').then(
      () => (button.textContent = 'Copied'),
      () => {},
    );
  });
}
