import { randomUUID } from 'node:crypto';
import type { Topic } from '@valueverse/contracts';
import { isTransient, type Tx } from '../database/database';
import { FeedGap, type Feed, type NewRecord } from '../feed/feed';
import { Loop } from '../loop';
import { traceHeader } from '../tracing';
import type { EventStore } from '../store/event-store';

/** Of each partition. */
const FACTS_PER_ROUND_MAX = 500;
/** Of all partitions of a topic in one transaction, where they are more than one. */
const FACTS_PER_APPEND_MAX = 1_000;
/** For what it was not told of: it is told of each commit of a process, by Redis also of those of others. */
const POLL_MS = 250;
const ERROR_PAUSE_MS = 500;
const LEASE_MS = 4_000;
const LEASE_RENEWAL_MS = 1_000;

export interface RelayStatus {
  readonly isOwner: boolean;
  readonly epoch: bigint;
  /** Facts that are in the store and not yet in the feed. */
  readonly behind: bigint;
  /** Why the relay stopped for good; an operator has to look. */
  readonly halted: string | undefined;
}
export interface Reports { error(message: string, cause: unknown): void; alarm(message: string): void }

interface StoredFact { partition: number; position: bigint; topic: Topic; type: string; id: string; tenant: string; stream: string; body: string; link: Buffer | null }

/** Facts that follow each other in a topic partition. */
interface Run { readonly topic: Topic; readonly partition: number; readonly records: readonly NewRecord[] }
/** Runs of a topic as they are appended together. */
const inBatches = (runs: readonly Run[]): Run[][] => {
  const batches: Run[][] = [];
  let facts = FACTS_PER_APPEND_MAX;
  for (const run of runs) {
    if (facts + run.records.length > FACTS_PER_APPEND_MAX) { batches.push([]); facts = 0; }
    batches.at(-1)!.push(run);
    facts += run.records.length;
  }
  return batches;
};

/** Another relay has taken over; what this one had in hand is dropped. */
class RelayFenced extends Error {}

/**
 * Publishes the facts of one store to the feed, in the order of their positions. It tails the store, so nothing is ever published that
 * was not committed. It holds a lease with an epoch: a relay that slept past its lease can mark nothing as published.
 */
export class Relay {
  private readonly id = randomUUID();
  private epoch = 0n;
  private leaseUntilMs = 0;
  private behind = 0n;
  private halted: string | undefined;
  private readonly loop = new Loop(async () => ((await this.publish()) === 0 ? POLL_MS : 0), (error) => this.failed(error));

  constructor(private readonly store: EventStore, private readonly feed: Feed, private readonly reports: Reports) {
    store.onCommit(() => this.wake());
  }

  start(): void { this.loop.start(); }
  wake(): void { this.loop.wake(); }
  async stop(): Promise<void> {
    await this.loop.stop();
    await this.store.database.transaction({ role: 'worker' }, (tx) => tx.query(`UPDATE relay_lease SET owner = NULL, lease_until = '-infinity' WHERE owner = $1`, [this.id])).catch(() => undefined);
  }
  status(): RelayStatus { return { isOwner: performance.now() < this.leaseUntilMs, epoch: this.epoch, behind: this.behind, halted: this.halted }; }

  /** Publishes what is there now; answers how many facts. Answers 0 when another relay holds the lease. */
  async publish(): Promise<number> {
    if (!(await this.holdLease())) return 0;
    const { facts, tails, from } = await this.store.database.transaction({ role: 'worker', isolation: 'repeatable read', readOnly: true }, (tx) => this.next(tx));
    if (facts.length === 0) return 0;
    const lasts = new Map<number, bigint>(from);
    const runs = new Map<string, Run & { records: NewRecord[] }>();
    for (const fact of facts) {
      if (fact.position !== lasts.get(fact.partition)! + 1n) throw new FeedGap(`the store has no position ${lasts.get(fact.partition)! + 1n} in partition ${fact.partition}`);
      lasts.set(fact.partition, fact.position);
      const name = `${fact.partition}/${fact.topic}`;
      const run = runs.get(name) ?? { topic: fact.topic, partition: fact.partition, records: [] };
      run.records.push(recordOf(fact, tails.get(name) ?? 0n));
      tails.set(name, fact.position);
      runs.set(name, run);
    }
    const all = [...runs.values()];
    const ends = await this.append(all);
    const causes = ends.flatMap((end) => (end.status === 'rejected' ? [end.reason as unknown] : []));
    // What is in the feed is marked though another partition failed: else it would be sent again and again, and one sick partition would stop all.
    const sick = new Set(all.filter((_, nth) => ends[nth]!.status === 'rejected').map(({ partition }) => partition));
    const healthy = new Map([...from].filter(([partition]) => !sick.has(partition)));
    if (healthy.size > 0) await this.mark(healthy, lasts, all.filter(({ partition }) => !sick.has(partition)));
    if (causes.length > 0) throw causes.find((cause) => cause instanceof FeedGap) ?? causes[0];
    return facts.length;
  }

  /** Of each run whether it is in the feed now. */
  private async append(runs: readonly Run[]): Promise<PromiseSettledResult<void>[]> {
    const ends = new Map<Run, Promise<void>>();
    for (const own of this.feed.appendAll === undefined ? [] : [...Map.groupBy(runs, ({ topic }) => topic).values()].flatMap(inBatches)) {
      const together = this.feed.appendAll!(own[0]!.topic, new Map(own.map(({ partition, records }) => [partition, records])));
      // One partition that is sick must not stop the others: each is tried by itself then.
      for (const run of own) ends.set(run, together.catch((error: unknown) => { if (own.length === 1) throw error; return this.appendOne(run); }));
    }
    return Promise.allSettled(runs.map((run) => ends.get(run) ?? this.appendOne(run)));
  }
  private appendOne({ topic, partition, records }: Run): Promise<void> { return this.feed.append(topic, partition, records); }

  private async holdLease(): Promise<boolean> {
    const now = performance.now();
    if (now < this.leaseUntilMs - LEASE_MS + LEASE_RENEWAL_MS) return true;
    const { rows } = await this.store.database.transaction({ role: 'worker' }, (tx) => tx.query<{ epoch: bigint }>(
      `UPDATE relay_lease SET epoch = epoch + (owner IS DISTINCT FROM $1)::int, owner = $1, lease_until = clock_timestamp() + $2 * interval '1 ms'
       WHERE owner = $1 OR owner IS NULL OR lease_until < clock_timestamp() RETURNING epoch`, [this.id, LEASE_MS]));
    if (rows[0] === undefined) return false;
    this.epoch = rows[0].epoch;
    this.leaseUntilMs = now + LEASE_MS;
    return true;
  }

  private async next(tx: Tx): Promise<{ facts: StoredFact[]; tails: Map<string, bigint>; from: Map<number, bigint> }> {
    const behind = await tx.query<{ partition: number; position: bigint; head: bigint }>(
      'SELECT r.partition, r.position, h.position AS head FROM relay_partitions r JOIN heads h ON h.partition = r.partition WHERE h.position > r.position ORDER BY r.partition');
    this.behind = behind.rows.reduce((sum, { head, position }) => sum + head - position, 0n);
    const from = new Map(behind.rows.map(({ partition, position }) => [partition, position]));
    if (from.size === 0) return { facts: [], tails: new Map(), from };
    const facts = await tx.query<StoredFact>(
      `SELECT e.partition, e.position, e.topic, e.type, e.id, e.tenant, e.stream, e.body, l.link
       FROM unnest($1::int[], $2::bigint[]) w(partition, position)
       JOIN LATERAL (SELECT * FROM events e WHERE e.partition = w.partition AND e.position > w.position ORDER BY e.position LIMIT $3) e ON true
       LEFT JOIN links l ON l.partition = e.partition AND l.last_position = e.position ORDER BY e.partition, e.position`,
      [[...from.keys()], [...from.values()], FACTS_PER_ROUND_MAX]);
    const tails = await tx.query<{ partition: number; topic: string; position: bigint }>('SELECT partition, topic, position FROM relay_tails WHERE partition = ANY($1)', [[...from.keys()]]);
    return { facts: facts.rows, from, tails: new Map(tails.rows.map(({ partition, topic, position }) => [`${partition}/${topic}`, position])) };
  }

  private async mark(from: Map<number, bigint>, lasts: Map<number, bigint>, runs: readonly Run[]): Promise<void> {
    await this.store.database.transaction({ role: 'worker' }, async (tx) => {
      const partitions = [...from.keys()];
      const { rowCount } = await tx.query(
        `UPDATE relay_partitions r SET position = w.last FROM unnest($1::int[], $2::bigint[], $3::bigint[]) w(partition, old, last)
         WHERE r.partition = w.partition AND r.position = w.old AND EXISTS (SELECT FROM relay_lease WHERE epoch = $4 AND owner = $5)`,
        [partitions, partitions.map((p) => from.get(p)), partitions.map((p) => lasts.get(p)), this.epoch, this.id]);
      if (rowCount !== partitions.length) throw new RelayFenced('another relay has taken over');
      await tx.query(
        `INSERT INTO relay_tails SELECT * FROM unnest($1::int[], $2::text[], $3::bigint[]) ON CONFLICT (partition, topic) DO UPDATE SET position = excluded.position`,
        [runs.map(({ partition }) => partition), runs.map(({ topic }) => topic), runs.map(({ records }) => records.at(-1)!.position)]);
    });
  }

  private failed(error: unknown): number {
    if (error instanceof RelayFenced) { this.leaseUntilMs = 0; return 0; }
    if (error instanceof FeedGap) {
      this.halted = error.message;
      this.loop.end();
      this.reports.alarm(`the relay stopped: ${error.message}`);
      return 0;
    }
    if (!isTransient(error)) this.reports.error('the relay could not publish; it tries again', error);
    return ERROR_PAUSE_MS;
  }
}

/** The record of a fact, as every reader expects it. `previous` is the position of the fact before it in the same topic partition. */
export const recordOf = (fact: Pick<StoredFact, 'partition' | 'position' | 'type' | 'id' | 'tenant' | 'stream' | 'body'> & { readonly link?: Buffer | null }, previous: bigint): NewRecord => ({
  key: fact.stream, value: fact.body, position: fact.position, previous,
  headers: {
    'content-type': 'application/cloudevents+json; charset=UTF-8', ce_id: fact.id, ce_type: fact.type, ce_tenant: fact.tenant,
    ce_partition: String(fact.partition), ce_position: String(fact.position), ce_previous: String(previous),
    ...(fact.link === null || fact.link === undefined ? {} : { ce_link: fact.link.toString('hex') }), ...traceHeader(fact.body),
  },
});
