import { derivedId, instantFromMicros } from '@valueverse/kernel';
import { isTransient, Loop, type Instruction, type Tx } from '@valueverse/event-log';
import { clockNow, type Service } from '@valueverse/platform';
import { rulesAsOf, type Meter, type MeterRule } from '../metering/domain/measure';
import type { NoteLateUsage } from '../statements/domain/statement';
import { statement as statementOf, type StatementRow } from '../statements/statements';
import { nextChanges, type ChangesOf, type Stretch } from './changes';
import { lateIn, type Late, type StatedSpan } from './domain/late-changes';

/** So often at most it is told what came late to a statement. */
const LOOK_EVERY_MS = 1_000;
const ERROR_PAUSE_MS = 1_000;
/** A statement's spans are looked behind together. */
const STATEMENTS_AT_ONCE = 200;
const NAME = 'late-usage';

interface StatementBehind { readonly row: StatementRow; readonly rules: readonly MeterRule[]; readonly clock: string | null; readonly correlation: string | null }

interface SpanRow { statement: string; subject: string; from_at: bigint; until_at: bigint; as_of: bigint }
const spanOf = (row: SpanRow): StatedSpan => ({ statement: row.statement, subject: row.subject, from: Number(row.from_at), until: Number(row.until_at), asOf: Number(row.as_of) });

/** The stated spans that may hold some of these changes. One that nobody has looked behind yet is left out: what is found now is found then. */
const spansFor = async (tx: Tx, { tenant, changes }: ChangesOf): Promise<StatedSpan[]> => {
  const bounds = new Map<string, { least: number; greatest: number }>();
  for (const { event: { subject }, micros } of changes.flatMap(({ about }) => about)) {
    const known = bounds.get(subject);
    bounds.set(subject, { least: Math.min(micros, known?.least ?? micros), greatest: Math.max(micros, known?.greatest ?? micros) });
  }
  const { rows } = await tx.query<SpanRow & Record<string, unknown>>(
    `SELECT s.statement, s.subject, s.from_at, s.until_at, s.as_of FROM unnest($2::text[], $3::bigint[], $4::bigint[]) g(subject, least, greatest)
     JOIN usage_stated_spans s ON s.tenant = $1 AND s.subject = g.subject AND s.until_at > g.least AND s.from_at <= g.greatest WHERE s.is_looked_behind`,
    [tenant, [...bounds.keys()], [...bounds.values()].map(({ least }) => least), [...bounds.values()].map(({ greatest }) => greatest)]);
  return rows.map(spanOf);
};

const statementsBehind = async (tx: Tx, tenant: string, spans: readonly StatedSpan[]): Promise<ReadonlyMap<string, StatementBehind>> => {
  const { rows } = await tx.query<{ key: string; row: StatementRow; meter: Meter; clock: string | null; correlation: string | null }>(
    `SELECT s.key, s.row, m.row AS meter, r.clock, r.correlation FROM statements s JOIN meters m ON m.tenant = s.tenant AND m.key = s.row->>'meterKey'
     LEFT JOIN usage_statement_requests r ON r.tenant = s.tenant AND r.request = s.row->>'requestId' WHERE s.tenant = $1 AND s.key = ANY($2)`, [tenant, [...new Set(spans.map(({ statement }) => statement))]]);
  return new Map(rows.map(({ key, row, meter, clock, correlation }) => [key, { row, rules: rulesAsOf(meter, row.meterVersion), clock, correlation }]));
};

/** Ids are made of what came late: told again, it is the same. */
const instructionFor = async (tx: Tx, tenant: string, { row, clock, correlation }: StatementBehind, late: Late): Promise<Instruction<NoteLateUsage>> => {
  const { statementId, requestId, subscriptionId, chargeKey, meterKey } = row;
  const { partition, events, positions } = late;
  const [receivedFrom, receivedTo] = [late.receivedFrom, late.receivedTo].map((micros) => instantFromMicros(micros));
  return {
    decider: statementOf,
    command: { type: 'NoteLateUsage', statementId, requestId, subscriptionId, chargeKey, meterKey, events, partition, positions: positions.map(String), receivedFrom: receivedFrom!, receivedTo: receivedTo! },
    context: {
      tenant, at: (clock === null ? undefined : await clockNow(tx, tenant, clock)) ?? receivedTo!, actor: `process:${NAME}`, clockId: clock ?? undefined, correlationId: correlation ?? undefined,
      commandId: derivedId('cmd', NAME, tenant, statementId, String(partition), String(positions[0]), String(positions.at(-1))),
    },
  };
};

/**
 * Tells of usage that came after the statements that it would have been in. Follows metering's copy with a checkpoint of its own, a partition at a time, and looks into those envelopes alone that are
 * about an instant before the end of some statement of their tenant. What it finds and its checkpoint are one transaction.
 */
export class LateUsage {
  private readonly loop = new Loop(() => this.turn(), (error) => {
    if (!isTransient(error)) this.service.logger.error({ err: error }, 'late usage could not be looked for; statements do not say how much came after them until it can; it is tried again');
    return ERROR_PAUSE_MS;
  });

  constructor(private readonly service: Pick<Service, 'database' | 'log' | 'logger'>) {}

  start(): void { this.loop.start(); }
  stop(): Promise<void> { return this.loop.stop(); }

  /** Whatever is to be looked at now. */
  private async turn(): Promise<number> {
    const partitions = await this.service.database.transaction({ role: 'worker' }, async (tx) => {
      await passPunctual(tx);
      return partitionsToLookAt(tx);
    });
    for (const partition of partitions) while (this.loop.isRunning && (await this.service.log.transact({ role: 'worker', repeatable: true }, (tx) => this.look(tx, partition))));
    return LOOK_EVERY_MS;
  }

  /** Looks at the next page of a partition; answers whether there is more. */
  private async look(tx: Tx, partition: number): Promise<boolean> {
    const { rows } = await tx.query<{ position: bigint }>('SELECT position FROM usage_late_progress WHERE partition = $1 FOR UPDATE SKIP LOCKED', [partition]);
    if (rows[0] === undefined) return false; // Another process looks.
    const after = Number(rows[0].position);
    const head = Number((await tx.query<{ position: bigint }>('SELECT position FROM usage_partitions WHERE partition = $1', [partition])).rows[0]!.position);
    const told: Instruction<NoteLateUsage>[] = [];
    for (let behind = await lookBehind(tx, partition, after); behind !== undefined; behind = await lookBehind(tx, partition, after)) told.push(...behind);
    const { found, upTo } = await nextChanges(tx, { partition, after, upTo: head });
    for (const one of found) told.push(...await instructionsFor(tx, one, await spansFor(tx, one)));
    await tx.query('UPDATE usage_late_progress SET position = $2 WHERE partition = $1', [partition, upTo]);
    if (told.length > 0) await this.service.log.execute(tx, told);
    return upTo < head;
  }
}

const instructionsFor = async (tx: Tx, { tenant, changes }: ChangesOf, spans: readonly StatedSpan[]): Promise<Instruction<NoteLateUsage>[]> => {
  if (spans.length === 0) return [];
  const behind = await statementsBehind(tx, tenant, spans);
  const instructions: Instruction<NoteLateUsage>[] = [];
  for (const late of lateIn(changes, spans, (id) => behind.get(id)?.rules ?? [])) instructions.push(await instructionFor(tx, tenant, behind.get(late.statement)!, late));
  return instructions;
};

/** A statement may become known after what came late to it has been passed: that is looked through for it alone, once. Undefined when there is no such statement any more. */
const lookBehind = async (tx: Tx, partition: number, passed: number): Promise<Instruction<NoteLateUsage>[] | undefined> => {
  const { rows } = await tx.query<SpanRow & { tenant: string }>(
    `SELECT s.tenant, s.statement, s.subject, s.from_at, s.until_at, s.as_of
     FROM (SELECT tenant, statement FROM usage_stated_spans WHERE partition = $1 AND NOT is_looked_behind GROUP BY 1, 2 ORDER BY 1, 2 LIMIT $2) k
     JOIN LATERAL (SELECT * FROM usage_stated_spans s WHERE s.partition = $1 AND s.tenant = k.tenant AND s.statement = k.statement AND NOT s.is_looked_behind OFFSET 0) s ON true`, [partition, STATEMENTS_AT_ONCE]);
  if (rows.length === 0) return undefined;
  const told: Instruction<NoteLateUsage>[] = [];
  for (const tenant of new Set(rows.map((row) => row.tenant))) {
    const spans = rows.filter((row) => row.tenant === tenant).map(spanOf);
    let stretch: Stretch = { partition, after: spans.reduce((least, { asOf }) => Math.min(least, asOf), passed), upTo: passed };
    while (stretch.after < passed) {
      const { found, upTo } = await nextChanges(tx, stretch, tenant);
      for (const one of found) told.push(...await instructionsFor(tx, one, spans));
      stretch = { ...stretch, after: upTo };
    }
  }
  await tx.query(
    `UPDATE usage_stated_spans s SET is_looked_behind = true FROM unnest($2::text[], $3::text[], $4::bigint[], $5::text[], $6::bigint[]) g(tenant, subject, until_at, statement, from_at)
     WHERE s.tenant = g.tenant AND s.subject = g.subject AND s.until_at = g.until_at AND s.statement = g.statement AND s.from_at = g.from_at AND s.partition = $1`,
    [partition, rows.map(({ tenant }) => tenant), rows.map(({ subject }) => subject), rows.map(({ until_at: until }) => until), rows.map(({ statement }) => statement), rows.map(({ from_at: from }) => from)]);
  return told;
};

/** Passes what cannot be late, in all partitions at once: mostly everything. A span that comes to be known meanwhile is looked behind later. */
const passPunctual = (tx: Tx): Promise<unknown> => tx.query(
  `UPDATE usage_late_progress l SET position = p.position FROM usage_partitions p
   WHERE p.partition = l.partition AND p.position > l.position AND l.partition IN (SELECT partition FROM usage_late_progress FOR UPDATE SKIP LOCKED)
   AND NOT EXISTS (SELECT FROM usage_stated_spans s WHERE s.partition = l.partition AND NOT s.is_looked_behind)
   AND NOT EXISTS (SELECT FROM (SELECT max(until_at) AS latest FROM usage_stated_until WHERE partition = l.partition HAVING count(*) > 0) m
     JOIN usage_envelopes e ON e.partition = l.partition AND e.position > l.position AND e.position <= p.position AND e.earliest < m.latest
     JOIN usage_stated_until u ON u.partition = e.partition AND u.tenant = e.tenant AND e.earliest < u.until_at)`);

const partitionsToLookAt = async (tx: Tx): Promise<number[]> => {
  const { rows } = await tx.query<{ partition: number }>(
    `SELECT l.partition FROM usage_late_progress l JOIN usage_partitions p USING (partition)
     WHERE p.position > l.position OR EXISTS (SELECT FROM usage_stated_spans s WHERE s.partition = l.partition AND NOT s.is_looked_behind) ORDER BY 1`);
  return rows.map(({ partition }) => partition);
};
