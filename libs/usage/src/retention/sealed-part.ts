import type { Tx } from '@valueverse/event-log';
import { BUCKET_MICROS } from '../metering/domain/bucket';
import type { MeterRule } from '../metering/domain/measure';
import type { Tally } from '../metering/domain/tally';
import { type SealedTally, tallyOf } from './domain/seal';

interface Part { readonly subject: string; readonly quarter: number; readonly position: number; readonly sealed: SealedTally }

/** What dropped events of a subject came to for a meter in the quarters of an hour that touch a stretch. */
export const sealedParts = async (tx: Tx, tenant: string, meterKey: string, { subject, from, to }: { subject: string; from: number; to: number }): Promise<Part[]> => {
  const { rows } = await tx.query<{ bucket: bigint; position: bigint; tallies: string }>(
    'SELECT bucket, position, tallies FROM usage_seals WHERE tenant = $1 AND subject = $2 AND bucket > $3 AND bucket < $4 ORDER BY bucket', [tenant, subject, from - BUCKET_MICROS, to]);
  return rows.flatMap(({ bucket, position, tallies }) => (JSON.parse(tallies) as SealedTally[]).filter(({ meter }) => meter === meterKey)
    .map((sealed): Part => ({ subject, quarter: Number(bucket), position: Number(position), sealed })));
};

/** Adds to a tally what was dropped of its bucket, so that a value that is chosen anew is chosen among all of them. */
export const addSealed = async (tx: Tx, tally: Tally, tenant: string, { rule, subject, groups, bucket }: { rule: MeterRule; subject: string; groups: string; bucket: number }): Promise<void> => {
  for (const { sealed } of await sealedParts(tx, tenant, rule.key, { subject, from: bucket, to: bucket + rule.settings.bucketMicros })) {
    if (sealed.version === rule.version && sealed.groups === groups && sealed.bucket === bucket) tally.merge(tallyOf(sealed));
  }
};
