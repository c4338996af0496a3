import { ident, type FeedRecord, type RecordProjector, type Tx } from '@valueverse/event-log';
import { bodyOf, type KeptBody } from '../metering/body';
import { inShadow, type Schemas } from './shadow-tables';

/** Envelopes that are taken in again in one transaction. */
export const ENVELOPES_PER_PAGE = 200;

/** A body was dropped that had not been read yet: the partition is begun anew. */
export class DroppedMeanwhile extends Error {}

/** Takes the next envelopes of a partition in again, as metering did when they came; answers the position up to which that is done. */
export const replayPage = async (tx: Tx, schemas: Schemas, projector: RecordProjector, partition: number, after: number): Promise<number> => {
  const { rows } = await tx.query<KeptBody & { tenant: string; position: bigint; envelope: string }>(
    `SELECT tenant, position, envelope, body, packed FROM ${ident(schemas.live)}.usage_envelopes WHERE partition = $1 AND position > $2 ORDER BY position LIMIT $3`, [partition, after, ENVELOPES_PER_PAGE]);
  if (rows.length === 0) return after;
  const records = rows.map(({ tenant, position, envelope, ...kept }): FeedRecord => {
    const body = bodyOf(kept);
    if (body === null) throw new DroppedMeanwhile(`position ${position} of partition ${partition} was dropped`);
    return { topic: 'usage.events', partition, offset: position - 1n, key: envelope, value: body, headers: { ce_tenant: tenant } };
  });
  await inShadow(tx, schemas, () => projector.project(tx, records));
  return Number(rows.at(-1)!.position);
};
