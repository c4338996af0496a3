/**
 * Work that is done turn after turn until it is stopped. A turn answers for how many milliseconds to rest before the next one, 0 for not at all;
 * a wake-up ends the rest, and one that comes during a turn is not lost.
 */
export class Loop {
  private running = false;
  private turning: Promise<void> = Promise.resolve();
  private roused = false;
  private rouse: () => void = () => undefined;

  /** `failed` is told of a turn that threw, and answers for how long to rest. */
  constructor(private readonly turn: () => Promise<number>, private readonly failed: (error: unknown) => number) {}

  get isRunning(): boolean { return this.running; }

  start(): void {
    this.running = true;
    this.turning = this.run();
  }
  wake(): void {
    this.roused = true;
    this.rouse();
  }
  /** No turn follows this one. */
  end(): void {
    this.running = false;
    this.wake();
  }
  /** Ends, and waits for the turn that is under way. */
  async stop(): Promise<void> {
    this.end();
    await this.turning;
  }

  private async run(): Promise<void> {
    while (this.running) {
      this.roused = false;
      let restMs: number;
      try {
        restMs = await this.turn();
      } catch (error) {
        restMs = this.failed(error);
      }
      if (restMs > 0) await this.rest(restMs);
    }
  }

  private async rest(milliseconds: number): Promise<void> {
    if (this.roused || !this.running) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      this.rouse = () => { clearTimeout(timer); resolve(); };
    });
  }
}
