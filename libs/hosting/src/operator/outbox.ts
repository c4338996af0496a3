import type { Service } from '@valueverse/platform';

/** What is in the store and not in the feed yet. */
export interface Outbox {
  readonly service: string;
  readonly facts: number;
  /** Of the oldest one, since it was written; null where there is none. */
  readonly oldestSeconds: number | null;
  readonly partitions: readonly { readonly partition: number; readonly published: string; readonly head: string }[];
  readonly relay: { readonly owner: string | null; readonly epoch: string; readonly leaseSeconds: number };
}

export const outboxOf = (service: Service): Promise<Outbox> => service.database.transaction({ role: 'worker', readOnly: true }, async (tx) => {
  const partitions = await tx.query<{ partition: number; published: bigint; head: bigint; recorded: string | null }>(
    `SELECT r.partition, r.position AS published, h.position AS head,
       (SELECT e.body::json->>'recordedtime' FROM events e WHERE e.partition = r.partition AND e.position > r.position ORDER BY e.position LIMIT 1) AS recorded
     FROM relay_partitions r JOIN heads h USING (partition) WHERE h.position <> r.position ORDER BY 1`);
  const age = await tx.query<{ seconds: string | null }>('SELECT extract(epoch FROM clock_timestamp() - min(r::timestamptz))::text AS seconds FROM unnest($1::text[]) r', [partitions.rows.flatMap(({ recorded }) => recorded ?? [])]);
  const lease = await tx.query<{ owner: string | null; epoch: bigint; seconds: string }>(
    `SELECT owner, epoch, CASE WHEN lease_until > clock_timestamp() THEN extract(epoch FROM lease_until - clock_timestamp()) ELSE 0 END::text AS seconds FROM relay_lease`);
  const { owner, epoch, seconds } = lease.rows[0]!;
  return {
    service: service.name, facts: Number(partitions.rows.reduce((sum, { published, head }) => sum + head - published, 0n)),
    oldestSeconds: age.rows[0]!.seconds === null ? null : Math.round(Number(age.rows[0]!.seconds)),
    partitions: partitions.rows.map(({ partition, published, head }) => ({ partition, published: String(published), head: String(head) })),
    relay: { owner, epoch: String(epoch), leaseSeconds: Math.round(Number(seconds)) },
  };
});
