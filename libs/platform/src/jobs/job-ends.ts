import type { Job } from './job';
import type { Reaction } from '@valueverse/event-log';

/** A run that is over and wants nothing but commands and further jobs written. */
export interface JobEnd { readonly job: Job; readonly reaction: Reaction; readonly traceparent: string | undefined }
interface Waiting { readonly end: JobEnd; readonly told: (isWritten: boolean) => void }

const TOGETHER_MAX = 64;

/** Ends that come while a transaction is at work share the next one: a provider's answers come one by one, and a transaction for each would cost more than what it writes. */
export class JobEnds {
  private waiting: Waiting[] = [];
  private writing = false;

  /** `write` writes all of them in one transaction, or throws and has written none. */
  constructor(private readonly write: (ends: readonly JobEnd[]) => Promise<void>) {}

  /** Answers whether it is written. Where it is not, one of those beside it could not be: each is then to be written alone. */
  written(end: JobEnd): Promise<boolean> {
    return new Promise((told) => {
      this.waiting.push({ end, told });
      void this.work();
    });
  }

  private async work(): Promise<void> {
    if (this.writing) return;
    this.writing = true;
    while (this.waiting.length > 0) {
      const taken = this.waiting.splice(0, TOGETHER_MAX);
      const isWritten = await this.write(taken.map(({ end }) => end)).then(() => true, () => false);
      for (const { told } of taken) told(isWritten);
    }
    this.writing = false;
  }
}
