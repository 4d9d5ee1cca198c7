/**
 * The order in which the sandbox sends pictures, which is not the one in which they are shown: a broadcast that breaks off
 * between two B pictures has no hole. Picture and place are counted on through the rounds of the loop.
 */
import { defaultMediaFolder } from '../../src/sandbox/media/folder.ts';
import { LOOP_PICTURES } from '../../src/sandbox/media/grid.ts';
import type { MediaName } from '../../src/sandbox/media/recipes.ts';
import { prepareMedia } from '../../src/sandbox/media/prepare.ts';
import { loadTrack } from '../../src/sandbox/media/track.ts';

export interface DecodeOrder {
  placeOf(picture: number): number;
  pictureAt(place: number): number;
}

const known = new Map<MediaName, Promise<DecodeOrder>>();

export function decodeOrderOf(media: MediaName): Promise<DecodeOrder> {
  const order = known.get(media) ?? read(media);
  known.set(media, order);
  return order;
}

async function read(media: MediaName): Promise<DecodeOrder> {
  await prepareMedia({ folder: defaultMediaFolder(), names: [media] });
  const track = await loadTrack(defaultMediaFolder(), media, 'legacy');
  const pictures = track.tags.filter(({ kind }) => kind === 'video').map(({ number }) => number);
  const places = new Map(pictures.map((picture, place) => [picture, place]));
  const roundOf = (count: number): number => Math.floor(count / LOOP_PICTURES) * LOOP_PICTURES;
  return {
    placeOf: (picture) => roundOf(picture) + places.get(picture % LOOP_PICTURES)!,
    pictureAt: (place) => roundOf(place) + pictures[place % LOOP_PICTURES]!,
  };
}
