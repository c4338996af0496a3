import { bigintArray, textArray, type Tx } from '@valueverse/event-log';
import { bucketOf } from './domain/bucket';
import type { Fold } from './domain/aggregations';
import type { SeriesDelta } from './domain/deltas';
import type { Tally } from './domain/tally';
import type { Occurrence } from './dedupe';

/** How a row of a bucket grows, as the database knows it. */
export const FOLD_CODES: Readonly<Record<Fold, number>> = { add: 0, least: 1, greatest: 2, latest: 3, distinct: 4 };

interface Cell { readonly series: number; readonly bucket: number; readonly tenant: string; readonly tally: Tally }

/** Adds to the buckets of series, those that have a number, making buckets that are not there. Sums are exact; the text of one depends on its value alone. */
export const growBuckets = async (tx: Tx, deltas: readonly SeriesDelta[]): Promise<void> => {
  const cells: Cell[] = [];
  for (const { tenant, number: series, cells: own } of deltas) {
    if (series !== undefined) for (const [bucket, tally] of own) cells.push({ series, bucket, tenant, tally });
  }
  if (cells.length === 0) return;
  // In the order of the key: neighbours in the index are written together.
  cells.sort((left, right) => left.series - right.series || left.bucket - right.bucket);
  const columns = cells.map(({ tally }) => tally.columns);
  const isPlain = columns.every(({ moment, at }) => moment === null && at === null);
  await tx.query(
    `INSERT INTO usage_buckets AS b (series, bucket, events, at, fold, tenant, total, moment, tie)
     SELECT series, bucket, events, at, fold, tenant, total::numeric, moment::numeric, tie
     FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::smallint[], $5::text[], $6::text[], $7::bigint[], $8::text[], $9::text[]) g(series, bucket, events, fold, tenant, total, at, moment, tie)
     ON CONFLICT (series, bucket) DO UPDATE SET events = b.events + excluded.events,
       total = CASE b.fold WHEN 0 THEN trim_scale(b.total + excluded.total) WHEN 1 THEN least(b.total, excluded.total) WHEN 2 THEN greatest(b.total, excluded.total)
         WHEN 3 THEN CASE WHEN (excluded.at, excluded.tie, excluded.total) > (b.at, b.tie, b.total) THEN excluded.total ELSE b.total END ELSE 0 END,
       moment = trim_scale(b.moment + excluded.moment),
       tie = CASE WHEN (excluded.at, excluded.tie) > (b.at, b.tie) THEN excluded.tie ELSE b.tie END, at = greatest(b.at, excluded.at)`,
    [bigintArray(cells.map(({ series }) => series)), bigintArray(cells.map(({ bucket }) => bucket)), bigintArray(columns.map(({ events }) => events)), cells.map(({ tally }) => FOLD_CODES[tally.fold]),
      textArray(cells.map(({ tenant }) => tenant)), textArray(columns.map(({ total }) => total)), isPlain ? null : columns.map(({ at }) => at), isPlain ? null : columns.map(({ moment }) => moment), isPlain ? null : columns.map(({ tie }) => tie)]);
  await growValues(tx, cells.filter(({ tally }) => tally.fold === 'distinct'));
};

/** Each different value of a bucket, and how many events have it: only so can one be taken back. */
const growValues = async (tx: Tx, cells: readonly Cell[]): Promise<void> => {
  const rows = cells.flatMap(({ series, bucket, tenant, tally }) => [...tally.values].map(([value, events]) => ({ series, bucket, tenant, value, events })));
  if (rows.length === 0) return;
  await tx.query(
    `INSERT INTO usage_bucket_values AS v (series, bucket, value, events, tenant)
     SELECT series, bucket, decode(value, 'hex'), events, tenant FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::bigint[], $5::text[]) g(series, bucket, value, events, tenant)
     ON CONFLICT (series, bucket, value) DO UPDATE SET events = v.events + excluded.events`,
    [bigintArray(rows.map(({ series }) => series)), bigintArray(rows.map(({ bucket }) => bucket)), textArray(rows.map(({ value }) => value)), bigintArray(rows.map(({ events }) => events)), textArray(rows.map(({ tenant }) => tenant))]);
};

/** Notes which envelopes hold counted events of a subject's quarter of an hour, whatever meters look at them. */
export const indexEnvelopes = async (tx: Tx, counted: readonly Occurrence[]): Promise<void> => {
  const list: Occurrence[] = [];
  // A subject has one partition, so the position says which envelope; the events of one come one after the other.
  let [partition, position] = [-1, -1];
  let noted = new Map<string, number[]>();
  for (const occurrence of counted) {
    if (occurrence.position !== position || occurrence.partition !== partition) {
      ({ partition, position } = occurrence);
      noted = new Map();
    }
    const bucket = bucketOf(occurrence.micros);
    const buckets = noted.get(occurrence.event.subject);
    if (buckets?.includes(bucket) === true) continue;
    if (buckets === undefined) noted.set(occurrence.event.subject, [bucket]);
    else buckets.push(bucket);
    list.push(occurrence);
  }
  if (list.length === 0) return;
  await tx.query(
    `INSERT INTO usage_bucket_envelopes (tenant, subject, bucket, partition, position)
     SELECT tenant, subject, bucket, partition, position FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[]) g(tenant, subject, bucket, position, partition)`,
    [textArray(list.map(({ tenant }) => tenant)), textArray(list.map(({ event }) => event.subject)), bigintArray(list.map(({ micros }) => bucketOf(micros))), bigintArray(list.map(({ position }) => position)),
      bigintArray(list.map(({ partition }) => partition))]);
};
