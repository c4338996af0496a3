import type { NewJob, Reaction, Tx } from '@valueverse/event-log';

/** A job that was taken to be run. `attempt` counts from 1 and was stored before the run began. */
export interface Job<P = unknown> extends NewJob {
  readonly payload: P;
  readonly attempt: number;
  /** The trace that this job was begun by, where it fell due so much later that it is one of its own. */
  readonly startedBy?: string | undefined;
  /** The instant at which it runs: of its test clock, or the wall clock's. */
  readonly now: string;
}

/**
 * What a run came to. `done` writes the reaction (commands and further jobs), and whatever `write` does before them, in the
 * transaction that removes the job; `wait` leaves it and offers it again after some wall time.
 */
export type JobResult =
  | { readonly outcome: 'done'; readonly reaction?: Reaction; readonly write?: (tx: Tx) => Promise<Reaction | void> }
  | { readonly outcome: 'wait'; readonly afterMs: number; readonly reason: string };

/**
 * Runs the jobs of one kind. It may reach outside (a provider, a mail server); what it changes inside happens once, with the job's end.
 * A run that throws is tried again with growing pauses.
 */
export interface JobHandler {
  readonly kind: string;
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- each kind has the payload that its own code scheduled
  readonly run: (job: Job<any>) => Promise<JobResult>;
  /**
   * Runs several jobs of one tenant that are due together in one transaction, and answers each one's reaction by its id. A job that it leaves out is run alone, and so is each of them where it throws: what is wrong with
   * which is found out there. Jobs of a test clock are never together.
   */
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- as above
  readonly together?: (tx: Tx, jobs: readonly Job<any>[]) => Promise<ReadonlyMap<string, Reaction>>;
  /** Told of each run that failed by itself, and not for the moment only. */
  readonly failed?: (error: unknown) => void;
}
