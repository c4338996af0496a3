import { ident, type FeedRecord, type RecordProjector, type Tx } from '@valueverse/event-log';
import { bodyOf, type KeptBody } from '../metering/body';
import type { KnownLogTime } from '../metering/copy';
import { dayOf, type LogTime } from '../metering/log-time';
import { inShadow, type Schemas } from './shadow-tables';

/** Envelopes that are taken in again in one transaction. */
export const ENVELOPES_PER_PAGE = 200;

/** A body was dropped that had not been read yet: the partition is begun anew. */
export class DroppedMeanwhile extends Error {}

/** Takes the envelopes of one partition in again. Their log times, and the days of their keys, were decided by the clocks of the time at which they came. */
export interface Replay { readonly projector: RecordProjector; readonly logTimes: Map<number, LogTime>; lastKeyDay: number | undefined }

export const replayBy = (makeProjector: (known: KnownLogTime) => RecordProjector): Replay => {
  const logTimes = new Map<number, LogTime>();
  return { logTimes, projector: makeProjector((_, position) => logTimes.get(position)!), lastKeyDay: undefined };
};

/** The last day that keys of a partition were kept with although it was not theirs, up to a position. */
const lastKeyDayOf = async (tx: Tx, { live }: Schemas, partition: number, upTo: number): Promise<number> => {
  const { rows: [row] } = await tx.query<{ day: number | null }>(
    `SELECT max((header::json->>'keyDay')::int) AS day FROM ${ident(live)}.usage_envelopes WHERE partition = $1 AND position <= $2 AND header LIKE '%"keyDay":%'`, [partition, upTo]);
  return row?.day ?? 0;
};

/** Takes the next envelopes of a partition in again, as metering did when they came; answers the position up to which that is done. */
export const replayPage = async (tx: Tx, schemas: Schemas, replay: Replay, partition: number, after: number): Promise<number> => {
  const { rows } = await tx.query<KeptBody & { tenant: string; position: bigint; envelope: string; log_time: bigint; header: string }>(
    `SELECT tenant, position, envelope, log_time, header, body, packed FROM ${ident(schemas.live)}.usage_envelopes WHERE partition = $1 AND position > $2 ORDER BY position LIMIT $3`, [partition, after, ENVELOPES_PER_PAGE]);
  if (rows.length === 0) return after;
  const { projector, logTimes } = replay;
  replay.lastKeyDay ??= await lastKeyDayOf(tx, schemas, partition, after);
  logTimes.clear();
  for (const { position, log_time: logTime, header } of rows) {
    const { keyDay } = JSON.parse(header) as { readonly keyDay?: number };
    replay.lastKeyDay = Math.max(replay.lastKeyDay, keyDay ?? 0, dayOf(Number(logTime)));
    logTimes.set(Number(position), { logTime: Number(logTime), keyDay, lastKeyDay: replay.lastKeyDay });
  }
  const records = rows.map(({ tenant, position, envelope, log_time: _, header: __, ...kept }): FeedRecord => {
    const body = bodyOf(kept);
    if (body === null) throw new DroppedMeanwhile(`position ${position} of partition ${partition} was dropped`);
    return { topic: 'usage.events', partition, offset: position - 1n, key: envelope, value: body, headers: { ce_tenant: tenant } };
  });
  await inShadow(tx, schemas, () => projector.project(tx, records));
  return Number(rows.at(-1)!.position);
};
