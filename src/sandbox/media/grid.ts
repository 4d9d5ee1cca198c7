/**
 * The grid that all of the sandbox's media share: 3,072 pictures in GOPs of 64, which last as long as 4,410 AAC frames
 * to the sample (102.4 s), so that a file can be sent round and round without a seam, and any file can take another
 * one's place at any keyframe without a picture or a sample lost.
 *
 * A *position* is milliseconds of media since a creator's first broadcast began. Picture `n` is decoded no earlier than
 * position `n` / 30 s and shown REORDER_MS after it; AAC frame `a` is heard at `a` * 1024 / 44,100 s after REORDER_MS.
 */

export const PICTURES_PER_SECOND = 30;
export const GOP_PICTURES = 64;
export const LOOP_PICTURES = 3_072;
export const LOOP_GOPS = LOOP_PICTURES / GOP_PICTURES;
export const LOOP_MS = 102_400;
export const GOP_MS = LOOP_MS / LOOP_GOPS;

export const SAMPLE_RATE = 44_100;
export const FRAME_SAMPLES = 1_024;
export const LOOP_FRAMES = 4_410;

/** How long a picture waits between decoding and showing: room for two B pictures. Sound waits as long. */
export const REORDER_MS = 2_000 / PICTURES_PER_SECOND;

export const pictureMs = (picture: number): number => (picture * 1_000) / PICTURES_PER_SECOND;
export const frameMs = (frame: number): number => (frame * FRAME_SAMPLES * 1_000) / SAMPLE_RATE;
