import { randomUUID } from 'node:crypto';
import { partitionsOf, TOPICS, type Topic } from '@valueverse/contracts';
import { textArray } from '../database/binary-array';
import { Database, ident, roleName, type Tx } from '../database/database';
import { ensureRoles } from '../database/roles';
import { Loop } from '../loop';
import { sending } from '../tracing';
import { RecentRecords } from './recent-records';
import { FeedGap, LATER_MS, partitionName, type Feed, type FeedRecord, type GroupMember, type GroupMembership, type NewRecord, type TopicPartition } from './feed';

const SCHEMA = 'feed';
const GAP_STATE = 'VV003';
const RECORDS_PER_READ_MAX = 500;
/** Of one partition: usage envelopes are large, and a reader may be far behind on all of them. */
const BYTES_PER_READ_MAX = 1_000_000;
/** Of each partition: a transaction that drops more would be one that others wait for. */
const FORGOTTEN_AT_ONCE = 200;
const POLL_MS = 100;
/** From one read to the next: what is written meanwhile comes together. */
const READ_SPACING_MS = 5;
const HEARTBEAT_MS = 1_000;
/** A member that was silent for this long loses its partitions to the others. */
const MEMBER_TIMEOUT_MS = 4_000;
const ERROR_PAUSE_MS = 500;

const FEED_SCHEMA_SQL = (): string => {
  const [s, worker] = [ident(SCHEMA), ident(roleName(SCHEMA, 'worker'))];
  return `
CREATE TABLE IF NOT EXISTS ${s}.ends (topic text NOT NULL, partition int NOT NULL, next_offset bigint NOT NULL, position bigint NOT NULL, PRIMARY KEY (topic, partition));
CREATE TABLE IF NOT EXISTS ${s}.records (topic text NOT NULL, partition int NOT NULL, record_offset bigint NOT NULL, position bigint, previous bigint,
  key text NOT NULL, headers text NOT NULL, value text NOT NULL, appended_at timestamptz NOT NULL DEFAULT clock_timestamp(), PRIMARY KEY (topic, partition, record_offset));
DO $$ BEGIN
  ALTER TABLE ${s}.records ALTER COLUMN value SET COMPRESSION lz4;
EXCEPTION WHEN feature_not_supported THEN NULL;
END $$;
CREATE TABLE IF NOT EXISTS ${s}.members (group_name text NOT NULL, member text NOT NULL, seen_at timestamptz NOT NULL, PRIMARY KEY (group_name, member));
CREATE OR REPLACE FUNCTION ${s}.append_records(p_topic text, p_partition int, p_compacted boolean, p_positions bigint[], p_previous bigint[], p_keys text[], p_headers text[], p_values text[])
RETURNS void LANGUAGE plpgsql AS $$
DECLARE v_next bigint; v_position bigint; v_first bigint;
BEGIN
  SELECT next_offset, position INTO v_next, v_position FROM ${s}.ends WHERE topic = p_topic AND partition = p_partition FOR UPDATE;
  IF NOT FOUND THEN RAISE EXCEPTION 'no topic partition %/%', p_topic, p_partition; END IF;
  -- What was appended before is dropped; what is left has to follow the last record.
  SELECT r.previous INTO v_first FROM unnest(p_positions, p_previous) r(position, previous) WHERE r.position > v_position ORDER BY r.position LIMIT 1;
  IF v_first IS DISTINCT FROM v_position AND v_first IS NOT NULL THEN
    RAISE EXCEPTION 'record of partition % follows position %, the last one is %', p_partition, v_first, v_position USING ERRCODE = '${GAP_STATE}';
  END IF;
  IF p_compacted THEN
    DELETE FROM ${s}.records r USING unnest(p_keys, p_positions) k(key, position) WHERE r.topic = p_topic AND r.partition = p_partition AND r.key = k.key AND k.position > v_position;
  END IF;
  INSERT INTO ${s}.records (topic, partition, record_offset, position, previous, key, headers, value)
    SELECT p_topic, p_partition, v_next + row_number() OVER (ORDER BY r.nth) - 1, r.position, r.previous, r.key, r.headers, r.value
    FROM unnest(p_positions, p_previous, p_keys, p_headers, p_values) WITH ORDINALITY r(position, previous, key, headers, value, nth)
    WHERE r.position IS NULL OR r.position > v_position;
  GET DIAGNOSTICS v_first = ROW_COUNT;
  UPDATE ${s}.ends SET next_offset = v_next + v_first, position = greatest(v_position, (SELECT max(p) FROM unnest(p_positions) p))
    WHERE topic = p_topic AND partition = p_partition;
END $$;
-- The same for any number of partitions, without keys that replace each other: their ends are locked in one order, so that two writers do not wait for each other. What is no fact has no positions.
CREATE OR REPLACE FUNCTION ${s}.append_to_all(p_topic text, p_partitions int[], p_positions bigint[], p_previous bigint[], p_keys text[], p_headers text[], p_values text[])
RETURNS void LANGUAGE plpgsql AS $$
DECLARE v_partitions bigint; v_gap record;
BEGIN
  PERFORM FROM ${s}.ends WHERE topic = p_topic AND partition = ANY(p_partitions) ORDER BY partition FOR UPDATE;
  GET DIAGNOSTICS v_partitions = ROW_COUNT;
  IF v_partitions <> (SELECT count(DISTINCT p) FROM unnest(p_partitions) p) THEN RAISE EXCEPTION 'a partition of % is not there', p_topic; END IF;
  IF p_positions IS NOT NULL THEN
    SELECT * INTO v_gap FROM (SELECT DISTINCT ON (r.partition) r.partition, r.previous, e.position FROM unnest(p_partitions, p_positions, p_previous) r(partition, position, previous)
      JOIN ${s}.ends e ON e.topic = p_topic AND e.partition = r.partition WHERE r.position > e.position ORDER BY r.partition, r.position) f WHERE f.previous <> f.position LIMIT 1;
    IF FOUND THEN RAISE EXCEPTION 'record of partition % follows position %, the last one is %', v_gap.partition, v_gap.previous, v_gap.position USING ERRCODE = '${GAP_STATE}'; END IF;
  END IF;
  WITH added AS (INSERT INTO ${s}.records (topic, partition, record_offset, position, previous, key, headers, value)
    SELECT p_topic, r.partition, e.next_offset + row_number() OVER (PARTITION BY r.partition ORDER BY r.nth) - 1, r.position, r.previous, r.key, r.headers, r.value
    FROM unnest(p_partitions, p_positions, p_previous, p_keys, p_headers, p_values) WITH ORDINALITY r(partition, position, previous, key, headers, value, nth)
    JOIN ${s}.ends e ON e.topic = p_topic AND e.partition = r.partition WHERE r.position IS NULL OR r.position > e.position RETURNING partition, position)
  UPDATE ${s}.ends e SET next_offset = e.next_offset + a.count, position = greatest(e.position, a.last) FROM (SELECT partition, count(*), max(position) AS last FROM added GROUP BY 1) a
    WHERE e.topic = p_topic AND e.partition = a.partition;
END $$;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA ${s} TO ${worker};`;
};

interface Row { topic: Topic; partition: number; record_offset: bigint; position: bigint | null; previous: bigint | null; key: string; headers: string; value: string }

const toRecord = (row: Row): FeedRecord => ({
  topic: row.topic, partition: row.partition, offset: row.record_offset, key: row.key, value: row.value,
  headers: JSON.parse(row.headers) as Record<string, string>,
  ...(row.position === null ? {} : { position: row.position, previous: row.previous ?? 0n }),
});

const textsOf = (records: readonly NewRecord[]): Buffer[] => [textArray(records.map(({ key }) => key)), textArray(records.map(({ headers }) => JSON.stringify(headers))), textArray(records.map(({ value }) => value))];

/** The feed in PostgreSQL: its own schema and role, an ends row per topic partition that orders the appends. */
export class PostgresFeed implements Feed {
  readonly kind = 'postgres';
  private readonly database: Database;
  private readonly memberships = new Set<PostgresMembership>();
  readonly recent = new RecentRecords();

  constructor(url: string, connectionsMax = 8) {
    this.database = new Database({ url, schema: SCHEMA, connectionsMax });
  }

  async ensureTopics(): Promise<void> {
    await ensureRoles(this.database, [SCHEMA]);
    await this.database.transaction({ role: 'owner' }, async (tx) => {
      await tx.query('SELECT pg_advisory_xact_lock(7305002)');
      await tx.query(FEED_SCHEMA_SQL());
      for (const topic of Object.keys(TOPICS) as Topic[]) {
        const { rows } = await tx.query<{ count: bigint }>('SELECT count(*) FROM ends WHERE topic = $1', [topic]);
        const count = Number(rows[0]!.count);
        if (count !== 0 && count !== partitionsOf(topic)) throw new Error(`${topic} has ${count} partitions, this release has ${partitionsOf(topic)}; partitions never change`);
        await tx.query('INSERT INTO ends SELECT $1, p, 0, 0 FROM generate_series(0, $2::int - 1) p ON CONFLICT DO NOTHING', [topic, partitionsOf(topic)]);
      }
    });
  }

  async faults(): Promise<readonly string[]> {
    const { rows } = await this.database.transaction({ role: 'worker', readOnly: true }, (tx) => tx.query<{ topic: string; count: bigint }>('SELECT topic, count(*) AS count FROM ends GROUP BY topic'));
    const counts = new Map(rows.map(({ topic, count }) => [topic, Number(count)]));
    return (Object.keys(TOPICS) as Topic[]).flatMap((topic) => {
      const count = counts.get(topic) ?? 0;
      return count === partitionsOf(topic) ? [] : [`${topic} has ${count} partitions, this release has ${partitionsOf(topic)}; partitions never change`];
    });
  }

  append(topic: Topic, partition: number, records: readonly NewRecord[]): Promise<void> {
    return sending(this.kind, { topic, partition }, records, () => this.write(topic, new Map([[partition, records]]), (tx) => tx.query('SELECT append_records($1, $2, $3, $4, $5, $6, $7, $8)', [
      topic, partition, TOPICS[topic].kind === 'keys', records.map(({ position }) => position ?? null), records.map(({ previous }) => previous ?? null), ...textsOf(records)])));
  }

  async appendAll(topic: Topic, byPartition: ReadonlyMap<number, readonly NewRecord[]>): Promise<void> {
    const all = [...byPartition].flatMap(([partition, records]) => records.map((record) => ({ partition, record })));
    const records = all.map(({ record }) => record);
    if (TOPICS[topic].kind === 'keys') throw new Error(`keys of ${topic} replace each other: append to its partitions one by one`);
    const isFacts = TOPICS[topic].kind === 'facts';
    return sending(this.kind, { topic }, records, () => this.write(topic, byPartition, (tx) => tx.query('SELECT append_to_all($1, $2, $3, $4, $5, $6, $7)', [
      topic, all.map(({ partition }) => partition), isFacts ? records.map(({ position }) => position) : null, isFacts ? records.map(({ previous }) => previous) : null, ...textsOf(records)])));
  }

  private async write(topic: Topic, byPartition: ReadonlyMap<number, readonly NewRecord[]>, append: (tx: Tx) => Promise<unknown>): Promise<void> {
    try {
      await this.database.transaction({ role: 'worker' }, async (tx) => {
        await append(tx);
        const ends = TOPICS[topic].kind === 'facts' ? await this.endsAfter(tx, topic, byPartition) : undefined;
        tx.afterCommit(() => {
          for (const [partition, next] of ends ?? []) this.recent.add(topic, partition, byPartition.get(partition)!, next);
          for (const membership of this.memberships) if (membership.topics.includes(topic)) membership.wake(ends === undefined);
        });
      });
    } catch (error) {
      if ((error as { code?: string }).code === GAP_STATE) throw new FeedGap(`${topic}: ${(error as Error).message}`);
      throw error;
    }
  }

  /** Where facts that were just appended have come to stand: after the last of them. A partition whose last record is another one is left out. */
  private async endsAfter(tx: Tx, topic: Topic, byPartition: ReadonlyMap<number, readonly NewRecord[]>): Promise<Map<number, bigint>> {
    const { rows } = await tx.query<{ partition: number; next_offset: bigint; position: bigint }>('SELECT partition, next_offset, position FROM ends WHERE topic = $1 AND partition = ANY($2)', [topic, [...byPartition.keys()]]);
    const isChain = (records: readonly NewRecord[], last: bigint): boolean => records.at(-1)?.position === last && records.every(({ previous }, nth) => nth === 0 || previous === records[nth - 1]!.position);
    return new Map(rows.filter(({ partition, position }) => isChain(byPartition.get(partition)!, position)).map(({ partition, next_offset: next }) => [partition, next]));
  }

  async forget(topic: Topic, below: ReadonlyMap<number, bigint>, olderThanMs: number): Promise<number> {
    if (TOPICS[topic].kind !== 'transport') throw new Error(`${topic} is kept for ever`);
    const { rowCount } = await this.database.transaction({ role: 'worker' }, (tx) => tx.query(
      `DELETE FROM records r USING unnest($2::int[], $3::bigint[]) w(partition, below), LATERAL (SELECT record_offset, appended_at FROM records o
         WHERE o.topic = $1 AND o.partition = w.partition AND o.record_offset < w.below ORDER BY o.record_offset LIMIT $5) o
       WHERE r.topic = $1 AND r.partition = w.partition AND r.record_offset = o.record_offset AND o.appended_at < clock_timestamp() - $4 * interval '1 ms'`,
      [topic, [...below.keys()], [...below.values()], olderThanMs, FORGOTTEN_AT_ONCE]));
    return rowCount ?? 0;
  }

  async ends(partitions: readonly TopicPartition[]): Promise<Map<string, bigint>> {
    return this.database.transaction({ role: 'worker', readOnly: true }, async (tx) => {
      const { rows } = await tx.query<{ topic: Topic; partition: number; next_offset: bigint }>(
        'SELECT e.topic, e.partition, e.next_offset FROM ends e JOIN unnest($1::text[], $2::int[]) w(topic, partition) ON e.topic = w.topic AND e.partition = w.partition',
        [partitions.map(({ topic }) => topic), partitions.map(({ partition }) => partition)]);
      return new Map(rows.map((row) => [partitionName(row), row.next_offset]));
    });
  }

  async read(partition: TopicPartition, from: bigint, limit: number): Promise<FeedRecord[]> {
    return this.readMany(new Map([[partitionName(partition), { ...partition, next: from }]]), limit);
  }

  /** The next records of each partition that has any. */
  async readMany(wanted: ReadonlyMap<string, TopicPartition & { next: bigint }>, limit = RECORDS_PER_READ_MAX): Promise<FeedRecord[]> {
    const list = [...wanted.values()];
    if (list.length === 0) return [];
    return this.database.transaction({ role: 'worker', readOnly: true }, async (tx) => {
      const { rows } = await tx.query<Row>(
        `SELECT r.topic, r.partition, r.record_offset, r.position, r.previous, r.key, r.headers, r.value
         FROM unnest($1::text[], $2::int[], $3::bigint[]) w(topic, partition, next)
         JOIN ends e ON e.topic = w.topic AND e.partition = w.partition AND e.next_offset > w.next
         JOIN LATERAL (SELECT * FROM (SELECT l.*, sum(octet_length(l.value)) OVER (ORDER BY l.record_offset) - octet_length(l.value) AS bytes_before FROM
           (SELECT * FROM records r WHERE r.topic = w.topic AND r.partition = w.partition AND r.record_offset >= w.next ORDER BY r.record_offset LIMIT $4) l) s
           WHERE s.bytes_before < $5) r ON true
         ORDER BY r.topic, r.partition, r.record_offset`,
        [list.map(({ topic }) => topic), list.map(({ partition }) => partition), list.map(({ next }) => next), limit, BYTES_PER_READ_MAX]);
      return rows.map(toRecord);
    });
  }

  join(group: string, topics: readonly Topic[], member: GroupMember): GroupMembership {
    const membership = new PostgresMembership(this, this.database, group, topics, member);
    this.memberships.add(membership);
    membership.start();
    return { wake: () => membership.wake(), retake: (partition) => membership.retake(partition), stop: async () => { this.memberships.delete(membership); await membership.stop(); } };
  }

  isReachable(): Promise<boolean> { return this.database.isReachable(); }
  async close(): Promise<void> {
    await Promise.all([...this.memberships].map((membership) => membership.stop()));
    await this.database.close();
  }
}

/** A partition that a member reads: what comes next, and not before when. */
interface Owned extends TopicPartition { next: bigint; notBeforeMs: number; /** What it was given last was among the recent records. */ isRecent: boolean }

/** One reader of a group. Members share the partitions by their order; that is a proposal, which the epochs of the reader confirm. */
class PostgresMembership {
  private readonly id = randomUUID();
  private readonly owned = new Map<string, Owned>();
  /** Partitions whose records were handed over and are not done yet. */
  private readonly atWork = new Map<string, Promise<void>>();
  /** Of the proposed ones, those that nobody reads until they are taken again. */
  private readonly halted = new Set<string>();
  private readonly loop = new Loop(() => this.turn(), (error) => { this.member.onError(error); return ERROR_PAUSE_MS; });
  private nextHeartbeatMs = 0;
  private nextReadMs = 0;
  /** When the database is asked again, for what others have appended. */
  private nextLookMs = 0;

  constructor(private readonly feed: PostgresFeed, private readonly database: Database, private readonly group: string, readonly topics: readonly Topic[], private readonly member: GroupMember) {}

  start(): void { this.loop.start(); }
  /** `looks`: there may be something that is not among the recent records. */
  wake(looks = true): void {
    if (looks) this.nextLookMs = 0;
    this.loop.wake();
  }
  retake(partition: TopicPartition): void {
    this.halted.delete(partitionName(partition));
    // Others of this process may read it meanwhile.
    this.owned.delete(partitionName(partition));
    this.nextHeartbeatMs = 0;
    this.loop.wake();
  }

  async stop(): Promise<void> {
    await this.loop.stop();
    await Promise.all(this.atWork.values());
    this.feed.recent.leave(this.id);
    await this.database.transaction({ role: 'worker' }, (tx) => tx.query('DELETE FROM members WHERE group_name = $1 AND member = $2', [this.group, this.id])).catch(() => undefined);
  }

  private async turn(): Promise<number> {
    if (performance.now() >= this.nextHeartbeatMs) await this.takePart();
    const restMs = this.nextReadMs - performance.now();
    if (restMs > 0) return restMs;
    this.nextReadMs = performance.now() + READ_SPACING_MS;
    if (await this.deliver()) return 0;
    return this.isWaiting() ? LATER_MS : POLL_MS;
  }

  private async takePart(): Promise<void> {
    const alive = await this.database.transaction({ role: 'worker' }, async (tx) => {
      await tx.query(`INSERT INTO members VALUES ($1, $2, clock_timestamp()) ON CONFLICT (group_name, member) DO UPDATE SET seen_at = clock_timestamp()`, [this.group, this.id]);
      await tx.query(`DELETE FROM members WHERE group_name = $1 AND seen_at < clock_timestamp() - $2 * interval '1 ms'`, [this.group, MEMBER_TIMEOUT_MS]);
      const { rows } = await tx.query<{ member: string }>('SELECT member FROM members WHERE group_name = $1 ORDER BY member', [this.group]);
      return rows.map(({ member }) => member);
    });
    this.nextHeartbeatMs = performance.now() + HEARTBEAT_MS;
    const place = alive.indexOf(this.id);
    const all = this.topics.flatMap((topic) => Array.from({ length: partitionsOf(topic) }, (_, partition) => ({ topic, partition })));
    const mine = all.filter((_, index) => index % alive.length === place);
    const names = new Set(mine.map(partitionName));
    for (const name of [...this.owned.keys(), ...this.halted]) if (!names.has(name)) { this.owned.delete(name); this.halted.delete(name); this.feed.recent.leave(this.id, name); }
    const fresh = mine.filter((partition) => [this.owned, this.halted, this.atWork].every((taken) => !taken.has(partitionName(partition))));
    if (fresh.length === 0) return;
    this.nextLookMs = 0;
    const starts = await this.member.onAssigned(fresh);
    for (const partition of fresh) {
      const next = starts.get(partitionName(partition));
      if (next !== undefined) this.owned.set(partitionName(partition), { ...partition, next, notBeforeMs: 0, isRecent: false });
      else this.halted.add(partitionName(partition));
    }
  }

  /** What is next of some partitions: from the recent records, and now and then from the database. */
  private async next(asked: ReadonlyMap<string, Owned>): Promise<ReadonlyMap<string, readonly FeedRecord[]>> {
    const runs = new Map<string, readonly FeedRecord[]>();
    for (const [name, owned] of asked) {
      const { records, isBehind } = this.feed.recent.from(name, owned.next, this.id, RECORDS_PER_READ_MAX);
      owned.isRecent = records.length > 0;
      if (owned.isRecent) runs.set(name, records);
      // One that had to wait is to be offered again as soon as it said.
      else if (isBehind || owned.notBeforeMs > 0) this.nextLookMs = 0;
      owned.notBeforeMs = 0;
    }
    if (performance.now() < this.nextLookMs) return runs;
    this.nextLookMs = performance.now() + POLL_MS;
    const found = await this.feed.readMany(new Map([...asked].filter(([name]) => !runs.has(name))));
    for (const [name, run] of Map.groupBy(found, partitionName)) runs.set(name, run);
    return runs;
  }

  /** Hands over what is next. Answers whether there was any. */
  private async deliver(): Promise<boolean> {
    const now = performance.now();
    const asked = new Map([...this.owned].filter(([name, { notBeforeMs }]) => notBeforeMs <= now && !this.atWork.has(name)));
    const runs = await this.next(asked);
    for (const [name, run] of runs) {
      const owned = asked.get(name)!;
      // Given up while it was read, and perhaps to be taken again from another offset: what was read is of the past.
      if (owned !== this.owned.get(name) || !this.loop.isRunning) continue;
      const work = this.hand(name, owned, run).catch((error: unknown) => {
        owned.notBeforeMs = performance.now() + ERROR_PAUSE_MS;
        this.member.onError(error);
      }).finally(() => {
        this.atWork.delete(name);
        // Where the database had something it may have more.
        this.wake(!owned.isRecent);
      });
      this.atWork.set(name, work);
    }
    return runs.size > 0;
  }

  private async hand(name: string, owned: Owned, run: readonly FeedRecord[]): Promise<void> {
    if (run[0]!.offset !== owned.next && TOPICS[owned.topic].kind === 'transport') {
      this.halted.add(name);
      this.owned.delete(name);
      await this.member.onMissing(owned, owned.next, run[0]!.offset);
      return;
    }
    const answer = await this.member.onRecords(owned, run);
    if (typeof answer === 'object') owned.next = answer.next;
    else if (answer === 'later') owned.notBeforeMs = performance.now() + LATER_MS;
    // Given away or taken again meanwhile, it is for somebody else to say.
    else if (this.owned.get(name) === owned) {
      this.owned.delete(name);
      if (answer === 'halt') this.halted.add(name);
    }
    // What was given away meanwhile may have come back: it is taken once nobody is at work on it.
    if (answer === 'reassign' || !this.owned.has(name)) this.nextHeartbeatMs = 0;
  }

  private isWaiting(): boolean { return [...this.owned.values()].some(({ notBeforeMs }) => notBeforeMs > performance.now()); }
}
