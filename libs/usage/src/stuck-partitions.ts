import { USAGE_TOPIC } from '@valueverse/contracts';
import type { Tx } from '@valueverse/event-log';
import type { LookResult, Service } from '@valueverse/platform';
import { METERING_CONSUMER } from './metering/metering.projector';

const CAUSE_SHOWN_MAX = 200;

/** Why metering does not get on: it was stopped, it cannot take in the next record however often it tries, or records were set aside that statements have to wait for. */
export const STUCK_KINDS = ['stopped', 'failing', 'parked', 'rejected'] as const;
export type StuckKind = (typeof STUCK_KINDS)[number];
/** A partition of `usage.events` whose subjects have to wait, for usage that metering does not count. Subjects of other partitions do not. */
export interface StuckPartition { readonly partition: number; readonly kind: StuckKind; readonly records: number; readonly cause: string }

/** The partitions that metering does not get on with, each cause once. Needs a role that sees every tenant's records. */
export const stuckPartitions = async (tx: Tx): Promise<StuckPartition[]> => {
  const { rows } = await tx.query<{ partition: number; kind: StuckKind; records: bigint; cause: string }>(
    `SELECT partition, 'stopped' AS kind, 0::bigint AS records, halted AS cause FROM checkpoints WHERE consumer = $1 AND topic = $2 AND halted IS NOT NULL
     UNION ALL SELECT f.partition, 'failing', 1, f.reason FROM failures f JOIN checkpoints c USING (consumer, topic, partition) WHERE consumer = $1 AND topic = $2 AND f.record_offset = c.next_offset AND (f.attempts > 1 OR f.begun > 1)
     UNION ALL SELECT r.partition, 'parked', count(*), min(s.reason) FROM parked_records r JOIN parked_streams s USING (consumer, tenant, stream) WHERE consumer = $1 AND r.topic = $2 GROUP BY 1
     UNION ALL SELECT partition, 'rejected', count(*), min(code || ': ' || detail) FROM rejected_records WHERE consumer = $1 AND topic = $2 AND headers::json->>'ce_tenant' <> '' GROUP BY 1
     ORDER BY partition, kind`, [METERING_CONSUMER, USAGE_TOPIC]);
  return rows.map(({ partition, kind, records, cause }) => ({ partition, kind, records: Number(records), cause: cause.slice(0, CAUSE_SHOWN_MAX) }));
};

const nextOf = ({ kind, partition }: StuckPartition): string => {
  if (kind === 'stopped') return `mend the cause (docs/ARCHITECTURE.md, "When a reader stops"), then: npx vv readers resume usage ${METERING_CONSUMER} --topic ${USAGE_TOPIC} --partition ${partition}`;
  if (kind === 'failing') return `look for ${USAGE_TOPIC}/${partition} in the log of usage`;
  return 'npx vv dlq list usage, then npx vv dlq retry usage <id>, or discard with a reason';
};
const textOf = ({ partition, kind, records, cause }: StuckPartition): string =>
  `${USAGE_TOPIC}/${partition} ${kind === 'stopped' ? 'is stopped' : kind === 'failing' ? 'fails at its next record' : `has ${records} ${kind} records`} (${cause})`;

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
  const gauge = service.metrics.gauge({ subsystem: 'usage', what: 'stuck_partitions', labels: ['kind'], help: 'Partitions of usage.events with usage that metering does not count, whose statements wait: stopped, failing at the next record, or with parked or rejected records' });
  service.metrics.beforeScrape(async () => {
    const stuck = await read(service);
    for (const kind of STUCK_KINDS) gauge.set({ kind }, stuck.filter((one) => one.kind === kind).length);
  });
};
