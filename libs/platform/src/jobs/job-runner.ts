import { randomInt, randomUUID } from 'node:crypto';
import { derivedId } from '@valueverse/kernel';
import { AppendConflict, contextAfter, inSpan, isTransient, Loop, runInContext, traceOfJob, workContext, type FailSpan, type Instruction, type Log, type Reaction, type Reports, type Tx } from '@valueverse/event-log';
import type { Job, JobHandler, JobResult } from './job';
import { type JobEnd, JobEnds } from './job-ends';
import type { JobMeter } from './job-meter';
import type { ClaimedKinds, JobTable } from './job-table';

const JOBS_AT_ONCE = 16;
/** Jobs that share a transaction, and how many such transactions are at work at once. */
const TOGETHER_MAX = 128;
const TOGETHER_AT_ONCE = 4;
const POLL_MS = 100;
/** How often jobs of kinds that nothing runs are looked for: a release that knew them may be gone. */
const STRANGERS_EVERY_MS = 5_000;
const ERROR_PAUSE_MS = 500;
const RETRY_FIRST_MS = 200;
const RETRY_MAX_MS = 60_000;
/** Attempts after which a job that keeps failing is reported as stuck; it is tried on, at the longest pause. */
const ATTEMPTS_ALARM = 8;
const FINISH_ATTEMPTS_MAX = 40;
const FINISH_PAUSE_MS_MAX = 30;
const RENEW_EVERY_MS = 3_000;

/** This runner was too slow and another one took the job: what it would have written is rolled back. */
class JobLost extends Error {}

/** Jobs of a test clock are each on their own: what falls due on one clock happens in order. */
const groupOf = ({ kind, tenant, clockId, id }: Job): string => JSON.stringify([kind, tenant, clockId === undefined ? '' : id]);
const originOf = ({ causationId, correlationId, clockId }: Job): Pick<Job, 'causationId' | 'correlationId' | 'clockId'> => ({ causationId, correlationId, clockId });
const instructionsOf = (job: Job, commands: NonNullable<Reaction['commands']>, traceparent: string | undefined): Instruction[] => commands.map(({ decider, command, isIdempotent }, index) => ({ decider, command, context: {
  ...originOf(job), traceparent, tenant: job.tenant, at: job.now, actor: `job:${job.kind}`, commandId: isIdempotent === true ? undefined : derivedId('cmd', job.id, String(index)),
} }));

/** Runs due jobs of one service. Any number of runners may work on one table; a job that its runner lost is run again, its effects inside once. */
export class JobRunner {
  private readonly owner = randomUUID();
  private readonly handlers: ReadonlyMap<string, JobHandler>;
  private readonly running = new Set<Promise<void>>();
  private readonly shared = new Set<Promise<void>>();
  private readonly sharing: readonly string[];
  private readonly alone: readonly string[];
  private strangersLookedForAt = -Infinity;
  private readonly ends = new JobEnds((ends) => this.endTogether(ends));
  private renewing: NodeJS.Timeout | undefined;
  private readonly loop = new Loop(() => this.turn(), (error) => {
    if (!isTransient(error)) this.reports.error('jobs could not be taken; it is tried again', error);
    return ERROR_PAUSE_MS;
  });

  constructor(private readonly log: Log, private readonly table: JobTable, handlers: readonly JobHandler[], private readonly reports: Reports, private readonly meter: JobMeter = () => undefined) {
    this.handlers = new Map(handlers.map((handler) => [handler.kind, handler]));
    this.sharing = handlers.filter(({ together }) => together !== undefined).map(({ kind }) => kind);
    this.alone = handlers.filter(({ together }) => together === undefined).map(({ kind }) => kind);
    if (this.handlers.size !== handlers.length) throw new Error('two handlers for one kind of job');
  }

  start(): void {
    this.loop.start();
    this.renewing = setInterval(() => { void this.renew(); }, RENEW_EVERY_MS);
    this.renewing.unref();
  }
  wake(): void { this.loop.wake(); }
  async stop(): Promise<void> {
    await this.loop.stop();
    await Promise.all([...this.running, ...this.shared]);
    await Promise.all(this.running);
    clearInterval(this.renewing);
  }

  private async turn(): Promise<number> {
    const room = JOBS_AT_ONCE - this.running.size;
    const [jobs, sharing] = await this.claim(
      [this.alone.length === 0 ? 0 : room, { only: this.alone }], [this.sharing.length === 0 || this.shared.size >= TOGETHER_AT_ONCE || room <= 0 ? 0 : TOGETHER_MAX, { only: this.sharing }]) as [Job[], Job[]];
    for (const job of jobs) this.begin(job);
    for (const group of Map.groupBy(sharing, groupOf).values()) this.beginTogether(group);
    const strangers = await this.strangers(room - jobs.length);
    return jobs.length + sharing.length + strangers === 0 ? POLL_MS : 0;
  }

  /** Jobs of kinds that nothing here runs are due, too: each fails, and says so. */
  private async strangers(room: number): Promise<number> {
    if (performance.now() - this.strangersLookedForAt < STRANGERS_EVERY_MS) return 0;
    this.strangersLookedForAt = performance.now();
    const [jobs] = await this.claim([room, { but: [...this.handlers.keys()] }]) as [Job[]];
    for (const job of jobs) this.begin(job);
    return jobs.length;
  }

  /** Takes so many due jobs of each of these kinds, in one transaction: it is asked for many times a second, also where nothing is ever due. */
  private async claim(...wanted: readonly (readonly [limit: number, kinds: ClaimedKinds])[]): Promise<Job[][]> {
    if (wanted.every(([limit]) => limit <= 0)) return wanted.map(() => []);
    return this.log.database.transaction({ role: 'worker' }, async (tx) => {
      const taken: Job[][] = [];
      for (const [limit, kinds] of wanted) taken.push(limit <= 0 ? [] : await this.table.claim(tx, this.owner, this.log.wallClock(), limit, kinds));
      return taken;
    });
  }

  /** Jobs that can share a transaction do; those that are left out of it, and all of them where it fails, are run alone. */
  private beginTogether(jobs: readonly Job[]): void {
    const [first] = jobs as readonly [Job];
    if (jobs.length === 1) { this.begin(first); return; }
    const { tenant, kind } = first;
    const work = runInContext({ ...contextAfter(undefined), tenant }, () => inSpan(`jobs ${kind}`, { attributes: { 'valueverse.tenant': tenant, 'valueverse.job.kind': kind, 'valueverse.jobs': jobs.length } }, () => this.runTogether(jobs)))
      .catch((error: unknown) => { if (!isTransient(error) && !(error instanceof AppendConflict || error instanceof JobLost)) this.reports.error(`${jobs.length} jobs ${kind} could not be run together; each is run alone`, error); return jobs; })
      .then((alone) => { for (const job of alone) this.begin(job); });
    const tracked: Promise<void> = work.finally(() => { this.shared.delete(tracked); this.wake(); });
    this.shared.add(tracked);
  }

  /** Answers the jobs that were left out. */
  private async runTogether(jobs: readonly Job[]): Promise<readonly Job[]> {
    const began = performance.now();
    const done = await this.log.database.transaction({ role: 'worker' }, async (tx) => {
      const reactions = await this.handlers.get(jobs[0]!.kind)!.together!(tx, jobs);
      const taken = jobs.filter(({ id }) => reactions.has(id));
      if (taken.length > 0) await this.endIn(tx, taken.map((job) => ({ job, reaction: reactions.get(job.id)!, traceparent: job.traceparent })));
      return taken;
    });
    const seconds = (performance.now() - began) / 1_000 / Math.max(done.length, 1);
    for (const { kind } of done) this.meter(kind, 'done', seconds);
    return jobs.filter((job) => !done.includes(job));
  }

  /** Removes jobs and writes what they came to. */
  private async endIn(tx: Tx, ends: readonly JobEnd[]): Promise<void> {
    if (await this.table.finishAll(tx, ends.map(({ job }) => job), this.owner) !== ends.length) throw new JobLost();
    const follows = ends.flatMap(({ job, reaction, traceparent }) => (reaction.jobs ?? []).map((next) => ({ ...originOf(job), traceparent: traceOfJob(traceparent, job.now, next.dueAt), ...next })));
    if (follows.length > 0) await this.table.schedule(tx, follows);
    const instructions = ends.flatMap(({ job, reaction, traceparent }) => instructionsOf(job, reaction.commands ?? [], traceparent));
    if (instructions.length > 0) await this.log.execute(tx, instructions);
  }

  /** The ends of jobs that ran each on its own: a trace of one of them says nothing of the others. */
  private endTogether(ends: readonly JobEnd[]): Promise<void> {
    return runInContext(contextAfter(undefined), () => inSpan('jobs end', { attributes: { 'valueverse.jobs': ends.length } }, () => this.log.database.transaction({ role: 'worker' }, (tx) => this.endIn(tx, ends))));
  }

  /** A job that takes long stays ours; one whose renewal fails may run twice, and its effects inside happen once all the same. */
  private async renew(): Promise<void> {
    if (this.running.size + this.shared.size === 0) return;
    await this.log.database.transaction({ role: 'worker' }, (tx) => this.table.renew(tx, this.owner))
      .catch((error: unknown) => { if (!isTransient(error)) this.reports.error('the leases of running jobs could not be renewed', error); });
  }

  private begin(job: Job): void {
    const work = this.inContext(job).catch((error: unknown) => this.reports.error(`the job ${job.id} could not be put back`, error));
    const tracked: Promise<void> = work.finally(() => { this.running.delete(tracked); this.wake(); });
    this.running.add(tracked);
  }

  /** What a job does is part of the trace of its cause; log lines meanwhile say whose it is. */
  private inContext(job: Job): Promise<void> {
    const { tenant, correlationId, traceparent, startedBy, kind, attempt } = job;
    const trace = startedBy === undefined ? { parent: traceparent } : { causes: [startedBy], isOwnTrace: true };
    const attributes = { 'valueverse.tenant': tenant, 'valueverse.job.kind': kind, 'valueverse.job.attempt': attempt };
    return runInContext({ ...contextAfter(traceparent), tenant, correlationId }, () => inSpan(`job ${kind}`, { attributes, ...trace }, (fail) => this.runOne(job, fail)));
  }

  private async runOne(job: Job, fail: FailSpan): Promise<void> {
    const began = performance.now();
    const ran = (outcome: Parameters<JobMeter>[1]): void => this.meter(job.kind, outcome, (performance.now() - began) / 1_000);
    try {
      const handler = this.handlers.get(job.kind);
      if (handler === undefined) throw new Error(`nothing runs jobs of kind ${job.kind}`);
      const result = await handler.run(job);
      if (result.outcome === 'wait') await this.putBack(job, result.afterMs, result.reason, false);
      else await this.finish(job, result);
      ran(result.outcome);
    } catch (error) {
      ran(error instanceof JobLost ? 'lost' : 'failed');
      fail(error);
      if (error instanceof JobLost) return;
      if (!isTransient(error)) this.handlers.get(job.kind)?.failed?.(error);
      const reason = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
      if (!isTransient(error)) this.reports.error(`the job ${job.kind} ${job.id} failed at attempt ${job.attempt}`, error);
      if (job.attempt === ATTEMPTS_ALARM) this.reports.alarm(`the job ${job.kind} ${job.id} keeps failing: ${reason}`);
      await this.putBack(job, Math.min(RETRY_MAX_MS, RETRY_FIRST_MS * 2 ** (job.attempt - 1)), reason, true);
    }
  }

  private async finish(job: Job, result: Extract<JobResult, { outcome: 'done' }>): Promise<void> {
    const traceparent = workContext()?.traceparent;
    if (result.write === undefined && await this.ends.written({ job, reaction: result.reaction ?? {}, traceparent })) return;
    for (let attempt = 1; ; attempt++) {
      try {
        await this.log.database.transaction({ role: 'worker' }, async (tx) => {
          const written = await result.write?.(tx);
          const reaction = { commands: [...(result.reaction?.commands ?? []), ...(written?.commands ?? [])], jobs: [...(result.reaction?.jobs ?? []), ...(written?.jobs ?? [])] };
          await this.endIn(tx, [{ job, reaction, traceparent }]);
        });
        return;
      } catch (error) {
        if (!(error instanceof AppendConflict || isTransient(error)) || attempt >= FINISH_ATTEMPTS_MAX) throw error;
        await new Promise((resolve) => { setTimeout(resolve, randomInt(1, FINISH_PAUSE_MS_MAX)); });
      }
    }
  }

  private async putBack(job: Job, afterMs: number, reason: string, failed: boolean): Promise<void> {
    await this.log.database.transaction({ role: 'worker' }, (tx) => this.table.putBack(tx, job, this.owner, { afterMs, reason, failed }));
    if (afterMs < POLL_MS) setTimeout(() => this.wake(), afterMs + 1);
  }
}
