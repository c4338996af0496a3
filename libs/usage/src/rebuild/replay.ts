import { ident, type FeedRecord, type RecordProjector, type Tx } from '@valueverse/event-log';
import { bodyOf, type KeptBody } from '../metering/body';
import type { KnownLogTime } from '../metering/copy';
import { inShadow, type Schemas } from './shadow-tables';

/** Envelopes that are taken in again in one transaction. */
export const ENVELOPES_PER_PAGE = 200;

/** A body was dropped that had not been read yet: the partition is begun anew. */
export class DroppedMeanwhile extends Error {}

/** Takes envelopes in again. Their log times were decided by the clocks of the time at which they came. */
export interface Replay { readonly projector: RecordProjector; readonly logTimes: Map<string, number> }
const placeName = (partition: number, position: number): string => `${partition} ${position}`;

export const replayBy = (makeProjector: (known: KnownLogTime) => RecordProjector): Replay => {
  const logTimes = new Map<string, number>();
  return { logTimes, projector: makeProjector((partition, position) => logTimes.get(placeName(partition, position))!) };
};

/** Takes the next envelopes of a partition in again, as metering did when they came; answers the position up to which that is done. */
export const replayPage = async (tx: Tx, schemas: Schemas, { projector, logTimes }: Replay, partition: number, after: number): Promise<number> => {
  const { rows } = await tx.query<KeptBody & { tenant: string; position: bigint; envelope: string; log_time: bigint }>(
    `SELECT tenant, position, envelope, log_time, body, packed FROM ${ident(schemas.live)}.usage_envelopes WHERE partition = $1 AND position > $2 ORDER BY position LIMIT $3`, [partition, after, ENVELOPES_PER_PAGE]);
  if (rows.length === 0) return after;
  logTimes.clear();
  for (const { position, log_time: logTime } of rows) logTimes.set(placeName(partition, Number(position)), Number(logTime));
  const records = rows.map(({ tenant, position, envelope, log_time: _, ...kept }): FeedRecord => {
    const body = bodyOf(kept);
    if (body === null) throw new DroppedMeanwhile(`position ${position} of partition ${partition} was dropped`);
    return { topic: 'usage.events', partition, offset: position - 1n, key: envelope, value: body, headers: { ce_tenant: tenant } };
  });
  await inShadow(tx, schemas, () => projector.project(tx, records));
  return Number(rows.at(-1)!.position);
};
