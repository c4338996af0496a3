/** How runs come together. */
export interface Sharing<R> {
  /** Transactions that are under way at a time: while the database works for one, the process prepares the other. */
  readonly lanes: number;
  /** A transaction begins at least this long after the one before it. */
  readonly spacingMs: number;
  /** What the runs of one transaction may weigh; a run that weighs more comes alone. */
  readonly weightMax?: number;
  readonly weigh?: (run: R) => number;
}

interface Waiting<R> { readonly run: R; readonly done: (wasHandled: boolean) => void }

/**
 * Runs of several partitions in one transaction: what comes while others are under way shares the next one. A transaction costs about as much for one partition as for all of them,
 * and a partition of a busy topic has little at a time.
 */
export class Together<R> {
  private readonly waiting: Waiting<R>[] = [];
  private busy = 0;
  private isPlanned = false;
  private notBeforeMs = 0;

  /** `handle` does all of its runs or none. */
  constructor(private readonly handle: (runs: readonly R[]) => Promise<void>, private readonly sharing: Sharing<R>) {}

  /** Resolves when the run was handled with others; false where that failed for any of them, and nothing was done. Never rejects. */
  join(run: R): Promise<boolean> {
    return new Promise((done) => {
      this.waiting.push({ run, done });
      this.plan();
    });
  }

  /** A moment later at the least: those that were read together come one after the other. */
  private plan(): void {
    if (this.isPlanned || this.busy >= this.sharing.lanes || this.waiting.length === 0) return;
    this.isPlanned = true;
    const begin = (): void => {
      this.isPlanned = false;
      this.notBeforeMs = performance.now() + this.sharing.spacingMs;
      while (this.busy < this.sharing.lanes && this.waiting.length > 0) void this.next();
    };
    const restMs = this.notBeforeMs - performance.now();
    if (restMs > 0) setTimeout(begin, restMs);
    else setImmediate(begin);
  }

  /** A fair part of what waits, within the weight. */
  private nextOwn(): Waiting<R>[] {
    const { lanes, weigh = () => 0, weightMax = 0 } = this.sharing;
    const part = Math.ceil(this.waiting.length / (lanes - this.busy));
    let [count, weight] = [0, 0];
    while (count < part && (count === 0 || weight + weigh(this.waiting[count]!.run) <= weightMax)) weight += weigh(this.waiting[count++]!.run);
    return this.waiting.splice(0, count);
  }

  private async next(): Promise<void> {
    const own = this.nextOwn();
    this.busy += 1;
    let wasHandled = true;
    try {
      await this.handle(own.map(({ run }) => run));
    } catch {
      // Each is handled alone now, and there it is found out what is wrong with which.
      wasHandled = false;
    }
    this.busy -= 1;
    for (const { done } of own) done(wasHandled);
    this.plan();
  }
}

/** Lets so many pieces of work go on at a time; the others wait for their turn. */
export class Turns {
  private free: number;
  private readonly waiting: (() => void)[] = [];

  constructor(atOnce: number) { this.free = atOnce; }

  async take<T>(work: () => Promise<T>): Promise<T> {
    if (this.free > 0) this.free -= 1;
    else await new Promise<void>((go) => { this.waiting.push(go); });
    try {
      return await work();
    } finally {
      const next = this.waiting.shift();
      if (next === undefined) this.free += 1;
      else next();
    }
  }
}
