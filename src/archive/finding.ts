/** What a verification can find, and which of it is damage: something that was recorded and can't be had any more. */

export const FINDINGS = {
  missing: { meaning: 'the manifest names it and it is not in the store', damage: true },
  truncated: { meaning: 'it is shorter than the manifest says', damage: true },
  altered: { meaning: 'its bytes are not those that the manifest says', damage: true },
  miscounted: {
    meaning: 'it does not hold the pictures or audio frames that the manifest says',
    damage: true,
  },
  undecodable: { meaning: 'a decoder gives up on it, or gives fewer pictures than it holds', damage: true },
  manifest: { meaning: 'the manifest cannot be read', damage: true },
  journals: {
    meaning: 'the journals cannot be read, or say something else than the sealed manifest',
    damage: true,
  },
  begun: { meaning: 'it has media, and neither a manifest nor journals yet', damage: false },
  garbled: {
    meaning:
      'it decodes, with complaints or without its first pictures: as a rule the broadcast itself was so',
    damage: false,
  },
  derived: { meaning: 'something that can be rebuilt from the manifest is missing', damage: false },
  stray: { meaning: 'it lies in the session and the manifest does not name it', damage: false },
} as const satisfies Record<string, { meaning: string; damage: boolean }>;

export type FindingKind = keyof typeof FINDINGS;

export interface Finding {
  kind: FindingKind;
  /** Within the session's folder. */
  key: string;
  damage: boolean;
  detail: string;
}

export const finding = (
  kind: FindingKind,
  key: string,
  detail: string = FINDINGS[kind].meaning,
): Finding => ({
  kind,
  key,
  damage: FINDINGS[kind].damage,
  detail,
});
