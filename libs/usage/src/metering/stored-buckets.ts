import { bigintArray, type Tx } from '@valueverse/event-log';
import type { Fold } from './domain/aggregations';
import { runsOfWindows, type Stretch } from './domain/bucket';
import type { TallyColumns } from './domain/tally';

/** What a stretch of a series adds up to. `bucket` is 0 unless the buckets are wanted one by one. */
export interface StoredCell { readonly place: number; readonly bucket: number; readonly columns: TallyColumns; readonly values: readonly string[] }
/** A stretch of whole buckets of one series, half-open; `place` is the caller's name for where it belongs. */
export interface SeriesStretch { readonly series: number; readonly from: number; readonly to: number; readonly place: number }

// `OFFSET 0` in what follows has the database read one stretch after the other by the key of the buckets: from a poor estimate it would rather read all buckets that there are.

/** How rows of buckets become one. */
const TOTAL_SQL: Readonly<Record<Fold, string>> = {
  add: 'sum(b.total)', least: 'min(b.total)', greatest: 'max(b.total)', distinct: '0', latest: '(array_agg(b.total ORDER BY b.at DESC, b.tie DESC, b.total DESC))[1]',
};
const TIE_SQL: Readonly<Record<Fold, string>> = { add: 'NULL', least: 'NULL', greatest: 'NULL', distinct: 'NULL', latest: '(array_agg(b.tie ORDER BY b.at DESC, b.tie DESC))[1]' };

interface Row { place: bigint; bucket: bigint; events: bigint; total: string; moment: string | null; at: bigint | null; tie: string | null }

const cellsOf = (rows: readonly Row[], values: readonly { place: bigint; bucket: bigint; values: string[] }[]): StoredCell[] => {
  const byCell = new Map(values.map((row) => [`${row.place} ${row.bucket}`, row.values]));
  return rows.map(({ place, bucket, events, total, moment, at, tie }) => ({
    place: Number(place), bucket: Number(bucket), columns: { events: Number(events), total, moment, at: at === null ? null : Number(at), tie }, values: byCell.get(`${place} ${bucket}`) ?? [],
  }));
};

const columnsOf = (stretches: readonly SeriesStretch[]): Buffer[] =>
  [bigintArray(stretches.map(({ series }) => series)), bigintArray(stretches.map(({ from }) => from)), bigintArray(stretches.map(({ to }) => to)), bigintArray(stretches.map(({ place }) => place))];

/** The buckets of stretches one by one, as they are stored. */
export const readCells = async (tx: Tx, fold: Fold, stretches: readonly SeriesStretch[]): Promise<StoredCell[]> => {
  if (stretches.length === 0) return [];
  const columns = columnsOf(stretches);
  const { rows } = await tx.query<Row>(
    `SELECT g.place, b.bucket, b.events, b.total::text, b.moment::text, b.at, b.tie FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[]) g(series, first, until, place)
     JOIN LATERAL (SELECT * FROM usage_buckets b WHERE b.series = g.series AND b.bucket >= g.first AND b.bucket < g.until OFFSET 0) b ON true`, columns);
  if (fold !== 'distinct') return cellsOf(rows, []);
  const values = await tx.query<{ place: bigint; bucket: bigint; values: string[] }>(
    `SELECT g.place, v.bucket, array_agg(encode(v.value, 'hex')) AS values FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[]) g(series, first, until, place)
     JOIN LATERAL (SELECT * FROM usage_bucket_values v WHERE v.series = g.series AND v.bucket >= g.first AND v.bucket < g.until OFFSET 0) v ON true GROUP BY 1, 2`, columns);
  return cellsOf(rows, values.rows);
};

/** Adds up stretches of whole buckets, per place. */
export const readStretches = async (tx: Tx, fold: Fold, stretches: readonly SeriesStretch[]): Promise<StoredCell[]> => {
  if (stretches.length === 0) return [];
  const columns = columnsOf(stretches);
  const { rows } = await tx.query<Row>(
    `SELECT g.place, 0::bigint AS bucket, sum(b.events)::bigint AS events, ${TOTAL_SQL[fold]}::text AS total, sum(b.moment)::text AS moment, max(b.at) AS at, ${TIE_SQL[fold]} AS tie
     FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[]) g(series, first, until, place)
     JOIN LATERAL (SELECT * FROM usage_buckets b WHERE b.series = g.series AND b.bucket >= g.first AND b.bucket < g.until OFFSET 0) b ON true GROUP BY 1`, columns);
  if (fold !== 'distinct') return cellsOf(rows, []);
  const values = await tx.query<{ place: bigint; bucket: bigint; values: string[] }>(
    `SELECT g.place, 0::bigint AS bucket, array_agg(DISTINCT encode(v.value, 'hex')) AS values FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[]) g(series, first, until, place)
     JOIN LATERAL (SELECT * FROM usage_bucket_values v WHERE v.series = g.series AND v.bucket >= g.first AND v.bucket < g.until OFFSET 0) v ON true GROUP BY 1`, columns);
  return cellsOf(rows, values.rows);
};

/** Adds up many series in windows of whole buckets that are in order and do not overlap. The place is `row x windows + window`, where `row` is the caller's name for a series. */
export const readWindows = async (tx: Tx, fold: Fold, series: readonly { readonly series: number; readonly row: number }[], windows: readonly Stretch[], byBucket: boolean): Promise<StoredCell[]> => {
  if (series.length === 0 || windows.length === 0) return [];
  const runs = runsOfWindows(windows);
  const columns = [bigintArray(series.map((one) => one.series)), bigintArray(series.map(({ row }) => row)), bigintArray(runs.map(({ from }) => from)), bigintArray(runs.map(({ from, every, length, count }) => from + (count - 1) * every + length)),
    bigintArray(runs.map(({ every }) => every)), bigintArray(runs.map(({ length }) => length)), bigintArray(runs.map(({ first }) => first)), windows.length, byBucket];
  const { rows } = await tx.query<Row>(
    `SELECT ${PLACE_SQL} AS place, CASE WHEN $9 THEN b.bucket ELSE 0 END AS bucket, sum(b.events)::bigint AS events, ${TOTAL_SQL[fold]}::text AS total, sum(b.moment)::text AS moment, max(b.at) AS at, ${TIE_SQL[fold]} AS tie
     FROM ${RUNS_SQL} JOIN LATERAL (SELECT * FROM usage_buckets b WHERE b.series = g.series AND b.bucket >= w.from_bucket AND b.bucket < w.until OFFSET 0) b ON (b.bucket - w.from_bucket) % w.every < w.length GROUP BY 1, 2`, columns);
  if (fold !== 'distinct') return cellsOf(rows, []);
  const values = await tx.query<{ place: bigint; bucket: bigint; values: string[] }>(
    `SELECT ${PLACE_SQL} AS place, CASE WHEN $9 THEN b.bucket ELSE 0 END AS bucket, array_agg(DISTINCT encode(b.value, 'hex')) AS values
     FROM ${RUNS_SQL} JOIN LATERAL (SELECT * FROM usage_bucket_values v WHERE v.series = g.series AND v.bucket >= w.from_bucket AND v.bucket < w.until OFFSET 0) b ON (b.bucket - w.from_bucket) % w.every < w.length GROUP BY 1, 2`, columns);
  return cellsOf(rows, values.rows);
};
const RUNS_SQL = 'unnest($1::bigint[], $2::bigint[]) g(series, row) CROSS JOIN unnest($3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[]) w(from_bucket, until, every, length, first)';
const PLACE_SQL = 'g.row * $8 + w.first + (b.bucket - w.from_bucket) / w.every';
