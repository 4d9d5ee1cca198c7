/**
 * The closed enums of why: why media is missing, why a session ended. Policy hangs on the cause itself, exhaustively,
 * never on call sites.
 */
import { z } from 'zod';

export const GAP_CAUSES = {
  'found-late': 'the broadcast was on before it was found, or before its first picture arrived',
  stall: 'the CDN kept the connection open and sent nothing',
  'connection-lost': 'the connection to the CDN broke or was closed',
  refused: 'the CDN refused the stream',
  'source-skip': 'the CDN left media out within one connection',
  'segment-missing': 'a segment named by the HLS playlist could not be had',
  'not-media': 'what the CDN sent could not be read as media',
  'recorder-down': 'livestow was not running (a crash, a drain, a restart, a machine that slept)',
  'engine-failed': 'the recording engine lost what it had been given',
  'lost-locally': 'a recorded segment was damaged or deleted in the spool before it was shipped',
  'disk-full': 'the disk had no room left',
  'no-media': 'the room was listed live and gave no media',
} as const satisfies Record<string, string>;

export const gapCauseSchema = z.enum(Object.keys(GAP_CAUSES) as [GapCause, ...GapCause[]]);
export type GapCause = keyof typeof GAP_CAUSES;

interface EndPolicy {
  meaning: string;
  /** The broadcast itself is over; otherwise only our recording of it is. */
  broadcastOver: boolean;
  /** The same room may be recorded again if it is still listed live. */
  mayRecordRoomAgain: boolean;
}

export const END_CAUSES = {
  'room-ended': { meaning: 'the room went offline', broadcastOver: true, mayRecordRoomAgain: true },
  'new-room': {
    meaning: 'the creator went on in another room',
    broadcastOver: true,
    mayRecordRoomAgain: false,
  },
  stopped: { meaning: 'the operator ended the recording', broadcastOver: false, mayRecordRoomAgain: true },
  'max-duration': {
    meaning: 'the longest allowed duration was reached',
    broadcastOver: false,
    mayRecordRoomAgain: false,
  },
  'media-lost': {
    meaning: 'no media came back within the hold',
    broadcastOver: false,
    mayRecordRoomAgain: true,
  },
  interrupted: {
    meaning: 'the recorder was gone and the broadcast with it',
    broadcastOver: true,
    mayRecordRoomAgain: true,
  },
} as const satisfies Record<string, EndPolicy>;

export type EndCause = keyof typeof END_CAUSES;
export const endCauseSchema = z.enum(Object.keys(END_CAUSES) as [EndCause, ...EndCause[]]);
