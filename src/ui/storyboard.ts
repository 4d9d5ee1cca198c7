/**
 * The small pictures of a session: one image of many, and which part of it belongs to which second (WebVTT cues with
 * `#xywh=`, which the browser reads).
 */
export class Storyboard {
  readonly #track: TextTrack;
  readonly #frame: HTMLElement;

  constructor(track: HTMLTrackElement, frame: HTMLElement) {
    this.#frame = frame;
    this.#track = track.track;
    // Else the browser does not load it.
    this.#track.mode = 'hidden';
  }

  /** Shows the picture of this position; false when there is none. */
  show(positionMs: number): boolean {
    const cues = [...(this.#track.cues ?? [])];
    const cue = cues.findLast(({ startTime }) => startTime * 1_000 <= positionMs) ?? cues[0];
    if (!cue || !('text' in cue)) return false;
    const [, image, x, y, width, height] =
      /^([\w.-]+)#xywh=(\d+),(\d+),(\d+),(\d+)$/.exec(String(cue.text).trim()) ?? [];
    if (image === undefined) return false;
    this.#frame.style.width = `${width}px`;
    this.#frame.style.height = `${height}px`;
    this.#frame.style.backgroundImage = `url("${image}")`;
    this.#frame.style.backgroundPosition = `-${x}px -${y}px`;
    this.#frame.dataset['picture'] = `${x},${y}`;
    return true;
  }
}
