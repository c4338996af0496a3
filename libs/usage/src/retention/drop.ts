import type { Tx } from '@valueverse/event-log';
import { eventsOf, listed, type EnvelopeRow, type Found, type ListedEvent } from '../events/listed-events';
import { opened } from '../metering/body';
import { lockHeads } from '../metering/copy';
import { AHEAD_MAX_MICROS } from '../metering/log-time';
import { type Meter, type MeterRule, rulesOf } from '../metering/domain/measure';
import { BUCKET_MICROS } from '../metering/domain/bucket';
import { droppedEvent } from './dropped-event';
import { endsOf } from './domain/ends';
import { holdOf, type HoldReason } from './domain/holds';
import { reachOf, statesOf } from './holds';
import { lockRetention } from './lock';
import { seal } from './seals';

/** Envelopes that are looked at in one transaction, which holds their partition: metering waits so long. */
const ENVELOPES_PER_CHUNK = 20;
const DAY_MICROS = 86_400_000_000;
/** A partition is looked through again when its log time has moved on by so much. */
export const PASS_EVERY_MICROS = 3_600_000_000;
export interface Dropped { readonly dropped: number; /** Everything that is old enough has been looked at. */ readonly isThrough: boolean }
interface Row extends EnvelopeRow { readonly body_hash: Buffer }
interface Progress { readonly pass: number; readonly cursor: number; readonly frontier: number; readonly chunks: number }
interface Chunk { readonly tenant: string; readonly partition: number; readonly cutoff: number; readonly logTime: number; readonly progress: Progress }
interface Hold { readonly reason: HoldReason; readonly subject: string }

/** Where the look through a partition stands; a new one begins where the last is over, or was made for another retention. */
const progressOf = async (tx: Tx, tenant: string, partition: number, days: number): Promise<Progress> => {
  await tx.query('INSERT INTO usage_retention_progress (tenant, partition, days, pass, cursor_at, frontier, dropped, chunks) VALUES ($1, $2, $3, 1, 0, 0, 0, 0) ON CONFLICT DO NOTHING', [tenant, partition, days]);
  const { rows: [row] } = await tx.query<{ days: number; pass: bigint; cursor_at: bigint; frontier: bigint; chunks: bigint; through_at: bigint | null }>(
    'SELECT days, pass, cursor_at, frontier, chunks, through_at FROM usage_retention_progress WHERE tenant = $1 AND partition = $2 FOR UPDATE', [tenant, partition]);
  const goesOn = row!.through_at === null && row!.days === days;
  return { pass: Number(row!.pass) + (goesOn ? 0 : 1), cursor: goesOn ? Number(row!.cursor_at) : 0, frontier: Number(row!.frontier), chunks: Number(row!.chunks) };
};

const COLUMNS = 'e.partition, e.position, e.log_time, e.envelope, e.not_counted, e.body, e.packed, e.body_hash';
/** The next envelopes to look at: first those that were held before, then those that nobody has looked at. */
const nextEnvelopes = async (tx: Tx, { tenant, partition, cutoff, progress: { cursor, frontier } }: Chunk, upTo: number): Promise<Row[]> => {
  const held = await tx.query<Row & Record<string, unknown>>(
    `SELECT ${COLUMNS} FROM usage_retention_held h JOIN usage_envelopes e ON e.tenant = h.tenant AND e.partition = h.partition AND e.position = h.position
     WHERE h.tenant = $1 AND h.partition = $2 AND h.position > $3 AND h.position <= $4 AND e.log_time < $5 ORDER BY h.position LIMIT $6`, [tenant, partition, cursor, upTo, cutoff, ENVELOPES_PER_CHUNK]);
  if (held.rows.length > 0) return held.rows;
  const fresh = await tx.query<Row & Record<string, unknown>>(
    `SELECT ${COLUMNS} FROM usage_envelopes e WHERE e.tenant = $1 AND e.partition = $2 AND e.position > $3 AND e.position <= $4 AND e.log_time < $5 AND e.body IS NOT NULL ORDER BY e.position LIMIT $6`,
    [tenant, partition, frontier, upTo, cutoff, ENVELOPES_PER_CHUNK]);
  return fresh.rows;
};

/** Whether there is something old enough that may not be looked at yet. */
const isOldBeyond = async (tx: Tx, { tenant, partition, cutoff }: Chunk, upTo: number): Promise<boolean> => (await tx.query(
  'SELECT FROM usage_envelopes WHERE tenant = $1 AND partition = $2 AND position > $3 AND log_time < $4 AND body IS NOT NULL LIMIT 1', [tenant, partition, upTo, cutoff])).rowCount === 1;

interface Decided { readonly row: Row; readonly events: readonly { readonly found: Found; readonly listed: ListedEvent }[]; readonly holds: readonly Hold[] }

/** Says of each envelope what holds it. */
const decide = async (tx: Tx, tenant: string, rows: readonly Row[], meters: readonly Meter[]): Promise<Decided[]> => {
  const altered = new Set(rows.filter((row) => !opened(row).isIntact));
  const found = eventsOf(rows.filter((row) => !altered.has(row)));
  const standing = await listed(tx, tenant, found);
  const states = await statesOf(tx, tenant, found.map(({ event, micros }) => ({ subject: event.subject, micros })));
  const lengths = new Map(meters.map((meter) => [meter.meterKey, rulesOf(meter).at(-1)!.settings.bucketMicros]));
  const all = found.map((one, nth) => ({ found: one, listed: standing[nth]! }));
  return rows.map((row) => {
    const events = all.filter((one) => one.found.row === row);
    if (altered.has(row)) return { row, events, holds: [{ reason: 'altered', subject: '' }] };
    const holds = events.flatMap(({ found: { event, micros }, listed: own }): Hold[] => {
      const reason = holdOf({ ...own, micros, position: Number(row.position) }, states.get(event.subject)!, (key) => lengths.get(key) ?? BUCKET_MICROS);
      return reason === undefined ? [] : [{ reason, subject: event.subject }];
    });
    return { row, events, holds };
  });
};

const noteHolds = async (tx: Tx, { tenant, partition, progress: { pass } }: Chunk, holds: readonly Hold[]): Promise<void> => {
  const distinct = [...new Map(holds.map((hold) => [`${hold.reason} ${hold.subject}`, hold])).values()];
  await tx.query(
    `INSERT INTO usage_retention_holds (tenant, partition, reason, subject, pass) SELECT $1, $2, reason, subject, $3 FROM unnest($4::text[], $5::text[]) g(reason, subject)
     ON CONFLICT (tenant, partition, reason, subject) DO UPDATE SET pass = excluded.pass`, [tenant, partition, pass, distinct.map(({ reason }) => reason), distinct.map(({ subject }) => subject)]);
};

/** Takes the bodies away, after it is noted where their events ended, and seals the buckets that have lost something. */
const drop = async (tx: Tx, { tenant, partition, logTime, progress: { chunks } }: Chunk, free: readonly Decided[], rules: readonly MeterRule[]): Promise<void> => {
  await tx.query(
    'UPDATE usage_envelopes e SET body = NULL, packed = NULL, dropped = g.dropped FROM unnest($3::bigint[], $4::text[]) g(position, dropped) WHERE e.tenant = $1 AND e.partition = $2 AND e.position = g.position',
    [tenant, partition, free.map(({ row }) => row.position), free.map(({ events }) => JSON.stringify(endsOf(events.map((one) => one.listed))))]);
  // Those that did not count from the first are in no bucket.
  const indexed = free.flatMap(({ row, events }) => events.filter(({ found }) => !row.not_counted.includes(found.nth)));
  await seal(tx, { tenant, partition, chunk: chunks + 1, logTime }, indexed.map((one) => droppedEvent(one.found, one.listed, rules)));
};

/**
 * Looks at the next envelopes of a tenant in a partition that are older than so many days of the partition's log time, and drops the bodies of those that nobody needs any more. What it drops, the seals of
 * what was in it, and its place are one transaction, under the lock of the partition: a process that dies in it has done nothing.
 */
export const dropChunk = async (tx: Tx, tenant: string, partition: number, days: number): Promise<Dropped> => {
  await lockRetention(tx, tenant, false);
  const [head] = await lockHeads(tx, [partition]);
  const progress = await progressOf(tx, tenant, partition, days);
  const chunk: Chunk = { tenant, partition, cutoff: Math.min(head!.logTime, head!.clock.now + AHEAD_MAX_MICROS) - days * DAY_MICROS, logTime: head!.logTime, progress };
  const meters = (await tx.query<{ row: Meter }>('SELECT row FROM meters WHERE tenant = $1', [tenant])).rows.map(({ row }) => row);
  const { upTo, reason } = await reachOf(tx, tenant, partition, meters);
  const rows = await nextEnvelopes(tx, chunk, upTo);
  const decided = await decide(tx, tenant, rows, meters);
  const [free, held] = [decided.filter(({ holds }) => holds.length === 0), decided.filter(({ holds }) => holds.length > 0)];
  if (free.length > 0) await drop(tx, chunk, free, meters.flatMap((meter) => rulesOf(meter)));
  const isThrough = rows.length === 0;
  const beyond = isThrough && reason !== undefined && await isOldBeyond(tx, chunk, upTo) ? [{ reason, subject: '' }] : [];
  await noteHolds(tx, chunk, [...held.flatMap(({ holds }) => holds), ...beyond]);
  const positions = (list: readonly Decided[]): bigint[] => list.map(({ row }) => row.position);
  await tx.query('DELETE FROM usage_retention_held WHERE tenant = $1 AND partition = $2 AND position = ANY($3)', [tenant, partition, positions(free)]);
  await tx.query('INSERT INTO usage_retention_held (tenant, partition, position) SELECT $1, $2, unnest($3::bigint[]) ON CONFLICT DO NOTHING', [tenant, partition, positions(held)]);
  if (isThrough) await tx.query('DELETE FROM usage_retention_holds WHERE tenant = $1 AND partition = $2 AND pass < $3', [tenant, partition, progress.pass]);
  await moveOn(tx, chunk, days, rows, free, isThrough);
  return { dropped: free.length, isThrough };
};

const moveOn = async (tx: Tx, { tenant, partition, logTime, progress }: Chunk, days: number, rows: readonly Row[], free: readonly Decided[], isThrough: boolean): Promise<void> => {
  const cursor = Number(rows.at(-1)?.position ?? progress.cursor);
  const times = free.flatMap(({ events }) => events.map(({ found }) => found.micros));
  await tx.query(
    `UPDATE usage_retention_progress SET days = $3, pass = $4, cursor_at = $5, frontier = greatest(frontier, $5), through_at = $6, dropped = dropped + $7, chunks = chunks + $8,
       dropped_until = greatest(dropped_until, $9), whole_from = greatest(whole_from, $10) WHERE tenant = $1 AND partition = $2`,
    [tenant, partition, days, progress.pass, cursor, isThrough ? logTime : null, free.length, free.length > 0 ? 1 : 0, free.length === 0 ? null : free.reduce((latest, { row }) => Math.max(latest, Number(row.log_time)), 0),
      times.length === 0 ? null : times.reduce((latest, micros) => Math.max(latest, micros + 1), 0)]);
};
