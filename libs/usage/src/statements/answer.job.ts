import { Refused } from '@valueverse/kernel';
import { USAGE_TOPIC, type StatementRequest } from '@valueverse/contracts';
import type { Feed, Instruction, Log, Tx } from '@valueverse/event-log';
import type { JobHandler, JobResult } from '@valueverse/platform';
import { currentVersion, type Meter, type MeterRule, rulesOf } from '../metering/domain/measure';
import { METERING_CONSUMER } from '../metering/metering.projector';
import { ENVELOPE_ALTERED } from '../metering/body';
import { answersTo, type Answer, droppedBehind, USAGE_DROPPED } from './compute';
import type { IssueStatement } from './domain/statement';
import { tracesOfEvidence } from './evidence-traces';
import { raiseFloors } from './ingress-floor';
import { ANSWER_JOB, answerJobFor, type AnswerPayload } from './requests.reactor';
import { statement, statementIdOf } from './statements';

/** How soon a request is looked at again that waits for metering. */
const AGAIN_AFTER_MS = 50;
/** The same of one that needs what retention has dropped, or what somebody has changed: nothing but an operator helps it. */
const OPERATOR_AGAIN_AFTER_MS = 60_000;
const operatorsReason = (reason: string): string | undefined => [USAGE_DROPPED, ENVELOPE_ALTERED].find((code) => reason.startsWith(code));

interface RequestRow { request: string; chunk: string; body: string; floor: string; at: string; clock: string | null; fact: string; correlation: string; traceparent: string | null }
interface Pending { readonly row: RequestRow; readonly request: StatementRequest; readonly floor: ReadonlyMap<number, bigint> }
interface Ready extends Pending { readonly rules: readonly MeterRule[] }

/** How far metering is, in one snapshot. */
interface MeteringState {
  readonly checkpoints: ReadonlyMap<number, bigint>;
  readonly parked: readonly { readonly partition: number; readonly record_offset: bigint }[];
  readonly meters: ReadonlyMap<string, Meter>;
  /** Keys of meters all of whose versions follow. */
  readonly following: ReadonlySet<string>;
}

const pendingOf = async (tx: Tx, tenant: string, ids: readonly string[]): Promise<Pending[]> => {
  const { rows } = await tx.query<RequestRow>(
    `SELECT request, chunk, body, floor, at, clock, fact, correlation, traceparent FROM usage_statement_requests
     WHERE tenant = $1 AND request = ANY($2) AND NOT answered ORDER BY request`, [tenant, ids]);
  return rows.map((row) => ({
    row, request: JSON.parse(row.body) as StatementRequest,
    floor: new Map(Object.entries(JSON.parse(row.floor) as Record<string, string>).map(([partition, offset]) => [Number(partition), BigInt(offset)])),
  }));
};

const stateOf = async (tx: Tx, tenant: string, meterKeys: readonly string[]): Promise<MeteringState> => {
  const checkpoints = await tx.query<{ partition: number; next_offset: bigint }>('SELECT partition, next_offset FROM checkpoints WHERE consumer = $1 AND topic = $2', [METERING_CONSUMER, USAGE_TOPIC]);
  const parked = await tx.query<{ partition: number; record_offset: bigint }>(
    `SELECT partition, record_offset FROM parked_records WHERE consumer = $1 AND topic = $2 AND tenant = $3
     UNION ALL SELECT partition, record_offset FROM rejected_records WHERE consumer = $1 AND topic = $2 AND headers::json->>'ce_tenant' = $3`, [METERING_CONSUMER, USAGE_TOPIC, tenant]);
  const meters = await tx.query<{ row: Meter }>('SELECT row FROM meters WHERE tenant = $1 AND key = ANY($2)', [tenant, meterKeys]);
  const following = await tx.query<{ meter: string; version: number }>(
    `SELECT meter, max(version) AS version FROM usage_meter_progress WHERE tenant = $1 AND meter = ANY($2) GROUP BY meter HAVING bool_and(position IS NULL)`, [tenant, meterKeys]);
  return {
    checkpoints: new Map(checkpoints.rows.map((row) => [row.partition, row.next_offset])), parked: parked.rows,
    meters: new Map(meters.rows.map(({ row }) => [row.meterKey, row])), following: new Set(following.rows.map(({ meter, version }) => meterName(meter, version))),
  };
};
const meterName = (meterKey: string, version: number): string => `${meterKey}@${version}`;

/** It is answered by all versions that there are, and says so: one that came after it was asked may count a part of its time. */
const readyOf = (pending: Pending, known: Meter): Ready => ({ ...pending, request: { ...pending.request, meterVersion: currentVersion(known).version }, rules: rulesOf(known) });

/** What a request waits for; undefined when it can be answered. */
const waitsFor = ({ request, floor }: Pending, state: MeteringState): string | undefined => {
  const known = state.meters.get(request.meterKey);
  if (known === undefined || currentVersion(known).version < request.meterVersion) return `meter ${meterName(request.meterKey, request.meterVersion)} is not known`;
  const name = meterName(request.meterKey, currentVersion(known).version);
  if (!state.following.has(name)) return `meter ${name} is being back-filled`;
  for (const [partition, end] of floor) {
    const next = state.checkpoints.get(partition) ?? 0n;
    if (next < end) return `metering is at ${next} of ${end} in ${USAGE_TOPIC}/${partition}`;
    // What was set aside has been passed by and is not counted: a statement without it would be wrong.
    if (state.parked.some((record) => record.partition === partition && record.record_offset < end)) return `envelopes of ${USAGE_TOPIC}/${partition} are parked or rejected: npx vv dlq list usage`;
  }
  return undefined;
};

/** The answers, or the reason of one that cannot be answered: an envelope that it needs was changed. It waits alone. */
const answersOf = async (tx: Tx, tenant: string, ready: readonly Ready[]): Promise<(Answer | string)[]> => {
  try {
    return await answersTo(tx, tenant, ready);
  } catch (error) {
    if (!(error instanceof Refused) || error.code !== ENVELOPE_ALTERED) throw error;
    if (ready.length === 1) return [`${ENVELOPE_ALTERED}: ${error.message}`];
  }
  const each: (Answer | string)[] = [];
  for (const one of ready) each.push(...await answersOf(tx, tenant, [one]));
  return each;
};

/** Without an id: a statement is issued once, whoever asks again. */
const instructionFor = (tenant: string, { row, request }: Ready, { quantities, asOf, evidence }: Answer, madeOf: readonly string[]): Instruction<IssueStatement> => {
  const statementId = statementIdOf(tenant, request.requestId);
  return {
    decider: statement,
    command: { type: 'IssueStatement', statementId, chunkId: row.chunk, ...request, quantities, asOf, evidence, issuedAt: row.at },
    context: {
      tenant, at: row.at, actor: `process:${ANSWER_JOB}`, clockId: row.clock ?? undefined, causationId: row.fact, correlationId: row.correlation,
      traceparent: row.traceparent ?? undefined, madeOf,
    },
  };
};

/**
 * Answers statement requests from one snapshot, when metering has passed their floors and knows their meters. Those that have to wait go to a job of
 * their own, so that none holds up another. A statement is stored with the end of the job, before the relay publishes it.
 */
export const answerStatements = (log: Log, feed: Feed): JobHandler => ({
  kind: ANSWER_JOB,
  run: async ({ tenant, payload, dueAt, clockId }): Promise<JobResult> => {
    const { requestIds } = payload as AnswerPayload;
    const missing = await raiseFloors(log, feed, tenant, requestIds);
    const { answered, traces, waiting } = await log.database.transaction({ role: 'worker', isolation: 'repeatable read', readOnly: true }, async (tx) => {
      const pending = await pendingOf(tx, tenant, requestIds);
      const state = await stateOf(tx, tenant, [...new Set(pending.map(({ request }) => request.meterKey))]);
      const held = pending.map((one) => ({ one, reason: missing.get(one.request.requestId) ?? waitsFor(one, state) }));
      const known = held.filter(({ reason }) => reason === undefined).map(({ one }) => readyOf(one, state.meters.get(one.request.meterKey)!));
      // It is never answered with less: it waits, and the doctor names it.
      const dropped = await droppedBehind(tx, tenant, known);
      held.push(...known.flatMap((one, nth) => (dropped.has(nth) ? [{ one, reason: dropped.get(nth) }] : [])));
      const able = known.filter((_, nth) => !dropped.has(nth));
      const found = (await answersOf(tx, tenant, able)).map((answer, nth) => ({ one: able[nth]!, answer }));
      held.push(...found.flatMap(({ one, answer }) => (typeof answer === 'string' ? [{ one, reason: answer }] : [])));
      const answered = found.flatMap(({ one, answer }) => (typeof answer === 'string' ? [] : [{ one, answer }]));
      return { answered, traces: await tracesOfEvidence(tx, tenant, answered.map(({ one }) => one.request)), waiting: held.filter(({ reason }) => reason !== undefined) };
    });
    // Those that nothing but an operator helps wait by themselves: they are looked at seldom, and the doctor finds them by their reason.
    const groups = [...Map.groupBy(waiting, ({ reason }) => operatorsReason(reason!)).values()];
    if (answered.length === 0 && groups.length === 1) return { outcome: 'wait', afterMs: operatorsReason(waiting[0]!.reason!) !== undefined ? OPERATOR_AGAIN_AFTER_MS : AGAIN_AFTER_MS, reason: waiting[0]!.reason! };
    return {
      outcome: 'done',
      reaction: { jobs: groups.map((own) => answerJobFor({ tenant, clockId }, own.map(({ one }) => one.request.requestId), dueAt)) },
      write: async (tx) => {
        await tx.query('UPDATE usage_statement_requests SET answered = true WHERE tenant = $1 AND request = ANY($2)', [tenant, answered.map(({ one }) => one.request.requestId)]);
        await log.execute(tx, answered.map(({ one, answer }, index) => instructionFor(tenant, one, answer, traces[index]!)));
      },
    };
  },
});
