/** What is told of each setting: to who writes one wrong, in the commented example, in the documentation. */
import { z } from 'zod';

export interface SettingAbout {
  description: string;
  /** What a good value looks like; completes "is not …". */
  form: string;
  /** Absent: the config file only. */
  env?: string;
  /** Absent: no flag, because command lines are seen by other users of the machine. */
  flag?: string;
  /** How the value is called in `--flag <value>`. */
  value?: string;
  /** For the commented example, where there is no default. */
  example?: string;
  /** Never quoted back. */
  secret?: boolean;
}

export const about = z.registry<SettingAbout>();
