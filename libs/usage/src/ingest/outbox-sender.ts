import { randomUUID } from 'node:crypto';
import { partitionsOf, type Topic } from '@valueverse/contracts';
import { isTransient, Loop, partitionName, type NewRecord } from '@valueverse/event-log';
import type { Service } from '@valueverse/platform';
import { noteStuck, removeAppended, type Lane } from './stuck-lanes';

interface Row { nth: bigint; topic: Topic; partition: number; key: string; headers: string; value: Buffer; has_value: boolean }
/** An append that is under way: to one partition, or to all of a topic where the feed takes that. */
interface Flight { readonly lanes: readonly Lane[]; readonly bytes: number; readonly beganMs: number; noting: Promise<void> | undefined; ended: Promise<void> }

const RECORDS_PER_TURN_MAX = 200;
/** Of one partition, so that none fills a turn. */
const RECORDS_PER_LANE_MAX = 50;
const BYTES_PER_TURN_MAX = 8_000_000;
/** What is under way at a time. */
const BYTES_IN_FLIGHT_MAX = 64_000_000;
const LEASE_MS = 60_000;
const POLL_MS = 250;
const ERROR_PAUSE_MS = 500;
/** An append that has not been answered for so long, or that fails so often in a row: its partition takes nothing. */
const STUCK_AFTER_MS = 5_000;
const STUCK_AFTER_FAILURES = 2;

const LANES: readonly Lane[] = (['usage.events', 'usage.ingress.rejected'] as const).flatMap((topic) => Array.from({ length: partitionsOf(topic) }, (_, partition) => ({ topic, partition })));

const recordOf = ({ topic, key, headers, value, has_value: hasValue }: Row): NewRecord => ({
  key, headers: JSON.parse(headers) as Record<string, string>,
  ...(topic === 'usage.events' ? { value: value.toString() } : { value: '', bytes: hasValue ? value : null }),
});

/** Hands what waits in the outbox to the feed. Each partition goes on by itself: one that takes nothing, or does not answer, holds up no other. */
export class OutboxSender {
  private readonly owner = randomUUID();
  private readonly loop = new Loop(() => this.turn(), (error) => this.failed(error));
  private readonly flights = new Set<Flight>();
  /** By partition: how often in a row an append has failed, and when the next one may be. */
  private readonly failures = new Map<string, { readonly count: number; readonly againMs: number }>();

  constructor(private readonly service: Pick<Service, 'database' | 'feed' | 'logger'>) {}

  start(): void { this.loop.start(); }
  wake(): void { this.loop.wake(); }
  /** Waits for what is under way. */
  async stop(): Promise<void> {
    await this.loop.stop();
    await Promise.all([...this.flights].map(({ ended }) => ended));
    await this.service.database.transaction({ role: 'worker' }, (tx) => tx.query(`UPDATE usage_outbox_lease SET owner = NULL, until = '-infinity' WHERE owner = $1`, [this.owner])).catch(() => undefined);
  }

  private async turn(): Promise<number> {
    await this.noteSlow();
    const rows = await this.next(this.freeLanes());
    const byTopic = Map.groupBy(rows, ({ topic }) => topic);
    for (const [topic, own] of byTopic) {
      if (this.service.feed.appendAll !== undefined) this.begin(topic, own);
      else for (const ofPartition of Map.groupBy(own, ({ partition }) => partition).values()) this.begin(topic, ofPartition);
    }
    return rows.length === 0 ? POLL_MS : 0;
  }

  /** Where nothing is under way, and an append has not failed just now. */
  private freeLanes(): Lane[] {
    const flying = [...this.flights].flatMap(({ lanes }) => lanes);
    const busy = new Set(flying.map(partitionName));
    const topics = this.service.feed.appendAll === undefined ? new Set<Topic>() : new Set(flying.map(({ topic }) => topic));
    const now = performance.now();
    return LANES.filter((lane) => !busy.has(partitionName(lane)) && !topics.has(lane.topic) && (this.failures.get(partitionName(lane))?.againMs ?? 0) <= now);
  }

  /** The next records for some partitions, where this process is the one that appends them. */
  private async next(lanes: readonly Lane[]): Promise<Row[]> {
    if (lanes.length === 0) return [];
    const room = BYTES_IN_FLIGHT_MAX - [...this.flights].reduce((sum, { bytes }) => sum + bytes, 0);
    const { rows } = await this.service.database.transaction({ role: 'worker' }, (tx) => tx.query<Row>(
      `WITH held AS (UPDATE usage_outbox_lease SET owner = $1, until = clock_timestamp() + $2 * interval '1 ms'
         WHERE (owner = $1 OR until < clock_timestamp()) AND EXISTS (SELECT FROM usage_outbox) RETURNING 1)
       SELECT nth, topic, partition, key, headers, value, has_value FROM held, LATERAL (
         SELECT o.*, sum(octet_length(o.value)) OVER (ORDER BY o.nth) - octet_length(o.value) AS bytes_before FROM (
           SELECT w.* FROM unnest($5::text[], $6::int[]) l(topic, partition),
             LATERAL (SELECT * FROM usage_outbox x WHERE x.topic = l.topic AND x.partition = l.partition ORDER BY x.nth LIMIT $7) w ORDER BY w.nth LIMIT $3) o) t
       WHERE bytes_before < $4 ORDER BY nth`,
      [this.owner, LEASE_MS, RECORDS_PER_TURN_MAX, Math.min(BYTES_PER_TURN_MAX, room), lanes.map(({ topic }) => topic), lanes.map(({ partition }) => partition), RECORDS_PER_LANE_MAX]));
    return rows;
  }

  private begin(topic: Topic, rows: readonly Row[]): void {
    const byPartition = Map.groupBy(rows, ({ partition }) => partition);
    const flight: Flight = {
      lanes: [...byPartition.keys()].map((partition) => ({ topic, partition })), bytes: rows.reduce((sum, { value }) => sum + value.length, 0), beganMs: performance.now(), noting: undefined, ended: Promise.resolve(),
    };
    this.flights.add(flight);
    flight.ended = this.fly(flight, topic, byPartition).finally(() => {
      this.flights.delete(flight);
      this.loop.wake();
    });
  }

  /** Never rejects: what could not be appended is appended again. */
  private async fly(flight: Flight, topic: Topic, byPartition: ReadonlyMap<number, readonly Row[]>): Promise<void> {
    const { lanes } = flight;
    const { database, feed } = this.service;
    const records = new Map([...byPartition].map(([partition, rows]) => [partition, rows.map(recordOf)] as const));
    try {
      try {
        if (feed.appendAll !== undefined) await feed.appendAll(topic, records);
        else for (const [partition, own] of records) await feed.append(topic, partition, own);
      } catch (error) {
        await this.refused(lanes, error);
        return;
      }
      // What was noted of it is forgotten with it.
      await flight.noting;
      await database.transaction({ role: 'worker' }, (tx) => removeAppended(tx, topic, [...byPartition.keys()], [...byPartition.values()].flat().map(({ nth }) => nth)));
      for (const lane of lanes) this.failures.delete(partitionName(lane));
    } catch (error) {
      this.pause(lanes, this.failed(error));
    }
  }

  private pause(lanes: readonly Lane[], milliseconds: number): void {
    for (const lane of lanes) this.failures.set(partitionName(lane), { count: (this.failures.get(partitionName(lane))?.count ?? 0) + 1, againMs: performance.now() + milliseconds });
  }

  private async refused(lanes: readonly Lane[], error: unknown): Promise<void> {
    this.pause(lanes, this.failed(error));
    const [lane] = lanes as [Lane];
    if (this.service.feed.appendAll === undefined && this.failures.get(partitionName(lane))!.count >= STUCK_AFTER_FAILURES) await this.note(lane, error instanceof Error ? error.message : String(error));
  }

  /** An append to one partition that has no answer yet; those to all of them are of a feed that has no partitions that fail alone. */
  private async noteSlow(): Promise<void> {
    if (this.service.feed.appendAll !== undefined) return;
    const now = performance.now();
    for (const flight of this.flights) {
      if (flight.noting !== undefined || now - flight.beganMs < STUCK_AFTER_MS) continue;
      await (flight.noting = this.note(flight.lanes[0]!, `an append has no answer for ${STUCK_AFTER_MS / 1_000} seconds`));
    }
  }
  private note(lane: Lane, cause: string): Promise<void> { return this.service.database.transaction({ role: 'worker' }, (tx) => noteStuck(tx, lane, cause)); }

  private failed(error: unknown): number {
    if (!isTransient(error)) this.service.logger.error({ err: error }, 'usage that is written could not be handed to the feed; it is tried again');
    return ERROR_PAUSE_MS;
  }
}
