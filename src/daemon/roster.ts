/**
 * Who is watched: the creators of the config file, those that were added while the daemon ran, and what was said of either
 * then (paused, a note). What was added or said is kept in a file beside the spool's sessions.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { creatorEntrySchema, type CreatorEntry } from '../config/creators.ts';
import { creatorInForce, type CreatorInForce } from '../config/creator-in-force.ts';
import type { Config } from '../config/schema.ts';
import { LivestowError } from '../kernel/errors.ts';
import { isMissing, makeFolderDurably, writeFileDurably } from '../kernel/files.ts';
import { DAEMON_FOLDER } from '../spool/session-spool.ts';

const remarkSchema = z.object({ paused: z.boolean().optional(), note: z.string().nullable().optional() });
const fileSchema = z.object({
  format: z.literal('livestow-roster/1'),
  /** As they were given. */
  added: z.array(z.looseObject({ handle: z.string() })),
  said: z.record(z.string(), remarkSchema),
});
/** As it was given, for the file, and what it says. */
interface Added {
  input: z.input<typeof creatorEntrySchema>;
  entry: CreatorEntry;
}
type Remark = z.infer<typeof remarkSchema>;
interface Kept {
  added: readonly Added[];
  said: Readonly<Record<string, Remark>>;
}

export interface Listed extends CreatorInForce {
  /** Whether the config file lists it: only there can it be taken off. */
  isConfigured: boolean;
}

export class Roster {
  readonly #path: string;
  #config: Config;
  #kept: Kept;
  #saving: Promise<void> = Promise.resolve();

  private constructor(path: string, config: Config, kept: z.infer<typeof fileSchema> | null) {
    this.#path = path;
    this.#config = config;
    this.#kept = { added: (kept?.added ?? []).map(addedOf), said: kept?.said ?? {} };
    this.#forget();
  }

  /** As `read`, to write to it too. */
  static async open(config: Config): Promise<Roster> {
    await makeFolderDurably(join(config.spool, DAEMON_FOLDER), config.spool);
    return Roster.read(config);
  }

  /** @throws SPOOL, or CONFIG when the file cannot be understood: nothing of it is to be lost */
  static async read(config: Config): Promise<Roster> {
    const path = join(config.spool, DAEMON_FOLDER, 'roster.json');
    const text = await readFile(path, 'utf8').catch((error: unknown) => {
      if (isMissing(error)) return null;
      throw new LivestowError('SPOOL', `${path} cannot be read`, {
        cause: error,
        hint: 'let this user read the spool, which is a folder (--spool)',
      });
    });
    if (text === null) return new Roster(path, config, null);
    try {
      return new Roster(path, config, fileSchema.parse(JSON.parse(text)));
    } catch (cause) {
      throw new LivestowError('CONFIG', `${path} cannot be understood`, {
        cause,
        hint: 'it lists the creators that were added while livestow served; mend it, or move it away',
      });
    }
  }

  set config(config: Config) {
    this.#config = config;
    this.#forget();
  }

  get all(): Listed[] {
    const configured = this.#config.creators.map((entry) => this.#listed(entry, true));
    const named = new Set(configured.map(({ handle }) => handle));
    const added = this.#kept.added.map(({ entry }) => this.#listed(entry, false));
    return [...configured, ...added.filter(({ handle }) => !named.has(handle))];
  }

  of(handle: string): Listed | undefined {
    return this.all.find((creator) => creator.handle === handle);
  }

  /** @throws CONFLICT for one that is listed already */
  async add(input: Added['input']): Promise<Listed> {
    const added = addedOf(input);
    const { entry } = added;
    if (this.of(entry.handle)) {
      throw new LivestowError('CONFLICT', `@${entry.handle} is listed already`);
    }
    if (entry.group !== undefined && !Object.hasOwn(this.#config.groups, entry.group)) {
      throw new LivestowError('USAGE', `there is no group ${JSON.stringify(entry.group)} in the config file`);
    }
    await this.#keep({ ...this.#kept, added: [...this.#kept.added, added] });
    return this.#listed(entry, false);
  }

  /** @throws NOT_FOUND, or CONFLICT for one of the config file */
  async remove(handle: string): Promise<void> {
    if (this.#require(handle).isConfigured) {
      throw new LivestowError('CONFLICT', `@${handle} stands in the config file`, {
        hint: 'take it out there; livestow serve notices, or pause it here',
      });
    }
    const { [handle]: _, ...said } = this.#kept.said;
    const added = this.#kept.added.filter(({ entry }) => entry.handle !== handle);
    await this.#keep({ added, said });
  }

  /** @throws NOT_FOUND */
  async say(handle: string, remark: Remark): Promise<Listed> {
    this.#require(handle);
    const said = { ...this.#kept.said, [handle]: { ...this.#kept.said[handle], ...remark } };
    await this.#keep({ ...this.#kept, said });
    return this.#require(handle);
  }

  #require(handle: string): Listed {
    const listed = this.of(handle);
    if (listed) return listed;
    throw new LivestowError('NOT_FOUND', `@${handle} is not watched`, {
      hint: 'livestow creators lists those that are',
    });
  }

  #listed(entry: CreatorEntry, isConfigured: boolean): Listed {
    const { paused, note } = this.#kept.said[entry.handle] ?? {};
    const inForce = creatorInForce(entry, this.#config);
    return {
      ...inForce,
      paused: paused ?? inForce.paused,
      note: note === undefined ? inForce.note : note,
      isConfigured,
    };
  }

  /** What was said and is now said by the config file too: from then on the file is followed again. */
  #forget(): void {
    const said = { ...this.#kept.said };
    const added = this.#kept.added.map(({ entry }) => entry);
    const entries = new Map([...added, ...this.#config.creators].map((entry) => [entry.handle, entry]));
    for (const entry of entries.values()) {
      const remark = said[entry.handle];
      if (remark === undefined) continue;
      const { paused, note } = creatorInForce(entry, this.#config);
      const left = {
        ...(remark.paused === undefined || remark.paused === paused ? {} : { paused: remark.paused }),
        ...(remark.note === undefined || remark.note === note ? {} : { note: remark.note }),
      };
      if (Object.keys(left).length > 0) said[entry.handle] = left;
      else delete said[entry.handle];
    }
    this.#kept = { ...this.#kept, said };
  }

  /** What could not be written does not hold either. */
  async #keep(kept: Kept): Promise<void> {
    const before = this.#kept;
    this.#kept = kept;
    this.#forget();
    const now = this.#kept;
    const { added, said } = now;
    const content = { format: 'livestow-roster/1', added: added.map(({ input }) => input), said };
    const text = `${JSON.stringify(content, null, 2)}\n`;
    this.#saving = this.#saving.catch(() => {}).then(() => writeFileDurably(this.#path, text));
    try {
      await this.#saving;
    } catch (cause) {
      // Who came since has it in what was written then.
      if (this.#kept === now) this.#kept = before;
      throw new LivestowError('SPOOL', `${this.#path} cannot be written`, { cause });
    }
  }
}

const addedOf = (input: Added['input']): Added => ({ input, entry: creatorEntrySchema.parse(input) });
