import { ident, type Tx } from '@valueverse/event-log';
import { columnsOf, type ComparedMeter } from './compared-meters';
import type { Schemas } from './shadow-tables';

/** Processes remember keys in filters that only ever grow, and the copy is what all else is made from: neither is put in place. */
const NOT_SWAPPED: ReadonlySet<string> = new Set(['usage_keys', 'usage_envelopes']);

const COLUMNS_SQL = { usage_buckets: 'bucket, events, at, fold, tenant, total, moment, tie', usage_bucket_values: 'bucket, value, events, tenant' } as const;
const SELECTED_SQL = { usage_buckets: 'b.bucket, b.events, b.at, b.fold, b.tenant, b.total, b.moment, b.tie', usage_bucket_values: 'b.bucket, b.value, b.events, b.tenant' } as const;

/** Series keep their numbers: what processes remember of them stays true. */
const swapBuckets = async (tx: Tx, { live, shadow }: Schemas, table: 'usage_buckets' | 'usage_bucket_values', partition: number, meters: readonly ComparedMeter[]): Promise<void> => {
  await tx.query(
    `DELETE FROM ${ident(live)}.${ident(table)} b USING ${ident(live)}.usage_series n JOIN unnest($2::text[], $3::text[]) i(tenant, meter) ON i.tenant = n.tenant AND i.meter = n.meter WHERE b.series = n.series AND n.partition = $1`,
    [partition, ...columnsOf(meters)]);
  await tx.query(
    `INSERT INTO ${ident(live)}.usage_series (key, tenant, meter, version, partition, subject, groups) SELECT n.key, n.tenant, n.meter, n.version, n.partition, n.subject, n.groups
     FROM ${ident(shadow)}.usage_series n JOIN unnest($2::text[], $3::text[]) i(tenant, meter) ON i.tenant = n.tenant AND i.meter = n.meter WHERE n.partition = $1 ON CONFLICT (key) DO NOTHING`, [partition, ...columnsOf(meters)]);
  await tx.query(
    `INSERT INTO ${ident(live)}.${ident(table)} (series, ${COLUMNS_SQL[table]}) SELECT l.series, ${SELECTED_SQL[table]} FROM ${ident(shadow)}.${ident(table)} b JOIN ${ident(shadow)}.usage_series n USING (series)
     JOIN ${ident(live)}.usage_series l ON l.key = n.key JOIN unnest($2::text[], $3::text[]) i(tenant, meter) ON i.tenant = n.tenant AND i.meter = n.meter WHERE n.partition = $1`, [partition, ...columnsOf(meters)]);
};

const EXCEPTIONS_SQL = `partition = $1 AND code <> 'id_reused' AND (meter = '' OR (tenant, meter) IN (SELECT * FROM unnest($2::text[], $3::text[])))`;

/** Puts what was built of a partition in the place of what is live, where it differs. Throws where what differs cannot be put right so. The caller holds the live partition. */
export const swap = async (tx: Tx, schemas: Schemas, partition: number, meters: readonly ComparedMeter[], different: readonly string[]): Promise<void> => {
  const stuck = different.find((table) => NOT_SWAPPED.has(table));
  if (stuck !== undefined) throw new Error(`${stuck} of partition ${partition} is not what follows from the envelopes, and is left as it is: restore it from a backup (docs/ARCHITECTURE.md)`);
  const { live, shadow } = schemas;
  for (const table of different) {
    if (table === 'usage_buckets' || table === 'usage_bucket_values') { await swapBuckets(tx, schemas, table, partition, meters); continue; }
    if (table === 'usage_exceptions') {
      await tx.query(`DELETE FROM ${ident(live)}.usage_exceptions WHERE ${EXCEPTIONS_SQL}`, [partition, ...columnsOf(meters)]);
      await tx.query(`INSERT INTO ${ident(live)}.usage_exceptions SELECT * FROM ${ident(shadow)}.usage_exceptions WHERE ${EXCEPTIONS_SQL} ON CONFLICT DO NOTHING`, [partition, ...columnsOf(meters)]);
      continue;
    }
    await tx.query(`DELETE FROM ${ident(live)}.${ident(table)} WHERE partition = $1`, [partition]);
    await tx.query(`INSERT INTO ${ident(live)}.${ident(table)} SELECT * FROM ${ident(shadow)}.${ident(table)} WHERE partition = $1`, [partition]);
  }
};
