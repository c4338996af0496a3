import { setTimeout as pause } from 'node:timers/promises';
import { parseInstant } from '@valueverse/kernel';
import { FACT_PARTITIONS, TOPICS, type ClockReport, type ServiceName, type ServiceReports, type Topic } from '@valueverse/contracts';
import { consumerName, type Consumer, type Database } from '@valueverse/event-log';

/** Who asks waits for two seconds in all. */
const PUBLISHED_WAIT_MAX_MS = 1_500;
const LOOK_EVERY_MS = 20;

interface ReportRow extends Record<string, unknown>, Pick<ClockReport, 'appended' | 'relayed' | 'consumed'> {
  readonly now: string | null; readonly open: readonly { readonly id: string; readonly kind: string; readonly reason: string | null }[]; readonly next: string | null; readonly parked: readonly { readonly consumer: string; readonly stream: string }[];
}
/**
 * All of a report in one statement: it is one snapshot, and a clock on its way looks again and again. What was set aside is not on its way, but it is not handled either: the clock must not pass it as if it were.
 */
const REPORT_SQL = `WITH here AS MATERIALIZED (SELECT coalesce(max(now), '-infinity') AS now, to_char(max(now), 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS said FROM clocks WHERE tenant = $1 AND clock = $2)
  SELECT here.said AS now,
    (SELECT coalesce(json_agg(json_build_object('topic', topic, 'partition', partition, 'position', position::text) ORDER BY topic, partition), '[]') FROM clock_marks WHERE tenant = $1 AND clock = $2) AS appended,
    (SELECT coalesce(json_object_agg(partition, position::text), '{}') FROM relay_partitions) AS relayed,
    (SELECT coalesce(json_object_agg(name, position), '{}') FROM (SELECT s.topic || '/' || p AS name, min(coalesce(c.position, 0))::text AS position FROM unnest($3::text[], $4::text[]) s(consumer, topic) CROSS JOIN generate_series(0, $5::int - 1) p
      LEFT JOIN checkpoints c ON c.consumer = s.consumer AND c.topic = s.topic AND c.partition = p GROUP BY s.topic, p) read) AS consumed,
    (SELECT coalesce(json_agg(json_build_object('id', id, 'kind', kind, 'reason', waits_for) ORDER BY due_at, id), '[]') FROM jobs WHERE tenant = $1 AND clock = $2 AND due_at <= here.now) AS open,
    (SELECT to_char(min(due_at), 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') FROM jobs WHERE tenant = $1 AND clock = $2 AND due_at > here.now) AS next,
    (SELECT coalesce(json_agg(json_build_object('consumer', consumer, 'stream', stream)), '[]') FROM (SELECT DISTINCT consumer, stream FROM parked_records WHERE tenant = $1 AND position($6 IN value) > 0 ORDER BY 1, 2) aside) AS parked
  FROM here`;

/** What a service says about a test clock, read from its own database. */
export class DatabaseReports implements ServiceReports {
  constructor(readonly service: ServiceName, private readonly database: Database, private readonly consumers: readonly Consumer[]) {}

  async clock(tenant: string, clockId: string): Promise<ClockReport> {
    const values = [tenant, clockId, ...this.subscribed(), FACT_PARTITIONS, `"clockid":${JSON.stringify(clockId)}`];
    const { rows: [row] } = await this.database.transaction({ role: 'worker', readOnly: true }, (tx) => tx.query<ReportRow>(REPORT_SQL, values));
    const { now, appended, relayed, consumed, open, next, parked } = row!;
    return {
      service: this.service, ...(now === null ? {} : { now: parseInstant(now) }), appended, relayed, consumed, openJobs: open.length,
      waitingFor: [
        ...open.map(({ id, kind, reason }) => `${this.service}: ${kind} ${id}${reason === null ? '' : ` (${reason})`}`),
        ...parked.map(({ consumer, stream }) => `${this.service}: ${consumer} could not handle ${stream}, which is parked`),
      ],
      ...(next === null ? {} : { nextDue: parseInstant(next) }),
    };
  }

  async hasConsumed(topic: Topic, partition: number, position: bigint): Promise<boolean> {
    const [consumers, topics] = this.subscribed();
    const wanted = topics.flatMap((name, index) => (name === topic ? [consumers[index]!] : []));
    if (wanted.length === 0) return true;
    const { rows } = await this.database.transaction({ role: 'worker', readOnly: true }, (tx) => tx.query<{ count: bigint }>(
      'SELECT count(*) FROM checkpoints WHERE consumer = ANY($1) AND topic = $2 AND partition = $3 AND position >= $4', [wanted, topic, partition, position]));
    return Number(rows[0]!.count) === wanted.length;
  }

  async hasPublished(): Promise<boolean> {
    const heads = await this.database.transaction({ role: 'worker', readOnly: true }, (tx) => tx.query<{ partition: number; position: bigint }>('SELECT partition, position FROM heads'));
    const deadline = performance.now() + PUBLISHED_WAIT_MAX_MS;
    for (;;) {
      const { rows } = await this.database.transaction({ role: 'worker', readOnly: true }, (tx) => tx.query<{ partition: number; position: bigint }>('SELECT partition, position FROM relay_partitions'));
      const published = new Map(rows.map(({ partition, position }) => [partition, position]));
      if (heads.rows.every(({ partition, position }) => position <= (published.get(partition) ?? 0n))) return true;
      if (performance.now() >= deadline) return false;
      await pause(LOOK_EVERY_MS);
    }
  }

  private subscribed(): [string[], string[]] {
    const pairs = this.consumers.flatMap((consumer) => consumer.topics.filter((topic) => TOPICS[topic].kind === 'facts').map((topic) => [consumerName(consumer), topic] as const));
    return [pairs.map(([name]) => name), pairs.map(([, topic]) => topic)];
  }
}
