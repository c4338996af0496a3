import { canonicalJson, compareInstants } from '@valueverse/kernel';
import type { ClockAdvanceRequested } from '@valueverse/contracts';
import type { CommandContext, Reactor } from '@valueverse/event-log';
import { derivedId } from '@valueverse/kernel';
import { rowOf, type Job, type JobHandler, type JobResult } from '@valueverse/platform';
import type { BillingHost } from '../billing-host';
import { clockDecider, clocksModel, type ClockRow } from './clock.model';
import { nextStep, waitsFor } from './domain/quiet';

const JOB = 'billing.advance-clock';
/** One run of the job works for this long and is then offered again, so that its lease cannot end under it. */
const RUN_MS_MAX = 20_000;
/** Between two looks: at least, and at most. A look asks every service; while there is work it takes a quarter of the time, so that the work gets the rest. */
const [PAUSE_MS, PAUSE_MS_MAX] = [4, 100];
const PAUSE_FOR_LOOK = 3;

/** Begins to move a clock when that was asked for. The job runs by the wall clock: a clock cannot wait for itself. */
export const clockReactor = (host: BillingHost): Reactor => ({
  kind: 'reactor', name: 'advance-clock', topics: ['platform.clocks'],
  on: {
    ClockAdvanceRequested: (event: ClockAdvanceRequested, fact) => ({
      jobs: [{ id: derivedId('job', JOB, fact.id), kind: JOB, tenant: fact.tenant, dueAt: host.service.clock.now(), clockId: undefined, payload: { clockId: event.clockId } }],
    }),
  },
});

/**
 * Moves a clock in steps: to the earliest instant at which anything in any service falls due, then waits until nothing that the step caused is
 * on its way, and so on to the target. Killed at any point it goes on from the facts.
 */
export const clockJob = (host: BillingHost): JobHandler => ({ kind: JOB, run: (job: Job<{ clockId: string }>) => new ClockMove(host, job).run() });

class ClockMove {
  private quietBefore: string | undefined;

  constructor(private readonly host: BillingHost, private readonly job: Job<{ clockId: string }>) {}

  async run(): Promise<JobResult> {
    const until = performance.now() + RUN_MS_MAX;
    while (performance.now() < until) {
      if (await this.advance()) return { outcome: 'done' };
    }
    return { outcome: 'wait', afterMs: 0, reason: 'the clock is still on its way' };
  }

  /** One look; answers whether the clock has arrived. */
  private async advance(): Promise<boolean> {
    const { tenant, payload: { clockId } } = this.job;
    const began = performance.now();
    const clock = await this.host.service.database.transaction({ role: 'api', tenant, readOnly: true }, (tx) => rowOf<ClockRow>(tx, clocksModel, clockId));
    if (clock === undefined || clock.status === 'ready') return true;
    const reports = await Promise.all(this.host.reports().map((report) => report.clock(tenant, clockId)));
    const facts = canonicalJson(reports.map(({ appended }) => appended));
    const isWaiting = waitsFor(reports, clock.now).length > 0;
    if (isWaiting || facts !== this.quietBefore) {
      this.quietBefore = isWaiting ? undefined : facts;
      const pauseMs = isWaiting ? Math.min(Math.max(PAUSE_MS, (performance.now() - began) * PAUSE_FOR_LOOK), PAUSE_MS_MAX) : PAUSE_MS;
      await new Promise((resolve) => { setTimeout(resolve, pauseMs); });
      return false;
    }
    this.quietBefore = undefined;
    const arrived = compareInstants(clock.now, clock.target) >= 0;
    const next = arrived ? clock.now : nextStep(reports, clock.target);
    await this.host.service.log.executeOne(clockDecider, arrived ? { type: 'CompleteAdvance', clockId } : { type: 'StepClock', clockId, now: next }, this.context(next));
    return arrived;
  }

  private context(at: string): CommandContext {
    const { tenant, payload: { clockId }, correlationId, causationId, traceparent } = this.job;
    return { tenant, at, actor: `job:${JOB}`, clockId, correlationId, causationId, traceparent };
  }
}
