import { partitionOf } from '@valueverse/kernel';
import { USAGE_PARTITIONS } from '@valueverse/contracts';
import type { Tx } from '@valueverse/event-log';
import type { UsageEvent } from '../ingest/domain/usage-event';
import { envelopeIn, type KeptBody } from '../metering/body';
import { keyOf, uuidOfKey } from '../metering/key-bytes';

/** An event as it counts now, or that it was taken back, or that retention has dropped it. */
export interface StandingEvent { readonly event: UsageEvent | undefined; readonly voided: boolean }

/** The event of a subject, source and id that stands; undefined where the window holds none. Needs the worker's role: keys belong to no tenant. */
export const standingEvent = async (tx: Tx, tenant: string, name: Pick<UsageEvent, 'subject' | 'source' | 'id'>): Promise<StandingEvent | undefined> => {
  const partition = partitionOf(tenant, name.subject, USAGE_PARTITIONS);
  const { rows } = await tx.query<KeptBody & { nth: number; voided: boolean | null }>(
    `SELECT k.nth, e.body, e.packed, s.voided FROM usage_keys k
     JOIN usage_envelopes e ON e.tenant = $2 AND e.partition = k.partition AND e.position = k.position
     LEFT JOIN usage_superseded s ON s.tenant = $2 AND s.partition = k.partition AND s.position = k.position AND s.nth = k.nth
     WHERE k.key = $1::uuid AND k.partition = $3 ORDER BY k.position DESC LIMIT 1`, [uuidOfKey(keyOf(tenant, name)), tenant, partition]);
  const [row] = rows;
  if (row === undefined) return undefined;
  return { event: envelopeIn(row)?.events[row.nth], voided: row.voided === true };
};

/** What became of a correction; undefined while metering has not come to it. */
export const correctionOf = async (tx: Tx, tenant: string, correction: string): Promise<{ position: string; refused: string | null } | undefined> => {
  const { rows } = await tx.query<{ partition: number; position: bigint; refused: string | null }>(
    'SELECT partition, position, refused FROM usage_corrections WHERE tenant = $1 AND correction = $2', [tenant, correction]);
  const [row] = rows;
  return row === undefined ? undefined : { position: `${row.partition}/${row.position}`, refused: row.refused };
};
