/**
 * Whom to record, and how: creators, the groups whose settings they share, and what is in force for each. What a creator
 * says of itself goes before what its group says, and that before the settings that hold for all.
 */
import { z } from 'zod';
import { handleSchema, NOT_A_HANDLE } from '../model/handle.ts';
import { windowsSchema } from '../schedule/windows.ts';
import { preferencesSchema } from '../variant/preferences.ts';
import { duration, location } from './forms.ts';

export const creatorSettingsSchema = z.strictObject({
  store: location.optional().describe('Where its archive lies, in place of the common store.'),
  ranking: preferencesSchema.optional().describe('In place of the common ranking, as a whole.'),
  windows: windowsSchema.optional().describe('When it may be recorded; without windows, at any time.'),
  priority: z
    .int()
    .min(-100)
    .max(100)
    .optional()
    .describe('Higher ones are looked at more often, recorded first, and stopped last when the disk fills.'),
  maxDuration: duration(1_000)
    .optional()
    .describe('Ends a recording after so long, and leaves that room alone.'),
  pollInterval: duration(100).optional().describe('A fixed interval between looks.'),
  sampleInterval: duration(100).optional().describe('Between looks while it is recorded.'),
  maxHold: duration(0).optional().describe('How long a session waits for media to come back.'),
});
export type CreatorSettings = z.output<typeof creatorSettingsSchema>;

export const creatorEntrySchema = z.strictObject({
  handle: handleSchema,
  group: z
    .string()
    .optional()
    .describe('The name of a group, whose settings are its own where it says nothing.'),
  paused: z.boolean().default(false).describe('Stays listed and is neither looked at nor recorded.'),
  note: z.string().max(1_000).optional().describe('For people.'),
  ...creatorSettingsSchema.shape,
});
export type CreatorEntry = z.output<typeof creatorEntrySchema>;

export const creatorsSchema = z.array(
  z.union(
    [handleSchema.transform((text): CreatorEntry => ({ handle: text, paused: false })), creatorEntrySchema],
    {
      error: (issue) =>
        typeof issue.input === 'string' ? NOT_A_HANDLE : 'neither a handle nor a map with one',
    },
  ),
);

export const groupsSchema = z.record(z.string().min(1).max(64), creatorSettingsSchema);

export const noGroup = (name: string, known: readonly string[]): string =>
  `there is no group ${JSON.stringify(name)}; ${known.length === 0 ? 'groups has none' : `known are ${known.join(', ')}`}`;

/** What no single setting can see: groups that are not there, creators that are there twice. */
export function inconsistencies(
  creators: readonly CreatorEntry[],
  groups: Readonly<Record<string, CreatorSettings>>,
): { path: PropertyKey[]; message: string }[] {
  const seen = new Map<string, number>();
  return creators.flatMap((creator, at) => {
    const problems: { path: PropertyKey[]; message: string }[] = [];
    const before = seen.get(creator.handle);
    seen.set(creator.handle, before ?? at);
    if (before !== undefined) {
      problems.push({
        path: ['creators', at],
        message: `@${creator.handle} is listed already (creators[${before}])`,
      });
    }
    if (creator.group !== undefined && !Object.hasOwn(groups, creator.group)) {
      const known = Object.keys(groups);
      problems.push({ path: ['creators', at, 'group'], message: noGroup(creator.group, known) });
    }
    return problems;
  });
}
