import { setTimeout as pause } from 'node:timers/promises';
import { launchPart, type PartOptions, type PartProcess } from '@valueverse/platform';

const AGAIN_AFTER_MS = 500;

/** A process of ours in the storm: killed and paused at will, and started again whenever it ends, as an orchestrator would. */
export class Actor {
  private running: PartProcess | undefined;
  private isStopping = false;
  private isHeldDown = false;
  starts = 0;

  constructor(readonly name: string, private readonly options: Omit<PartOptions, 'name' | 'isReady'>) {}

  get logFile(): string { return this.options.logFile; }

  start(): void { void this.keep(); }

  /** kill -9; it comes again after `downMs`. */
  async kill(downMs: number): Promise<void> {
    this.isHeldDown = true;
    this.running?.signal('SIGKILL');
    await this.running?.whenEnded;
    await pause(downMs);
    this.isHeldDown = false;
  }
  async freeze(milliseconds: number): Promise<void> {
    this.running?.signal('SIGSTOP');
    await pause(milliseconds);
    this.thaw();
  }
  thaw(): void { this.running?.signal('SIGCONT'); }

  async stop(): Promise<void> {
    this.isStopping = true;
    await this.running?.stop();
  }

  private async keep(): Promise<void> {
    while (!this.isStopping) {
      if (this.isHeldDown) { await pause(AGAIN_AFTER_MS); continue; }
      this.starts++;
      this.running = launchPart({ ...this.options, name: this.name, isReady: () => true });
      await this.running.whenEnded;
      await pause(AGAIN_AFTER_MS);
    }
  }
}
