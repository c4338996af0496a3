import { derivedId, type Message } from '@valueverse/kernel';
import { USAGE_PARTITIONS, type MeterCreated, type MeterVersionAdded } from '@valueverse/contracts';
import type { Database, Fact, NewJob, Reaction, Reactor, Tx } from '@valueverse/event-log';
import type { JobHandler } from '@valueverse/platform';
import { type KeptBody, provenEnvelope } from './body';
import { countInto } from './count';
import { lockHeads, type PlacedEnvelope } from './copy';
import { type Meter as MeterRow, type MeterRule, rulesOf } from './domain/measure';
import { listExceptions } from './exceptions';
import { noteBegun } from '../retention/missed';
import { occurrencesIn } from './metering.projector';
import { SeriesIndex } from './series';

export const BACKFILL_JOB = 'usage.backfill-meter';
export interface BackfillPayload { readonly meterKey: string; readonly version: number }

const ENVELOPES_PER_CHUNK = 100;

/** A new meter, or version of one, begins before the first envelope of each partition; a job then counts what is there already. */
const begin = async ({ meterKey, version }: BackfillPayload, { tenant, at }: Fact, tx: Tx): Promise<Reaction> => {
  await tx.query(
    `INSERT INTO usage_meter_progress (tenant, meter, version, partition, position)
     SELECT $1, $2, $3, p, 0 FROM generate_series(0, $4::int - 1) p ON CONFLICT DO NOTHING`, [tenant, meterKey, version, USAGE_PARTITIONS]);
  const payload: BackfillPayload = { meterKey, version };
  const job: NewJob = { id: derivedId('job', BACKFILL_JOB, tenant, meterKey, String(version)), kind: BACKFILL_JOB, tenant, dueAt: at, payload };
  return { jobs: [job] };
};
export const meterBackfill: Reactor = {
  kind: 'reactor', name: 'meter-backfill', topics: ['usage.meters'],
  on: {
    MeterCreated: (event: MeterCreated & Message, fact, tx) => begin(event, fact, tx),
    MeterVersionAdded: (event: MeterVersionAdded & Message, fact, tx) => begin(event, fact, tx),
  },
};

interface Meter extends BackfillPayload { readonly tenant: string }

/** Where the tenant has nothing, there is nothing to count: the meter follows the head at once. All heads are held for that moment, in order. */
const followEmptyPartitions = async (tx: Tx, { tenant, meterKey, version }: Meter): Promise<number[]> => {
  await tx.query('SELECT FROM usage_partitions ORDER BY partition FOR UPDATE');
  await tx.query(
    `UPDATE usage_meter_progress p SET position = NULL WHERE p.tenant = $1 AND p.meter = $2 AND p.version = $3 AND p.position IS NOT NULL
     AND NOT EXISTS (SELECT FROM usage_envelopes e WHERE e.tenant = $1 AND e.partition = p.partition AND e.position > p.position)`, [tenant, meterKey, version]);
  const { rows } = await tx.query<{ partition: number }>(
    'SELECT partition FROM usage_meter_progress WHERE tenant = $1 AND meter = $2 AND version = $3 AND position IS NOT NULL ORDER BY partition', [tenant, meterKey, version]);
  return rows.map(({ partition }) => partition);
};

/** What earlier versions have counted of the time that is this one's now. They count no more of it: the rule that says so is read under the partition's lock. */
const takeOver = async (tx: Tx, { tenant, meterKey, version }: Meter, partition: number, { from, until }: MeterRule): Promise<void> => {
  const series = `SELECT series FROM usage_series WHERE tenant = $1 AND meter = $2 AND version < $3 AND partition = $4`;
  await tx.query(`DELETE FROM usage_buckets WHERE series IN (${series}) AND bucket >= $5`, [tenant, meterKey, version, partition, from]);
  await tx.query(`DELETE FROM usage_bucket_values WHERE series IN (${series}) AND bucket >= $5`, [tenant, meterKey, version, partition, from]);
  await tx.query(`DELETE FROM usage_exceptions WHERE tenant = $1 AND meter = $2 AND partition = $3 AND occurred_at >= $4 AND ($5::bigint IS NULL OR occurred_at < $5)`,
    [tenant, meterKey, partition, from, Number.isFinite(until) ? until : null]);
};

/** Counts the next envelopes of a partition for a meter. Answers whether the meter follows the head from now on. */
const countChunk = async (tx: Tx, { tenant, meterKey, version }: Meter, partition: number): Promise<boolean> => {
  await lockHeads(tx, [partition]);
  const progress = await tx.query<{ position: bigint | null; row: MeterRow }>(
    `SELECT p.position, m.row FROM usage_meter_progress p JOIN meters m ON m.tenant = p.tenant AND m.key = p.meter
     WHERE p.tenant = $1 AND p.meter = $2 AND p.version = $3 AND p.partition = $4`, [tenant, meterKey, version, partition]);
  const [found] = progress.rows;
  const rule = found === undefined ? undefined : rulesOf(found.row).find((one) => one.version === version);
  if (found === undefined || found.position === null || rule === undefined) return true;
  if (found.position === 0n) await noteBegun(tx, { tenant, meterKey, version }, partition);
  if (found.position === 0n && version > 1) await takeOver(tx, { tenant, meterKey, version }, partition, rule);
  const { rows } = await tx.query<KeptBody & { body_hash: Buffer; position: bigint; log_time: bigint; not_counted: number[] }>(
    `SELECT position, log_time, body, packed, body_hash, not_counted FROM usage_envelopes
     WHERE tenant = $1 AND partition = $2 AND position > $3 AND body IS NOT NULL ORDER BY position LIMIT $4`, [tenant, partition, found.position, ENVELOPES_PER_CHUNK]);
  const envelopes = rows.map((row): PlacedEnvelope => ({
    envelope: provenEnvelope(row, partition, row.position)!, partition, position: Number(row.position), logTime: Number(row.log_time),
  }));
  const superseded = await tx.query<{ position: bigint; nth: number }>(
    'SELECT position, nth FROM usage_superseded WHERE tenant = $1 AND partition = $2 AND position = ANY($3)', [tenant, partition, envelopes.map(({ position }) => position)]);
  const notCounted = new Set([...rows.flatMap((row) => row.not_counted.map((nth) => `${row.position} ${nth}`)), ...superseded.rows.map(({ position, nth }) => `${position} ${nth}`)]);
  const counted = occurrencesIn(envelopes).filter(({ position, nth }) => !notCounted.has(`${position} ${nth}`));
  await listExceptions(tx, await countInto(tx, new SeriesIndex(), [{ partition, occurrences: counted, rules: new Map([[tenant, [rule]]]) }]));
  const caughtUp = rows.length < ENVELOPES_PER_CHUNK;
  await tx.query('UPDATE usage_meter_progress SET position = $5 WHERE tenant = $1 AND meter = $2 AND version = $3 AND partition = $4',
    [tenant, meterKey, version, partition, caughtUp ? null : rows.at(-1)!.position]);
  return caughtUp;
};

/**
 * Counts for a new meter what was there before it, a chunk per transaction, until the meter follows the head of every partition. Each chunk moves the
 * meter's progress, so a run that died is gone on with and nothing counts twice.
 */
export const backfillJob = (database: Database): JobHandler => ({
  kind: BACKFILL_JOB,
  run: async (job) => {
    const meter: Meter = { tenant: job.tenant, ...(job.payload as BackfillPayload) };
    const inTransaction = <T>(work: (tx: Tx) => Promise<T>): Promise<T> => database.transaction({ role: 'worker' }, work);
    const { rows } = await inTransaction((tx) => tx.query<{ row: MeterRow }>('SELECT row FROM meters WHERE tenant = $1 AND key = $2', [meter.tenant, meter.meterKey]));
    if (!rows[0]?.row.versions.some(({ version }) => version === meter.version)) return { outcome: 'wait', afterMs: 100, reason: `meter ${meter.meterKey} is not known yet` };
    for (const partition of await inTransaction((tx) => followEmptyPartitions(tx, meter))) {
      while (!(await inTransaction((tx) => countChunk(tx, meter, partition))));
    }
    return { outcome: 'done' };
  },
});
