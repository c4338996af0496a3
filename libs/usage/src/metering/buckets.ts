import { hash } from 'node:crypto';
import type { Tx } from '@valueverse/event-log';
import { bucketOf } from './domain/bucket';
import type { Delta } from './domain/deltas';
import type { Occurrence } from './dedupe';

const GROUP_KEY_BYTES = 16;

/** Adds to buckets, making those that are not there. Sums are exact; the text of one depends on its value alone. */
export const growBuckets = async (tx: Tx, deltas: readonly Delta[]): Promise<void> => {
  if (deltas.length === 0) return;
  const keys = new Map<string, Buffer>();
  // A group may be longer than an index entry, so its hash stands for it there.
  const keyOf = (groups: string): Buffer => {
    let key = keys.get(groups);
    if (key === undefined) keys.set(groups, key = hash('sha256', groups, 'buffer').subarray(0, GROUP_KEY_BYTES));
    return key;
  };
  await tx.query(
    `INSERT INTO usage_buckets AS b (tenant, meter, version, subject, bucket, group_key, groups, total, events)
     SELECT tenant, meter, version, subject, bucket, group_key, groups, total, events
     FROM unnest($1::text[], $2::text[], $3::int[], $4::text[], $5::bigint[], $6::bytea[], $7::text[], $8::numeric[], $9::bigint[])
       g(tenant, meter, version, subject, bucket, group_key, groups, total, events)
     ON CONFLICT (tenant, meter, version, subject, bucket, group_key) DO UPDATE SET total = trim_scale(b.total + excluded.total), events = b.events + excluded.events`,
    [deltas.map(({ tenant }) => tenant), deltas.map(({ rule }) => rule.key), deltas.map(({ rule }) => rule.version), deltas.map(({ subject }) => subject),
      deltas.map(({ bucket }) => bucket), deltas.map(({ groups }) => keyOf(groups)), deltas.map(({ groups }) => groups),
      deltas.map(({ sum }) => sum.total.toString()), deltas.map(({ events }) => events)]);
};

/** Notes which envelopes hold counted events of a subject's quarter of an hour, whatever meters look at them. */
export const indexEnvelopes = async (tx: Tx, counted: readonly Occurrence[]): Promise<void> => {
  const rows = new Map<string, Occurrence>();
  for (const occurrence of counted) {
    const { tenant, event, micros, position } = occurrence;
    const key = `${tenant}\n${event.subject}\n${bucketOf(micros)}\n${position}`;
    if (!rows.has(key)) rows.set(key, occurrence);
  }
  const list = [...rows.values()];
  if (list.length === 0) return;
  await tx.query(
    `INSERT INTO usage_bucket_envelopes (tenant, subject, bucket, partition, position)
     SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::int[], $5::bigint[])`,
    [list.map(({ tenant }) => tenant), list.map(({ event }) => event.subject), list.map(({ micros }) => bucketOf(micros)),
      list.map(({ partition }) => partition), list.map(({ position }) => position)]);
};
