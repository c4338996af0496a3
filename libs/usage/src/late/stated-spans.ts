import { partitionOf } from '@valueverse/kernel';
import { StatementIssued, USAGE_PARTITIONS } from '@valueverse/contracts';
import type { Fact, Projector, Tx } from '@valueverse/event-log';
import { rulesAsOf, type Meter } from '../metering/domain/measure';
import { meterOf } from '../meters/meters';
import { BEGINNING } from '../query/domain/windows';
import { spansOf } from '../statements/domain/evidence';

interface Row { readonly tenant: string; readonly subject: string; readonly from: number; readonly until: number; readonly statement: string; readonly partition: number; readonly asOf: number }

/** What is carried into a span changes it too, so there it begins where that does. */
const rowsOf = ({ tenant, event }: Fact, meter: Meter | undefined): Row[] => {
  const issued = event as StatementIssued;
  if (meter === undefined) return [];
  return spansOf(issued, rulesAsOf(meter, issued.meterVersion).at(-1)!, BEGINNING).filter(({ from, to }) => from < to).map(({ subject, from, to, reach }) => {
    const partition = partitionOf(tenant, subject, USAGE_PARTITIONS);
    return { tenant, subject, from: reach ?? from, until: to, statement: issued.statementId, partition, asOf: Number(issued.asOf[String(partition)] ?? 0) };
  });
};

/** The meters of statements, each asked for once. */
const metersOf = async (tx: Tx, facts: readonly Fact[]): Promise<(fact: Fact) => Meter | undefined> => {
  const nameOf = ({ tenant, event }: Fact): string => `${tenant} ${(event as StatementIssued).meterKey}`;
  const meters = new Map<string, Meter | undefined>();
  for (const fact of facts) if (!meters.has(nameOf(fact))) meters.set(nameOf(fact), await meterOf(tx, fact.tenant, (fact.event as StatementIssued).meterKey));
  return (fact) => meters.get(nameOf(fact));
};

/** What issued statements are about: metering's own facts, for whoever looks for what came after them. */
export const statedSpans: Projector = {
  kind: 'projector', name: 'stated-spans', version: 1, topics: ['usage.statements'], events: [StatementIssued.name], tables: ['usage_stated_spans', 'usage_stated_until'],
  project: async (tx, facts) => {
    const meterOfFact = await metersOf(tx, facts);
    const rows = facts.flatMap((fact) => rowsOf(fact, meterOfFact(fact)));
    if (rows.length === 0) return;
    await tx.query(
      `INSERT INTO usage_stated_spans (tenant, subject, until_at, statement, from_at, partition, as_of)
       SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::bigint[], $6::int[], $7::bigint[]) ON CONFLICT DO NOTHING`,
      [rows.map(({ tenant }) => tenant), rows.map(({ subject }) => subject), rows.map(({ until }) => until), rows.map(({ statement }) => statement), rows.map(({ from }) => from), rows.map(({ partition }) => partition), rows.map(({ asOf }) => asOf)]);
    await tx.query(
      `INSERT INTO usage_stated_until AS u (partition, tenant, until_at) SELECT partition, tenant, max(until_at) FROM unnest($1::int[], $2::text[], $3::bigint[]) g(partition, tenant, until_at)
       GROUP BY 1, 2 ORDER BY 1, 2 ON CONFLICT (partition, tenant) DO UPDATE SET until_at = greatest(u.until_at, excluded.until_at)`,
      [rows.map(({ partition }) => partition), rows.map(({ tenant }) => tenant), rows.map(({ until }) => until)]);
  },
};
