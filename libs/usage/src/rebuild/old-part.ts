import { microsNumberOfText } from '@valueverse/kernel';
import { ident, type Tx } from '@valueverse/event-log';
import { type KeptBody, provenEnvelope } from '../metering/body';
import { indexEnvelopes } from '../metering/buckets';
import { countInto } from '../metering/count';
import type { Occurrence } from '../metering/dedupe';
import { keyOf, uuidOfKey } from '../metering/key-bytes';
import { listExceptions } from '../metering/exceptions';
import { SeriesIndex } from '../metering/series';
import { RETENTION_DAYS_MIN } from '../retention/domain/retention';
import { type ComparedMeter, rulesByTenant } from './compared-meters';
import { addSeals } from './sealed-buckets';
import { inShadow, type Schemas } from './shadow-tables';

const DAY_MICROS = 86_400_000_000;
const ENVELOPES_PER_PAGE = 200;

interface Old { readonly partition: number; readonly upTo: number }

/**
 * The part of a partition in which what came may have been decided by envelopes that are gone: as far as the window of duplicates reaches from the last of them. Whether its events count is taken from their
 * headers and what was noted then; what they count for is made anew, from the seals and the envelopes that are left. Answers where it ends: 0 where nothing was dropped. Needs one snapshot.
 */
export const beginOld = async (tx: Tx, schemas: Schemas, partition: number, meters: readonly ComparedMeter[]): Promise<number> => {
  const { rows: [end] } = await tx.query<{ position: bigint; link: Buffer; log_time: bigint }>(
    `SELECT position, link, log_time FROM ${ident(schemas.live)}.usage_envelopes WHERE partition = $1
       AND log_time <= (SELECT max(dropped_until) FROM ${ident(schemas.live)}.usage_retention_progress WHERE partition = $1) + $2 ORDER BY position DESC LIMIT 1`, [partition, RETENTION_DAYS_MIN * DAY_MICROS]);
  if (end === undefined) return 0;
  const old: Old = { partition, upTo: Number(end.position) };
  await copyDecisions(tx, schemas, old);
  await copyKeys(tx, schemas, old);
  await inShadow(tx, schemas, () => addSeals(tx, schemas, partition, meters));
  await countLeft(tx, schemas, old, meters);
  await tx.query(`UPDATE ${ident(schemas.shadow)}.usage_partitions SET position = $2, link = $3, log_time = $4 WHERE partition = $1`, [partition, end.position, end.link, end.log_time]);
  return old.upTo;
};

/** What was decided of these envelopes, and by them; of those that are gone also what their events were left out of, and in which quarters of an hour they were. */
const copyDecisions = async (tx: Tx, schemas: Schemas, { partition, upTo }: Old): Promise<void> => {
  await tx.query(`INSERT INTO ${ident(schemas.shadow)}.usage_envelopes SELECT * FROM ${ident(schemas.live)}.usage_envelopes WHERE partition = $1 AND position <= $2`, [partition, upTo]);
  await tx.query(`INSERT INTO ${ident(schemas.shadow)}.usage_superseded SELECT * FROM ${ident(schemas.live)}.usage_superseded WHERE partition = $1 AND by_position <= $2`, [partition, upTo]);
  await tx.query(`INSERT INTO ${ident(schemas.shadow)}.usage_corrections SELECT * FROM ${ident(schemas.live)}.usage_corrections WHERE partition = $1 AND position <= $2`, [partition, upTo]);
  await tx.query(`INSERT INTO ${ident(schemas.shadow)}.usage_exceptions SELECT * FROM ${ident(schemas.live)}.usage_exceptions x WHERE x.partition = $1 AND x.position <= $2 AND (x.meter = '' OR (x.partition, x.position) IN (SELECT e.partition, e.position FROM ${ident(schemas.live)}.usage_envelopes e WHERE e.partition = $1 AND e.body IS NULL))`, [partition, upTo]);
  await tx.query(`INSERT INTO ${ident(schemas.shadow)}.usage_bucket_envelopes SELECT * FROM ${ident(schemas.live)}.usage_bucket_envelopes x WHERE x.partition = $1 AND x.position <= $2 AND (x.partition, x.position) IN (SELECT e.partition, e.position FROM ${ident(schemas.live)}.usage_envelopes e WHERE e.partition = $1 AND e.body IS NULL)`, [partition, upTo]);
};

/** Keys as they were there: one of an event that is amended later points to what came in its place by now. */
const copyKeys = async (tx: Tx, schemas: Schemas, { partition, upTo }: Old): Promise<void> => {
  await tx.query(`INSERT INTO ${ident(schemas.shadow)}.usage_key_days SELECT * FROM ${ident(schemas.live)}.usage_key_days`);
  await tx.query(`INSERT INTO ${ident(schemas.shadow)}.usage_keys SELECT * FROM ${ident(schemas.live)}.usage_keys WHERE partition = $1 AND position <= $2`, [partition, upTo]);
  const { rows } = await tx.query<{ tenant: string; subject: string; source: string; id: string; position: bigint; nth: number }>(
    `SELECT tenant, subject, source, id, replaced_position AS position, replaced_nth AS nth FROM ${ident(schemas.live)}.usage_corrections
     WHERE partition = $1 AND kind = 'amend' AND position > $2 AND replaced_position <= $2 ORDER BY position`, [partition, upTo]);
  for (const { tenant, position, nth, ...name } of rows) {
    await tx.query(
      `INSERT INTO ${ident(schemas.shadow)}.usage_keys (slot, partition, nth, key, content, position) SELECT slot, partition, $3, key, content, $4 FROM ${ident(schemas.live)}.usage_keys WHERE partition = $1 AND key = $2::uuid ON CONFLICT DO NOTHING`,
      [partition, uuidOfKey(keyOf(tenant, name)), nth, position]);
  }
};

interface Row extends KeptBody { body_hash: Buffer; tenant: string; position: bigint; log_time: bigint; not_counted: number[] }

const occurrencesOf = (partition: number, { tenant, position, log_time: logTime, not_counted: notCounted, ...kept }: Row): Occurrence[] => provenEnvelope(kept, partition, position)!.events
  .map((event, nth) => ({ tenant, event, micros: microsNumberOfText(event.time), partition, position: Number(position), nth, logTime: Number(logTime) })).filter(({ nth }) => !notCounted.includes(nth));

/** Counts what is left of these envelopes, but for events that were taken back or replaced by then. */
const countLeft = async (tx: Tx, schemas: Schemas, { partition, upTo }: Old, meters: readonly ComparedMeter[]): Promise<void> => {
  const [rules, index] = [rulesByTenant(meters), new SeriesIndex()];
  for (let after = 0; ;) {
    const { rows } = await tx.query<Row & Record<string, unknown>>(
      `SELECT tenant, position, log_time, body, packed, body_hash, not_counted FROM ${ident(schemas.live)}.usage_envelopes WHERE partition = $1 AND position > $2 AND position <= $3 AND body IS NOT NULL ORDER BY position LIMIT $4`,
      [partition, after, upTo, ENVELOPES_PER_PAGE]);
    if (rows.length === 0) return;
    const superseded = await tx.query<{ position: bigint; nth: number }>(
      `SELECT position, nth FROM ${ident(schemas.live)}.usage_superseded WHERE partition = $1 AND by_position <= $2 AND position = ANY($3)`, [partition, upTo, rows.map(({ position }) => position)]);
    const over = new Set(superseded.rows.map(({ position, nth }) => `${position} ${nth}`));
    const indexed = rows.flatMap((row) => occurrencesOf(partition, row));
    await inShadow(tx, schemas, async () => {
      await indexEnvelopes(tx, indexed);
      await listExceptions(tx, await countInto(tx, index, [{ partition, occurrences: indexed.filter(({ position, nth }) => !over.has(`${position} ${nth}`)), rules }]));
    });
    after = Number(rows.at(-1)!.position);
  }
};
