/** The tracks of a cache folder, each read once. */
import { RECIPES, type MediaName } from './recipes.ts';
import { loadTrack, type FlvForm, type Track } from './track.ts';

export class MediaLibrary {
  readonly folder: string;
  readonly #tracks = new Map<string, Track>();

  constructor(folder: string) {
    this.folder = folder;
  }

  async load(names: Iterable<MediaName>): Promise<void> {
    for (const name of new Set(names)) {
      for (const form of RECIPES[name]?.codec === 'h265'
        ? (['legacy', 'enhanced'] as const)
        : (['legacy'] as const)) {
        const key = `${name}/${form}`;
        if (!this.#tracks.has(key)) {
          this.#tracks.set(key, await loadTrack(this.folder, name, form));
        }
      }
    }
  }

  /** Of media that was loaded. */
  track(name: MediaName, form: FlvForm): Track {
    const track = this.#tracks.get(`${name}/${RECIPES[name]?.codec === 'h265' ? form : 'legacy'}`);
    if (!track) {
      throw new Error(`The sandbox's media ${name} was not loaded.`);
    }
    return track;
  }
}
