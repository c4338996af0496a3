import { derivedId } from '@valueverse/kernel';
import type { Fact } from '../codec/codec';
import type { Tx } from '../database/database';
import type { Instruction, WallClock } from '../execute/execute';
import { contextOfFact, traceOfJob } from '../tracing';
import { runInContext } from '../work-context';
import type { JobSink, NewJob, Reactor } from './consumers';

/** Has a reactor act on facts: its jobs are scheduled, and the commands that follow are answered. Their ids derive from the fact, so a redelivery is the same command. */
export const reactTo = async (reactor: Reactor, tx: Tx, facts: readonly Fact[], { jobs: sink, wallClock }: { readonly jobs: JobSink; readonly wallClock: WallClock }): Promise<Instruction[]> => {
  const instructions: Instruction[] = [];
  const jobs: NewJob[] = [];
  const together = await reactor.together?.(facts, tx);
  for (const [nth, fact] of facts.entries()) {
    const reaction = together?.[nth] ?? await runInContext(contextOfFact(fact), async () => reactor.on[fact.event.type]!(fact.event, fact, tx));
    for (const [index, { decider, command, isIdempotent }] of (reaction.commands ?? []).entries()) {
      instructions.push({ decider, command, context: {
        tenant: fact.tenant, at: fact.clockId === undefined ? wallClock() : fact.at, actor: `process:${reactor.name}`, clockId: fact.clockId,
        causationId: fact.id, correlationId: fact.correlationId, traceparent: fact.traceparent,
        commandId: isIdempotent === true ? undefined : derivedId('cmd', reactor.name, fact.id, String(index)),
      } });
    }
    jobs.push(...(reaction.jobs ?? []).map((job) => ({ causationId: fact.id, correlationId: fact.correlationId, traceparent: traceOfJob(fact.traceparent, fact.at, job.dueAt), clockId: fact.clockId, ...job })));
  }
  if (jobs.length > 0) await sink.schedule(tx, jobs);
  return instructions;
};
