/**
 * The number that every picture bears: 20 black or white blocks in its top row, the lowest bit leftmost, and below them
 * the same blocks inverted. A reader that finds a block which isn't the opposite of the one below it looks at a damaged
 * picture, whatever its neighbours say.
 */

export const CODE_BITS = 20;
export const CODE_ROWS = 2;

/** Side of a block in pixels: large enough to survive any bitrate that the sandbox uses. */
export const codeBlockPixels = (width: number): number => (width >= 720 ? 32 : 16);

/** One byte a block, row by row: 255 white, 0 black. */
export function encodePictureCode(picture: number): Buffer {
  const blocks = Buffer.alloc(CODE_BITS * CODE_ROWS);
  for (let bit = 0; bit < CODE_BITS; bit++) {
    const set = ((picture >> bit) & 1) === 1;
    blocks[bit] = set ? 255 : 0;
    blocks[CODE_BITS + bit] = set ? 0 : 255;
  }
  return blocks;
}

/** The number in the blocks' mean brightness; undefined when the picture is damaged. */
export function decodePictureCode(blocks: Uint8Array): number | undefined {
  let picture = 0;
  for (let bit = 0; bit < CODE_BITS; bit++) {
    const difference = blocks[bit]! - blocks[CODE_BITS + bit]!;
    if (Math.abs(difference) < 96) {
      return undefined;
    }
    picture |= difference > 0 ? 1 << bit : 0;
  }
  return picture;
}
