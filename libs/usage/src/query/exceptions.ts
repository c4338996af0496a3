import { instantFromMicros } from '@valueverse/kernel';
import type { Tx } from '@valueverse/event-log';
import type { UsageEvent } from '../ingest/domain/usage-event';
import { envelopeIn, type KeptBody } from '../metering/body';
import type { ExceptionCode } from '../metering/exceptions';

/** A place in metering's copy: partition, position of the envelope, place of the event in it. */
export interface CopyPlace { readonly partition: number; readonly position: string; readonly index: number }
export interface ListedException {
  readonly code: ExceptionCode;
  /** The meter for which it was excluded; null where it is about every meter. */
  readonly meterKey: string | null;
  readonly subject: string;
  readonly source: string;
  readonly id: string;
  readonly time: string;
  readonly recordedAt: string;
  readonly place: CopyPlace;
  /** What was there before; null for an excluded one. */
  readonly first: CopyPlace | null;
  /** The event as it is kept; null once retention has dropped it. */
  readonly event: UsageEvent | null;
}
export interface ExceptionFilter { readonly code?: ExceptionCode | undefined; readonly subject?: string | undefined; readonly meterKey?: string | undefined }

interface Row extends KeptBody {
  code: ExceptionCode; meter: string; subject: string; source: string; id: string; occurred_at: bigint; log_time: bigint; partition: number; position: bigint; nth: number;
  first_partition: number | null; first_position: bigint | null; first_nth: number | null;
}
/** What the list is ordered by, as texts. */
export type ExceptionPosition = readonly [logTime: string, partition: string, position: string, nth: string, code: string, meter: string];

const FIRST: ExceptionPosition = [String(2n ** 63n - 1n), '0', '0', '0', '', ''];

const listed = (row: Row): ListedException => ({
  code: row.code, meterKey: row.meter === '' ? null : row.meter, subject: row.subject, source: row.source, id: row.id,
  time: instantFromMicros(row.occurred_at), recordedAt: instantFromMicros(row.log_time), place: { partition: row.partition, position: String(row.position), index: row.nth },
  first: row.first_partition === null ? null : { partition: row.first_partition, position: String(row.first_position), index: row.first_nth! },
  event: envelopeIn(row)?.events[row.nth] ?? null,
});

/** Duplicates, conflicts, reused ids and excluded events of a tenant, the newest first, at most `limit`. */
export const exceptionsAfter = async (tx: Tx, tenant: string, filter: ExceptionFilter, after: ExceptionPosition | undefined, limit: number): Promise<{ position: ExceptionPosition; exception: ListedException }[]> => {
  const { rows } = await tx.query<Row>(
    `SELECT x.code, x.meter, x.subject, x.source, x.id, x.occurred_at, x.log_time, x.partition, x.position, x.nth, x.first_partition, x.first_position, x.first_nth, e.body, e.packed
     FROM (SELECT * FROM usage_exceptions x WHERE x.tenant = $1 AND ($2::text IS NULL OR x.code = $2) AND ($3::text IS NULL OR x.subject = $3) AND ($4::text IS NULL OR x.meter = $4)
       AND (x.log_time, x.partition, x.position, x.nth, x.code, x.meter) < ($5::bigint, $6::int, $7::bigint, $8::int, $9::text, $10::text)
       ORDER BY x.log_time DESC, x.partition DESC, x.position DESC, x.nth DESC, x.code DESC, x.meter DESC LIMIT $11) x
     LEFT JOIN usage_envelopes e ON e.tenant = $1 AND e.partition = x.partition AND e.position = x.position
     ORDER BY x.log_time DESC, x.partition DESC, x.position DESC, x.nth DESC, x.code DESC, x.meter DESC`,
    [tenant, filter.code ?? null, filter.subject ?? null, filter.meterKey ?? null, ...(after ?? FIRST), limit]);
  return rows.map((row) => ({ position: [row.log_time, row.partition, row.position, row.nth, row.code, row.meter].map(String) as unknown as ExceptionPosition, exception: listed(row) }));
};
