/** Reads a storyboard as a player's page does, and the number of the sandbox's picture in each of its tiles. */
import { execa } from 'execa';
import {
  CODE_BITS,
  CODE_ROWS,
  codeBlockPixels,
  decodePictureCode,
} from '../../src/sandbox/media/picture-code.ts';

export interface Tile {
  fromMs: number;
  toMs: number;
  /** The sheet's file, and where in it the picture lies. */
  image: string;
  x: number;
  y: number;
  width: number;
  height: number;
}

const CUE = /^(\S+) --> (\S+)\n(\S+)#xywh=(\d+),(\d+),(\d+),(\d+)$/;

/** Throws for anything that is not a track of thumbnails. */
export function tilesOf(vtt: string): Tile[] {
  const [head, ...cues] = vtt.trimEnd().split('\n\n');
  if (head !== 'WEBVTT') throw new Error('not WebVTT');
  return cues.map((cue) => {
    const [, from = '', to = '', image = '', ...place] = CUE.exec(cue) ?? [];
    const [x = NaN, y = NaN, width = NaN, height = NaN] = place.map(Number);
    if (Number.isNaN(height)) throw new Error(`not a thumbnail: ${cue}`);
    return { fromMs: msOf(from), toMs: msOf(to), image, x, y, width, height };
  });
}

function msOf(time: string): number {
  const [, h, m, s] = /^(\d\d):([0-5]\d):([0-5]\d\.\d{3})$/.exec(time) ?? [];
  return Math.round(((Number(h) * 60 + Number(m)) * 60 + Number(s)) * 1000);
}

/** Grey pixels of a JPEG. */
export async function greyOf(jpg: Uint8Array): Promise<{ width: number; height: number; pixels: Buffer }> {
  const { stdout: size } = await execa(
    'ffprobe',
    '-v error -show_entries stream=width,height -of csv=p=0 -f mjpeg pipe:0'.split(' '),
    { input: jpg },
  );
  const [width = 0, height = 0] = size.split(',').map(Number);
  const { stdout } = await execa(
    'ffmpeg',
    '-v error -f mjpeg -i pipe:0 -f rawvideo -pix_fmt gray pipe:1'.split(' '),
    { input: jpg, encoding: 'buffer' },
  );
  return { width, height, pixels: Buffer.from(stdout) };
}

/** @param source how large the picture was in the broadcast; undefined where no number can be read */
export function numberIn(
  sheet: { width: number; pixels: Buffer },
  tile: Tile,
  source: { width: number; height: number },
): number | undefined {
  const scale = Math.min(tile.width / source.width, tile.height / source.height);
  const left = tile.x + (tile.width - source.width * scale) / 2;
  const top = tile.y + (tile.height - source.height * scale) / 2;
  const block = codeBlockPixels(source.width) * scale;
  const blocks = Buffer.alloc(CODE_BITS * CODE_ROWS);
  for (let i = 0; i < blocks.length; i += 1) {
    const x = Math.floor(left + ((i % CODE_BITS) + 0.5) * block);
    const y = Math.floor(top + (Math.floor(i / CODE_BITS) + 0.5) * block);
    blocks[i] = sheet.pixels[y * sheet.width + x] ?? 0;
  }
  return decodePictureCode(blocks);
}
