import { USAGE_TOPIC, type Topic } from '@valueverse/contracts';
import type { Tx } from '@valueverse/event-log';
import type { LookResult, Service } from '@valueverse/platform';
import { stuckLanes } from './ingest/stuck-lanes';
import { METERING_CONSUMER } from './metering/metering.projector';

const CAUSE_SHOWN_MAX = 200;

/**
 * Why metering does not get on: it was stopped, it cannot take in the next record however often it tries, records were set aside that statements have to wait for, or the feed takes nothing for the
 * partition, so that what clients and files have brought waits.
 */
export const STUCK_KINDS = ['stopped', 'failing', 'parked', 'rejected', 'not_taken'] as const;
export type StuckKind = (typeof STUCK_KINDS)[number];
/** A partition of `usage.events` whose subjects have to wait, for usage that metering does not count (or one of `usage.ingress.rejected` that takes nothing). Subjects of other partitions do not. */
export interface StuckPartition { readonly topic: Topic; readonly partition: number; readonly kind: StuckKind; readonly records: number; readonly cause: string }

/** The partitions that metering does not get on with, each cause once. Needs a role that sees every tenant's records. */
export const stuckPartitions = async (tx: Tx): Promise<StuckPartition[]> => {
  const { rows } = await tx.query<{ partition: number; kind: StuckKind; records: bigint; cause: string }>(
    `SELECT partition, 'stopped' AS kind, 0::bigint AS records, halted AS cause FROM checkpoints WHERE consumer = $1 AND topic = $2 AND halted IS NOT NULL
     UNION ALL SELECT f.partition, 'failing', 1, f.reason FROM failures f JOIN checkpoints c USING (consumer, topic, partition) WHERE consumer = $1 AND topic = $2 AND f.record_offset = c.next_offset AND (f.attempts > 1 OR f.begun > 1)
     UNION ALL SELECT r.partition, 'parked', count(*), min(s.reason) FROM parked_records r JOIN parked_streams s USING (consumer, tenant, stream) WHERE consumer = $1 AND r.topic = $2 GROUP BY 1
     UNION ALL SELECT partition, 'rejected', count(*), min(code || ': ' || detail) FROM rejected_records WHERE consumer = $1 AND topic = $2 AND headers::json->>'ce_tenant' <> '' GROUP BY 1
     ORDER BY partition, kind`, [METERING_CONSUMER, USAGE_TOPIC]);
  const read = rows.map(({ partition, kind, records, cause }): StuckPartition => ({ topic: USAGE_TOPIC, partition, kind, records: Number(records), cause: cause.slice(0, CAUSE_SHOWN_MAX) }));
  const notTaken = (await stuckLanes(tx)).map((lane): StuckPartition => ({ ...lane, kind: 'not_taken', cause: lane.cause.slice(0, CAUSE_SHOWN_MAX) }));
  return [...read, ...notTaken];
};

const nextOf = ({ kind, topic, partition }: StuckPartition): string => {
  if (kind === 'stopped') return `mend the cause (docs/ARCHITECTURE.md, "When a reader stops"), then: npx vv readers resume usage ${METERING_CONSUMER} --topic ${USAGE_TOPIC} --partition ${partition}`;
  if (kind === 'not_taken') return `look at the brokers of ${topic}/${partition}; what waits is appended when it takes something again`;
  if (kind === 'failing') return `look for ${USAGE_TOPIC}/${partition} in the log of usage`;
  return 'npx vv dlq list usage, then npx vv dlq retry usage <id>, or discard with a reason';
};
const SAID: Readonly<Record<StuckKind, (records: number) => string>> = {
  stopped: () => 'is stopped', failing: () => 'fails at its next record', parked: (records) => `has ${records} parked records`, rejected: (records) => `has ${records} rejected records`,
  not_taken: (records) => `takes nothing, and ${records} records of clients and files wait for it`,
};
const textOf = ({ topic, partition, kind, records, cause }: StuckPartition): string => `${topic}/${partition} ${SAID[kind](records)} (${cause})`;

const read = ({ database }: Service): Promise<StuckPartition[]> => database.transaction({ role: 'worker', readOnly: true }, stuckPartitions);

/** What the doctor is told of them. */
export const lookAtMetering = async (service: Service): Promise<LookResult> => {
  const stuck = await read(service);
  const [first] = stuck;
  if (first === undefined) return { ok: true, detail: 'gets on in all partitions' };
  return { ok: false, detail: `${textOf(first)}${stuck.length === 1 ? '' : `, and ${stuck.length - 1} more`}; statements of their subjects wait, those of others do not`, next: nextOf(first) };
};

/** Says of metering in health, readiness and metrics where it does not get on. The process stays ready: everybody else's usage is taken and counted. */
export const watchMetering = (service: Service): void => {
  service.health.register('usage metering', async () => {
    const { ok, detail, next } = await lookAtMetering(service);
    return ok ? undefined : `${detail}; next: ${next}`;
  });
  const gauge = service.metrics.gauge({ subsystem: 'usage', what: 'stuck_partitions', labels: ['kind'], help: 'Partitions of usage.events with usage that metering does not count, whose statements wait: stopped, failing at the next record, with parked or rejected records, or that the feed takes nothing for' });
  service.metrics.beforeScrape(async () => {
    const stuck = await read(service);
    for (const kind of STUCK_KINDS) gauge.set({ kind }, stuck.filter((one) => one.kind === kind).length);
  });
};
