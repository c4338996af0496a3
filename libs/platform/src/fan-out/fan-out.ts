/** What processes tell each other: `credentials` or `radius clients` have changed; facts were written to the store of a service. */
export type Hint = 'credentials' | 'radius clients' | `store ${string}`;

/** Passes hints on to the other processes of an installation. A hint may be lost, and may come twice: whoever listens also looks by itself, only later. */
export interface FanOut {
  tell(hint: Hint): void;
  /** Called for hints of other processes, and of this one. */
  listen(hint: Hint, heard: () => void): void;
}

/** One process has nobody else to tell: what listens here is told here. */
export class LocalFanOut implements FanOut {
  private readonly listeners = new Map<Hint, (() => void)[]>();

  tell(hint: Hint): void { this.listeners.get(hint)?.forEach((heard) => heard()); }
  listen(hint: Hint, heard: () => void): void { this.listeners.set(hint, [...this.listeners.get(hint) ?? [], heard]); }
}
