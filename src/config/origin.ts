/** Where the value of a setting came from, so that every complaint and `config check` can say so. */

export type Origin =
  | { kind: 'flag'; flag: string }
  | { kind: 'environment'; variable: string }
  | { kind: 'file'; path: string; line: number | null }
  | { kind: 'default' };

export function originText(origin: Origin): string {
  switch (origin.kind) {
    case 'flag':
      return origin.flag;
    case 'environment':
      return origin.variable;
    case 'file':
      return origin.line === null ? origin.path : `${origin.path}:${origin.line}`;
    case 'default':
      return 'default';
  }
}

/** One thing that is wrong with the configuration. */
export interface Problem {
  /** `segmentDuration`, `ranking.order[2]`; empty for the file as a whole. */
  path: string;
  origin: Origin;
  /** What is wrong and what would be accepted; never a secret. */
  message: string;
}
