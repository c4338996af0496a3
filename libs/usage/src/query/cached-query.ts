import { canonicalJson, partitionOf } from '@valueverse/kernel';
import { USAGE_PARTITIONS } from '@valueverse/contracts';
import type { Tx } from '@valueverse/event-log';
import type { Cache } from '@valueverse/platform';
import { currentVersion, type Meter } from '../metering/domain/measure';
import { queryMeter, type MeterQuery, type QueryRow } from './meter-query';

const REMEMBERED_MS = 60_000;
const REMEMBERED_BYTES_MAX = 32_768;
/** Raised when the same question to the same copy would be answered otherwise. */
const ANSWER_VERSION = 3;

/**
 * The answer of `queryMeter`, remembered under the exact place of metering's copy that it was made from: whatever is counted later has another
 * place, so an answer that is found is the one that would be computed. A meter that is being back-filled is always computed.
 */
export const cachedQuery = async (cache: Cache, tx: Tx, tenant: string, meter: Meter, query: MeterQuery): Promise<QueryRow[]> => {
  const place = await placeOf(tx, tenant, meter, query.subjects);
  if (place === undefined) return queryMeter(tx, tenant, meter, query);
  const key = [tenant, 'meter-query', String(ANSWER_VERSION), meter.meterKey, String(currentVersion(meter).version), canonicalJson({ ...query }), place] as const;
  const known = await cache.get<QueryRow[]>(key);
  if (known !== undefined) return known;
  const rows = await queryMeter(tx, tenant, meter, query);
  if (JSON.stringify(rows).length <= REMEMBERED_BYTES_MAX) await cache.set(key, rows, REMEMBERED_MS);
  return rows;
};

/** Where metering's copy of the partitions of the subjects ends, which moves with everything that is counted; `undefined` while the meter does not follow them all yet. */
const placeOf = async (tx: Tx, tenant: string, meter: Meter, subjects?: readonly string[]): Promise<string | undefined> => {
  const wanted = subjects === undefined ? null : [...new Set(subjects.map((subject) => partitionOf(tenant, subject, USAGE_PARTITIONS)))];
  const { rows } = await tx.query<{ place: string; follows: boolean }>(
    `SELECT string_agg(p.partition || ':' || p.position, ',' ORDER BY p.partition) AS place, coalesce(bool_and(m.follows), false) AS follows
     FROM usage_partitions p
     LEFT JOIN (SELECT partition, bool_and(position IS NULL) AND count(*) = $3 AS follows FROM usage_meter_progress WHERE tenant = $1 AND meter = $2 GROUP BY partition) m USING (partition)
     WHERE $4::int[] IS NULL OR p.partition = ANY($4)`, [tenant, meter.meterKey, meter.versions.length, wanted]);
  return rows[0]?.follows === true ? rows[0].place : undefined;
};
