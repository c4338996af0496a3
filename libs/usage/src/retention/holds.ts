import type { Tx } from '@valueverse/event-log';
import { claimsOf } from '../events/subject-claims';
import type { Meter } from '../metering/domain/measure';
import type { HoldReason, Stated, SubjectState } from './domain/holds';

/** A sample window has this length at most, so statements so far around an event say whether its bucket is covered. */
const BUCKET_MICROS_MAX = 86_400_000_000;

/** What is known about each subject of some events, for whoever asks whether they may go. */
export const statesOf = async (tx: Tx, tenant: string, events: readonly { readonly subject: string; readonly micros: number }[]): Promise<ReadonlyMap<string, SubjectState>> => {
  const bounds = new Map<string, { least: number; greatest: number }>();
  for (const { subject, micros } of events) {
    const known = bounds.get(subject);
    bounds.set(subject, { least: Math.min(micros, known?.least ?? micros), greatest: Math.max(micros, known?.greatest ?? micros) });
  }
  const subjects = [...bounds.keys()];
  const claims = await claimsOf(tx, tenant, subjects);
  const stated = await tx.query<{ subject: string; meter: string; from_at: bigint; until_at: bigint; as_of: bigint }>(
    `SELECT g.subject, t.row->>'meterKey' AS meter, s.from_at, s.until_at, s.as_of FROM unnest($2::text[], $3::bigint[], $4::bigint[]) g(subject, least, greatest)
     JOIN usage_stated_spans s ON s.tenant = $1 AND s.subject = g.subject AND s.until_at > g.least AND s.from_at < g.greatest JOIN statements t ON t.tenant = s.tenant AND t.key = s.statement`,
    [tenant, subjects, [...bounds.values()].map(({ least }) => least - BUCKET_MICROS_MAX), [...bounds.values()].map(({ greatest }) => greatest + BUCKET_MICROS_MAX)]);
  const billed = await tx.query<{ subject: string; meter: string }>(
    `SELECT DISTINCT s.subject, t.row->>'meterKey' AS meter FROM usage_stated_spans s JOIN statements t ON t.tenant = s.tenant AND t.key = s.statement WHERE s.tenant = $1 AND s.subject = ANY($2)`, [tenant, subjects]);
  const asked = await tx.query<{ subject: string }>(
    `SELECT DISTINCT u->>'subject' AS subject FROM usage_statement_requests r, json_array_elements(r.body::json->'usage') u WHERE r.tenant = $1 AND NOT r.answered AND u->>'subject' = ANY($2)`, [tenant, subjects]);
  const isAskedFor = new Set(asked.rows.map(({ subject }) => subject));
  const states = new Map(subjects.map((subject) => [subject, { claims: claims.get(subject) ?? [], stated: [] as Stated[], billedBy: new Set<string>(), isAskedFor: isAskedFor.has(subject) }]));
  for (const row of stated.rows) states.get(row.subject)!.stated.push({ meterKey: row.meter, from: Number(row.from_at), to: Number(row.until_at), asOf: Number(row.as_of) });
  for (const { subject, meter } of billed.rows) states.get(subject)!.billedBy.add(meter);
  return states;
};

/** What of a tenant's partition may be looked at: up to where, and why no further. */
export interface Reach { readonly upTo: number; readonly reason: HoldReason | undefined }

/**
 * A meter that is back-filled, or was made and has not begun, still has to read all of the partition: it begins anew when something is taken back. Whoever looks for late usage compares what came with
 * what it replaces, from the positions of statements on that nobody has looked behind.
 */
export const reachOf = async (tx: Tx, tenant: string, partition: number, meters: readonly Meter[]): Promise<Reach> => {
  const { rows: [following] } = await tx.query<{ versions: bigint }>('SELECT count(*) AS versions FROM usage_meter_progress WHERE tenant = $1 AND partition = $2 AND position IS NULL', [tenant, partition]);
  if (Number(following!.versions) !== meters.reduce((sum, { versions }) => sum + versions.length, 0)) return { upTo: 0, reason: 'back_fill' };
  const { rows: [looked] } = await tx.query<{ position: bigint; head: bigint }>(
    `SELECT least(l.position, (SELECT min(s.as_of) FROM usage_stated_spans s WHERE s.partition = $1 AND NOT s.is_looked_behind)) AS position, p.position AS head
     FROM usage_late_progress l JOIN usage_partitions p USING (partition) WHERE l.partition = $1`, [partition]);
  const upTo = Number(looked!.position);
  return { upTo, reason: upTo < Number(looked!.head) ? 'late_usage_look' : undefined };
};
