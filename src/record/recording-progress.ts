/** What a session has recorded so far, for a status line: the numbers move while it goes on. */
export interface RecordingProgress {
  /** Of the epoch that is recorded now. */
  width: number;
  height: number;
  /** In closed segments. */
  recordedMs: number;
  bytes: number;
  segments: number;
  gaps: number;
}

export const nothingRecorded = (): RecordingProgress => ({
  width: 0,
  height: 0,
  recordedMs: 0,
  bytes: 0,
  segments: 0,
  gaps: 0,
});
