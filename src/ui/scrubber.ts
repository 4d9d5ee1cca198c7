/**
 * The time line under the player: where one is, where one could go, and what the picture there looks like. It is a slider
 * over the broadcast's own time, so what is missing takes its place; pointing there leads to what comes next.
 */
import { maybe, need } from './dom.ts';
import { clockTime, momentAt, positionAt } from './positions.ts';
import type { SessionTimeline } from '../model/session-timeline.ts';
import { Storyboard } from './storyboard.ts';

const STEP_MS: Record<string, number> = {
  ArrowLeft: -5_000,
  ArrowDown: -5_000,
  ArrowRight: 5_000,
  ArrowUp: 5_000,
  PageDown: -60_000,
  PageUp: 60_000,
};

export class Scrubber {
  readonly #video: HTMLVideoElement;
  readonly #slider = need('#scrubber', HTMLElement);
  readonly #head = need('#playhead', HTMLElement);
  readonly #preview = need('#preview', HTMLElement);
  readonly #clock = need('#clock', HTMLElement);
  readonly #storyboard: Storyboard;
  #timeline: SessionTimeline;
  #isDragging = false;

  constructor(video: HTMLVideoElement, timeline: SessionTimeline) {
    this.#video = video;
    this.#timeline = timeline;
    this.#storyboard = new Storyboard(
      need('#storyboard', HTMLTrackElement),
      need('#preview-picture', HTMLElement),
    );
    const show = (): void => this.#show();
    for (const event of ['timeupdate', 'seeking', 'durationchange']) video.addEventListener(event, show);
    this.#slider.addEventListener('pointermove', (event) => this.#onPointer(event));
    this.#slider.addEventListener('pointerdown', (event) => {
      this.#isDragging = true;
      this.#slider.setPointerCapture(event.pointerId);
      this.#onPointer(event);
    });
    this.#slider.addEventListener('pointerup', (event) => {
      this.#isDragging = false;
      this.#seek(this.#momentUnder(event));
    });
    this.#slider.addEventListener('pointerleave', () => this.#hidePreview());
    this.#slider.addEventListener('keydown', (event) => this.#onKey(event));
    this.#slider.addEventListener('blur', () => this.#hidePreview());
    this.#show();
  }

  update(timeline: SessionTimeline): void {
    this.#timeline = timeline;
    this.#show();
  }

  /** To where the next gap is (1), or the one before (-1): three seconds before what is missing. */
  toGap(direction: 1 | -1): void {
    const positions = this.#timeline.gaps.map(({ positionMs }) => Math.max(0, positionMs - 3_000));
    const nowMs = this.#video.currentTime * 1_000;
    const to =
      direction === 1
        ? positions.find((ms) => ms > nowMs + 500)
        : positions.findLast((ms) => ms < nowMs - 1_500);
    if (to !== undefined) this.#video.currentTime = to / 1_000;
  }

  #onKey(event: KeyboardEvent): void {
    const { fromMs, toMs, runs } = this.#timeline;
    const nowMs = momentAt(runs, this.#video.currentTime * 1_000);
    const step = STEP_MS[event.key];
    let momentMs: number;
    if (event.key === 'Home') momentMs = fromMs;
    else if (event.key === 'End') momentMs = toMs;
    else if (step !== undefined) momentMs = positionStepped(this.#timeline, nowMs, step);
    else return;
    event.preventDefault();
    event.stopPropagation();
    this.#seek(momentMs);
    this.#previewAt(momentMs);
  }

  #onPointer(event: PointerEvent): void {
    const momentMs = this.#momentUnder(event);
    this.#previewAt(momentMs);
    if (this.#isDragging) this.#seek(momentMs);
  }

  #momentUnder({ clientX }: PointerEvent): number {
    const { left, width } = this.#slider.getBoundingClientRect();
    const { fromMs, toMs } = this.#timeline;
    return fromMs + Math.min(1, Math.max(0, (clientX - left) / width)) * (toMs - fromMs);
  }

  #seek(momentMs: number): void {
    this.#video.currentTime = positionAt(this.#timeline.runs, momentMs) / 1_000;
  }

  #show(): void {
    const { fromMs, toMs, runs } = this.#timeline;
    const positionMs = this.#video.currentTime * 1_000;
    const momentMs = momentAt(runs, positionMs);
    const last = runs.at(-1);
    const lengthMs = last ? last[0] + last[2] : 0;
    this.#head.style.insetInlineStart = `${this.#share(momentMs) * 100}%`;
    const text = `${clockTime(positionMs)} of ${clockTime(lengthMs)}, ${timeOfDay(momentMs)}`;
    this.#clock.textContent = `${clockTime(positionMs)} / ${clockTime(lengthMs)} · ${timeOfDay(momentMs)}`;
    this.#slider.setAttribute('aria-valuemin', '0');
    this.#slider.setAttribute('aria-valuemax', String(Math.round((toMs - fromMs) / 1_000)));
    this.#slider.setAttribute('aria-valuenow', String(Math.round((momentMs - fromMs) / 1_000)));
    this.#slider.setAttribute('aria-valuetext', text);
  }

  #previewAt(momentMs: number): void {
    const { gaps, runs } = this.#timeline;
    const gap = gaps.find(({ fromMs, ms }) => fromMs <= momentMs && momentMs < fromMs + ms);
    const hasPicture = !gap && this.#storyboard.show(positionAt(runs, momentMs));
    this.#preview.hidden = false;
    this.#preview.classList.toggle('without-picture', !hasPicture);
    const words = maybe('#preview-words', HTMLElement);
    if (words) words.textContent = gap ? `missing ${clockTime(gap.ms)}: ${gap.why}` : timeOfDay(momentMs);
    const { width } = this.#slider.getBoundingClientRect();
    const half = this.#preview.offsetWidth / 2;
    const center = Math.min(Math.max(this.#share(momentMs) * width, half), Math.max(half, width - half));
    this.#preview.style.insetInlineStart = `${center}px`;
  }

  #hidePreview(): void {
    if (!this.#isDragging) this.#preview.hidden = true;
  }

  #share(momentMs: number): number {
    const { fromMs, toMs } = this.#timeline;
    return toMs > fromMs ? Math.min(1, Math.max(0, (momentMs - fromMs) / (toMs - fromMs))) : 0;
  }
}

/** A step of the recording, not of the broadcast's time: else a key would never lead over a long gap backwards. */
const positionStepped = ({ runs }: SessionTimeline, momentMs: number, stepMs: number): number =>
  momentAt(runs, Math.max(0, positionAt(runs, momentMs) + stepMs));

const timeOfDay = (ms: number): string => new Date(ms).toLocaleTimeString();
