/** Resolves when the part is fit for work, with a note where somebody should look all the same; rejects with the reason when it is not. */
export type Check = () => Promise<string | void> | string | void;

/** What one part said. */
export interface CheckResult {
  readonly name: string;
  readonly up: boolean;
  readonly reason?: string;
}

const CHECK_TIMEOUT_MS = 3_000;

/**
 * The parts of a process that must be fit before it takes requests. Each module registers its own by name, so that four
 * services in one process share one answer.
 */
export class HealthRegistry {
  private readonly checks = new Map<string, Check>();
  private draining = false;
  private started = false;

  /** Throws when the name is taken by another check. */
  register(name: string, check: Check): void {
    if (this.checks.has(name)) throw new Error(`there is a health check ${name} already`);
    this.checks.set(name, check);
  }

  /** From now on the process says that it takes no new work. */
  drain(): void { this.draining = true; }
  /** Migrations are done, consumers are connected: the process is what it is going to be. */
  markStarted(): void { this.started = true; }
  get isDraining(): boolean { return this.draining; }
  get isStarted(): boolean { return this.started; }

  /** Asks all parts at once, each for three seconds at most. */
  async ask(): Promise<CheckResult[]> {
    return Promise.all([...this.checks].map(async ([name, check]) => {
      try {
        const note = await within(CHECK_TIMEOUT_MS, check);
        return { name, up: true, ...(typeof note === 'string' ? { reason: note } : {}) };
      } catch (error) {
        return { name, up: false, reason: error instanceof Error ? error.message : String(error) };
      }
    }));
  }
}

async function within(timeoutMs: number, check: Check): Promise<string | void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
  });
  try {
    return await Promise.race([check(), late]);
  } finally {
    clearTimeout(timer);
  }
}
