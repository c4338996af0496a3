import { setTimeout as pause } from 'node:timers/promises';
import { parseInstant } from '@valueverse/kernel';
import { FACT_PARTITIONS, TOPICS, type ClockReport, type ServiceName, type ServiceReports, type Topic } from '@valueverse/contracts';
import { consumerName, type Consumer, type Database } from '@valueverse/event-log';
import { clockNow } from './clock-projector';

/** Who asks waits for two seconds in all. */
const PUBLISHED_WAIT_MAX_MS = 1_500;
const LOOK_EVERY_MS = 20;

/** What a service says about a test clock, read from its own database in one snapshot. */
export class DatabaseReports implements ServiceReports {
  constructor(readonly service: ServiceName, private readonly database: Database, private readonly consumers: readonly Consumer[]) {}

  clock(tenant: string, clockId: string): Promise<ClockReport> {
    return this.database.transaction({ role: 'worker', isolation: 'repeatable read', readOnly: true }, async (tx) => {
      const now = await clockNow(tx, tenant, clockId);
      const marks = await tx.query<{ topic: Topic; partition: number; position: bigint }>('SELECT topic, partition, position FROM clock_marks WHERE tenant = $1 AND clock = $2 ORDER BY topic, partition', [tenant, clockId]);
      const relayed = await tx.query<{ partition: number; position: bigint }>('SELECT partition, position FROM relay_partitions');
      const consumed = await tx.query<{ topic: Topic; partition: number; position: bigint }>(
        `SELECT s.topic, p AS partition, min(coalesce(c.position, 0)) AS position FROM unnest($1::text[], $2::text[]) s(consumer, topic) CROSS JOIN generate_series(0, $3::int - 1) p
         LEFT JOIN checkpoints c ON c.consumer = s.consumer AND c.topic = s.topic AND c.partition = p GROUP BY s.topic, p`, [...this.subscribed(), FACT_PARTITIONS]);
      const jobs = await tx.query<{ id: string; kind: string; waits_for: string | null; due: boolean; due_at: string }>(
        `SELECT id, kind, waits_for, due_at <= $3::timestamptz AS due, to_char(due_at, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS due_at
         FROM jobs WHERE tenant = $1 AND clock = $2 ORDER BY due_at, id`, [tenant, clockId, now ?? '-infinity']);
      // What was set aside is not on its way, but it is not handled either: the clock must not pass it as if it were.
      const parked = await tx.query<{ consumer: string; stream: string }>(
        `SELECT DISTINCT consumer, stream FROM parked_records WHERE tenant = $1 AND position($2 IN value) > 0 ORDER BY 1, 2`, [tenant, `"clockid":${JSON.stringify(clockId)}`]);
      const open = jobs.rows.filter(({ due }) => due);
      const next = jobs.rows.find(({ due }) => !due);
      return {
        service: this.service,
        ...(now === undefined ? {} : { now: parseInstant(now) }),
        appended: marks.rows.map(({ topic, partition, position }) => ({ topic, partition, position: String(position) })),
        relayed: Object.fromEntries(relayed.rows.map(({ partition, position }) => [partition, String(position)])),
        consumed: Object.fromEntries(consumed.rows.map(({ topic, partition, position }) => [`${topic}/${partition}`, String(position)])),
        openJobs: open.length,
        waitingFor: [
          ...open.map(({ id, kind, waits_for: reason }) => `${this.service}: ${kind} ${id}${reason === null ? '' : ` (${reason})`}`),
          ...parked.rows.map(({ consumer, stream }) => `${this.service}: ${consumer} could not handle ${stream}, which is parked`),
        ],
        ...(next === undefined ? {} : { nextDue: parseInstant(next.due_at) }),
      };
    });
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
