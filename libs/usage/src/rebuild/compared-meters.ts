import { ident, type Tx } from '@valueverse/event-log';
import { type Meter, type MeterRule, rulesOf } from '../metering/domain/measure';
import type { Schemas } from './shadow-tables';

/** A meter of a tenant whose buckets are compared. */
export interface ComparedMeter { readonly tenant: string; readonly meter: Meter }
const nameOf = ({ tenant, meter }: ComparedMeter): string => JSON.stringify([tenant, meter.meterKey, meter.versions]);

/** The meters all versions of which follow a partition: one that is back-filled has not counted everything. */
export const followingMeters = async (tx: Tx, { live }: Schemas, partition: number): Promise<ComparedMeter[]> => {
  const { rows } = await tx.query<{ tenant: string; row: Meter; following: bigint }>(
    `SELECT m.tenant, m.row, (SELECT count(*) FROM ${ident(live)}.usage_meter_progress p WHERE p.tenant = m.tenant AND p.meter = m.key AND p.partition = $1 AND p.position IS NULL) AS following
     FROM ${ident(live)}.meters m ORDER BY m.tenant, m.key`, [partition]);
  return rows.filter(({ row, following }) => Number(following) === row.versions.length).map(({ tenant, row }) => ({ tenant, meter: row }));
};

/** Those that were the same all the time: one that got a version meanwhile is compared another time. */
export const unchanged = (before: readonly ComparedMeter[], now: readonly ComparedMeter[]): ComparedMeter[] => {
  const known = new Set(before.map(nameOf));
  return now.filter((one) => known.has(nameOf(one)));
};

/** Tenant -> rules of its compared meters. */
export const rulesByTenant = (meters: readonly ComparedMeter[]): ReadonlyMap<string, readonly MeterRule[]> => {
  const rules = new Map<string, MeterRule[]>();
  for (const { tenant, meter } of meters) rules.set(tenant, [...(rules.get(tenant) ?? []), ...rulesOf(meter)]);
  return rules;
};

/** As columns of a query: tenants and keys. */
export const columnsOf = (meters: readonly ComparedMeter[]): [string[], string[]] => [meters.map(({ tenant }) => tenant), meters.map(({ meter }) => meter.meterKey)];
