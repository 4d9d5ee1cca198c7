/** What looking has cost: in all, and for each session while it lasts. Counted from `creditsCharged`, never assumed. */
import type { Credits } from '../model/manifest.ts';

/** A share of the ledger that begins at zero, for one session's manifest. */
export interface CreditAccount {
  readonly credits: Credits;
  close(): void;
}

export class CreditLedger {
  #charged = 0;
  #lookups = 0;
  readonly #accounts = new Map<string, Set<{ charged: number; lookups: number }>>();

  /** Everything since the process began. */
  get total(): Credits {
    return { charged: this.#charged, lookups: this.#lookups };
  }

  /** One answered look. */
  add(handle: string, charged: number): void {
    this.#charged += charged;
    this.#lookups += 1;
    for (const account of this.#accounts.get(handle) ?? []) {
      account.charged += charged;
      account.lookups += 1;
    }
  }

  /** Counts the looks at this creator from now on, until it is closed. `initial` is what found the session. */
  open(handle: string, initial: Credits = { charged: 0, lookups: 0 }): CreditAccount {
    const account = { ...initial };
    const accounts = this.#accounts.get(handle) ?? new Set();
    this.#accounts.set(handle, accounts.add(account));
    return {
      get credits() {
        return { ...account };
      },
      close: () => {
        accounts.delete(account);
        if (accounts.size === 0 && this.#accounts.get(handle) === accounts) this.#accounts.delete(handle);
      },
    };
  }
}
