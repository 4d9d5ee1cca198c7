/** How many pictures and audio frames a segment holds, by the counting that a recording does itself. */
import { isLivestowError, messageOf } from '../kernel/errors.ts';
import { censusOfFragment, describeInit } from '../media/fmp4.ts';
import { censusOfTs } from '../media/ts-census.ts';

export interface SegmentCount {
  pictures: number;
  audioFrames: number;
}

/** A text when it is no media at all. */
export function countSegment(bytes: Buffer, init: Buffer | null): SegmentCount | string {
  try {
    return init ? censusOfFragment(bytes, describeInit(init)) : censusOfTs(bytes);
  } catch (error) {
    if (isLivestowError(error)) return messageOf(error);
    throw error;
  }
}
