/**
 * Brings a page up to date in place: it is fetched again, and those of its parts (`data-part`) that read otherwise now are
 * replaced. Lists (`data-list`) take in and let go of children (`data-key`) and leave the others alone, so that what plays
 * there plays on, and whoever is on a part with the keyboard stays there.
 */
import { showLocalTimes } from './local-times.ts';

export async function bringUpToDate(url: string, signal?: AbortSignal): Promise<void> {
  const answer = await fetch(url, { headers: { Accept: 'text/html' }, ...(signal ? { signal } : {}) });
  // Signed out, or the daemon is gone: the page as it is says more than an error would.
  if (!answer.ok || answer.redirected) throw new Error(`the page could not be had: ${answer.status}`);
  const next = new DOMParser().parseFromString(await answer.text(), 'text/html');
  showLocalTimes(next);
  for (const list of document.querySelectorAll('[data-list]')) {
    const wanted = next.querySelector(`[data-list="${CSS.escape(list.getAttribute('data-list') ?? '')}"]`);
    if (wanted) mendList(list, wanted);
  }
  for (const part of document.querySelectorAll('[data-part]')) {
    const wanted = next.querySelector(`[data-part="${CSS.escape(part.getAttribute('data-part') ?? '')}"]`);
    if (wanted && wanted.innerHTML !== part.innerHTML && !part.contains(document.activeElement)) {
      part.replaceChildren(...wanted.childNodes);
    }
  }
}

function mendList(list: Element, wanted: Element): void {
  const there = new Map([...list.children].map((child) => [child.getAttribute('data-key'), child]));
  const children = [...wanted.children].map((child) => there.get(child.getAttribute('data-key')) ?? child);
  const isSame =
    children.length === list.children.length && children.every((child, i) => child === list.children[i]);
  if (!isSame) list.replaceChildren(...children);
}
