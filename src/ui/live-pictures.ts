/**
 * The recordings of the page *Now* play, without sound, while they are made: those that are in sight, and no more than a
 * few at once. Nothing moves for whoever asked their system for less motion.
 */
const MOST_AT_ONCE = 6;
/** It may only just have begun. */
const AGAIN_MS = 5_000;
/** The browser may know no such pictures: h265 is not for all. */
const UNPLAYABLE_AGAIN_MS = 120_000;

const playing = new Map<HTMLVideoElement, () => void>();
const inSight = new Set<HTMLVideoElement>();
const watched = new WeakSet<HTMLVideoElement>();

const observer = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    if (!(target instanceof HTMLVideoElement)) continue;
    if (isIntersecting) inSight.add(target);
    else inSight.delete(target);
  }
  settle();
});

/** Those that are on the page now; call again when it has changed. */
export function playLivePictures(): void {
  if (matchMedia('(prefers-reduced-motion: reduce)').matches) return;
  for (const video of document.querySelectorAll<HTMLVideoElement>('video[data-live-src]')) {
    if (watched.has(video)) continue;
    watched.add(video);
    observer.observe(video);
  }
  for (const video of inSight) if (!video.isConnected) inSight.delete(video);
  settle();
}

function settle(): void {
  const wanted = new Set([...inSight].slice(0, MOST_AT_ONCE));
  for (const [video, stop] of playing) {
    if (wanted.has(video)) continue;
    playing.delete(video);
    stop();
  }
  for (const video of wanted) if (!playing.has(video)) playing.set(video, play(video));
}

function play(video: HTMLVideoElement): () => void {
  const src = video.dataset['liveSrc'] ?? '';
  let stop = (): void => {};
  let isOver = false;
  void import('hls.js/light').then(({ ErrorTypes, Events, Hls }) => {
    if (isOver || !Hls.isSupported()) return;
    const hls = new Hls({
      enableWorker: false,
      maxBufferLength: 12,
      backBufferLength: 0,
      liveSyncDurationCount: 2,
    });
    hls.on(Events.ERROR, (_, { fatal, type }) => {
      if (!fatal) return;
      hls.destroy();
      setTimeout(
        () => {
          playing.delete(video);
          settle();
        },
        type === ErrorTypes.MEDIA_ERROR ? UNPLAYABLE_AGAIN_MS : AGAIN_MS,
      );
    });
    hls.on(Events.MANIFEST_PARSED, () => void video.play().catch(() => {}));
    hls.loadSource(src);
    hls.attachMedia(video);
    stop = () => hls.destroy();
  });
  return () => {
    isOver = true;
    stop();
  };
}
