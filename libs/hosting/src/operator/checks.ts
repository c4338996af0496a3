import { STORE_PARTITIONS, tableOf, type Tx } from '@valueverse/event-log';
import { HASH_NAME, microsOf } from '@valueverse/kernel';
import { partitionsOf, type Topic } from '@valueverse/contracts';
import { type LookResult, migrationName, type Service } from '@valueverse/platform';
import type { PoolClient } from 'pg';
import type { Operated } from './operated';
import { outboxOf } from './outbox';

/** What one look has found. `next` names the command, or what to do, where something is wrong. */
export interface Finding extends LookResult { readonly check: string }
type Look = (service: Service, operated: Operated) => Promise<LookResult>;

const OUTBOX_AGE_MAX_S = 60;
const BEHIND_MAX = 10_000;
const OVERDUE_MAX_S = 300;
const FAILING_FROM_ATTEMPT = 8;
const IDLE_TRANSACTION_MAX_S = 10;
const LOCK_WAIT_MAX_S = 5;
const CLOCK_SKEW_MAX_MS = 2_000;
const REBUILD_SILENT_MAX_S = 60;
const MICROS_PER_MS = 1_000n;

const fine = (detail: string): LookResult => ({ ok: true, detail });
const wrong = (detail: string, next: string): LookResult => ({ ok: false, detail, next });
const read = <T>(service: Service, work: (tx: Tx) => Promise<T>): Promise<T> => service.database.transaction({ role: 'worker', readOnly: true }, work);
/** A role sees little of the sessions of others; the user of the connection sees its own. */
const asLogin = <T>(service: Service, work: (client: Pick<PoolClient, 'query'>) => Promise<T>): Promise<T> => service.database.withOwner(work);
const vv = (service: Service, command: string): string => `npx vv ${command} ${service.name}`;
const few = (names: readonly string[]): string => (names.length <= 3 ? names.join(', ') : `${names.slice(0, 3).join(', ')} and ${names.length - 3} more`);

const feedEnds = async (service: Service): Promise<{ name: string; consumer: string; next: bigint; end: bigint; owner: string | null }[]> => {
  const { rows } = await read(service, (tx) => tx.query<{ consumer: string; topic: Topic; partition: number; next_offset: bigint; owner: string | null }>(
    'SELECT consumer, topic, partition, next_offset, owner FROM checkpoints WHERE consumer = ANY($1) AND halted IS NULL', [service.readers]));
  const ends = await service.feed.ends(rows.map(({ topic, partition }) => ({ topic, partition })));
  return rows.map((row) => ({ name: `${row.topic}/${row.partition}`, consumer: row.consumer, next: row.next_offset, owner: row.owner, end: ends.get(`${row.topic}/${row.partition}`) ?? 0n }));
};

const LOOKS: Readonly<Record<string, Look>> = {
  database: async ({ database }) => (await database.isReachable() ? fine('answers') : wrong('the database does not answer', 'start PostgreSQL, or check DATABASE_URL')),
  feed: async ({ feed }) => (await feed.isReachable() ? fine(feed.kind) : wrong(`the feed (${feed.kind}) does not answer`, feed.kind === 'kafka' ? 'start the brokers, or check KAFKA_BROKERS' : 'start PostgreSQL, or check FEED_DATABASE_URL')),
  topics: async ({ feed }) => {
    const faults = await feed.faults();
    return faults.length === 0 ? fine('settings and copies are right') : wrong(faults.join('; '), 'put the topics right, see docs/ARCHITECTURE.md, "Kafka"');
  },
  outbox: async (service) => {
    const { facts, oldestSeconds, relay } = await outboxOf(service);
    if ((oldestSeconds ?? 0) <= OUTBOX_AGE_MAX_S) return fine(`${facts} facts on their way`);
    return wrong(`${facts} facts are not published, the oldest for ${oldestSeconds} s; the relay is ${relay.leaseSeconds > 0 ? `held by ${relay.owner}` : 'held by nobody'}`, vv(service, 'outbox status'));
  },
  'relay-ahead': async (service) => {
    const { rows } = await read(service, (tx) => tx.query<{ partition: number }>('SELECT r.partition FROM relay_partitions r JOIN heads h USING (partition) WHERE r.position > h.position ORDER BY 1'));
    if (rows.length === 0) return fine('published nothing that is not in the store');
    return wrong(`partitions ${few(rows.map(({ partition }) => String(partition)))} were published further than the store reaches: it was restored to an earlier moment`, `stop ${service.name}, and compare the feed with the store before anything is written`);
  },
  'readers-stopped': async (service) => {
    const { rows } = await read(service, (tx) => tx.query<{ consumer: string; topic: string; partition: number; halted: string }>(
      'SELECT consumer, topic, partition, halted FROM checkpoints WHERE halted IS NOT NULL AND consumer = ANY($1) ORDER BY 1, 2, 3', [service.readers]));
    const [first] = rows;
    if (first === undefined) return fine('none');
    return wrong(`${rows.length} stopped; ${first.consumer} at ${first.topic}/${first.partition}: ${first.halted}`, `mend the cause (docs/ARCHITECTURE.md, "When a reader stops"), then: npx vv readers resume ${service.name} ${first.consumer}`);
  },
  'readers-behind': async (service) => {
    const behind = (await feedEnds(service)).filter(({ end, next }) => end - next > BigInt(BEHIND_MAX));
    return behind.length === 0 ? fine('none by more than ten thousand records') : wrong(`behind: ${few(behind.map(({ consumer, name, end, next }) => `${consumer} ${name} by ${end - next}`))}`, 'add a replica, or look at the log of the service for what holds it up');
  },
  'readers-ahead': async (service) => {
    const ahead = (await feedEnds(service)).filter(({ end, next }) => next > end);
    return ahead.length === 0 ? fine('none') : wrong(`beyond the end of the feed: ${few(ahead.map(({ consumer, name }) => `${consumer} ${name}`))}; the topic was made anew, or the feed was restored`, 'bring the topic back; or compare it with the store of its owner before the checkpoints are moved');
  },
  'readers-unowned': async (service) => {
    const unowned = (await feedEnds(service)).filter(({ owner, end, next }) => owner === null && end > next);
    return unowned.length === 0 ? fine('none') : wrong(`nobody reads ${few(unowned.map(({ consumer, name }) => `${consumer} ${name}`))}`, `start a process of ${service.name}`);
  },
  'parked-streams': async (service) => {
    const { rows } = await read(service, (tx) => tx.query<{ n: bigint; reason: string | null }>('SELECT count(*) AS n, min(reason) AS reason FROM parked_streams'));
    return rows[0]!.n === 0n ? fine('none') : wrong(`${rows[0]!.n} parked, one because: ${rows[0]!.reason}`, vv(service, 'dlq list'));
  },
  'rejected-records': async (service) => {
    const { rows } = await read(service, (tx) => tx.query<{ n: bigint; code: string | null }>('SELECT count(*) AS n, min(code) AS code FROM rejected_records'));
    return rows[0]!.n === 0n ? fine('none') : wrong(`${rows[0]!.n} records that are no facts of ours (${rows[0]!.code})`, vv(service, 'dlq list'));
  },
  anchors: async (service, { anchors }) => {
    const last = new Map((await anchors.read(service.name)).map(({ partition, position }) => [partition, position]));
    const { rows } = await read(service, (tx) => tx.query<{ partition: number; position: bigint }>('SELECT partition, position FROM heads'));
    const cut = rows.filter(({ partition, position }) => position < (last.get(partition) ?? 0n));
    return cut.length === 0 ? fine('every head is at or after its anchor') : wrong(`partitions ${few(cut.map(({ partition }) => String(partition)))} end before their anchors: facts are missing at the end`, vv(service, 'log verify'));
  },
  store: async (service) => {
    const { rows } = await read(service, (tx) => tx.query<{ partition: number }>(
      'SELECT h.partition FROM heads h WHERE h.position <> coalesce((SELECT e.position FROM events e WHERE e.partition = h.partition ORDER BY e.position DESC LIMIT 1), 0) ORDER BY 1'));
    return rows.length === 0 ? fine('heads and facts end at the same positions') : wrong(`in partitions ${few(rows.map(({ partition }) => String(partition)))} the last fact is not at the head`, vv(service, 'log verify'));
  },
  'store-settings': async (service) => {
    const { rows } = await read(service, (tx) => tx.query<{ name: string; value: string }>('SELECT name, value FROM store_settings'));
    const found = new Map(rows.map(({ name, value }) => [name, value]));
    const isSame = found.get('partitions') === String(STORE_PARTITIONS) && found.get('hash') === HASH_NAME;
    return isSame ? fine(`${STORE_PARTITIONS} partitions, ${HASH_NAME}`) : wrong(`the store was made with ${[...found].map(([name, value]) => `${name} = ${value}`).join(', ')}`, 'run the release that made it');
  },
  migrations: async (service) => {
    const { rows } = await service.database.transaction({ role: 'owner', readOnly: true }, (tx) => tx.query<{ name: string }>('SELECT name FROM migrations'));
    const [known, ran] = [new Set(service.migrations.map(migrationName)), new Set(rows.map(({ name }) => name))];
    const [missing, newer] = [[...known].filter((name) => !ran.has(name)), [...ran].filter((name) => !known.has(name))];
    if (missing.length > 0) return wrong(`not run yet: ${few(missing)}`, vv(service, 'migrate'));
    return newer.length === 0 ? fine('up to date') : wrong(`the database has steps of a newer release: ${few(newer)}`, 'finish the upgrade, or roll the database back with the release');
  },
  'read-models': async (service) => {
    const wanted = service.views.map(({ schema, model }) => `${schema}.${tableOf(model)}`);
    const { rows } = await read(service, (tx) => tx.query<{ name: string }>('SELECT w.name FROM unnest($1::text[]) w(name) WHERE to_regclass(w.name) IS NULL', [wanted]));
    return rows.length === 0 ? fine(`${wanted.length} there`) : wrong(`missing: ${few(rows.map(({ name }) => name))}`, vv(service, 'migrate'));
  },
  rebuilds: async (service) => {
    const { rows } = await read(service, (tx) => tx.query<{ name: string; phase: string; error: string | null }>(
      `SELECT name, phase, error FROM rebuilds WHERE phase = 'failed' OR (phase <> 'done' AND seen_at < clock_timestamp() - $1 * interval '1 s')`, [REBUILD_SILENT_MAX_S]));
    const [first] = rows;
    return first === undefined ? fine('none failed') : wrong(`the rebuild of ${first.name} ${first.phase === 'failed' ? `failed: ${first.error}` : 'ended with its process'}`, `npx vv projections rebuild ${service.name} ${first.name} --compare`);
  },
  'jobs-failing': async (service) => {
    const { rows } = await read(service, (tx) => tx.query<{ n: bigint; kind: string | null; waits_for: string | null }>('SELECT count(*) AS n, min(kind) AS kind, min(waits_for) AS waits_for FROM jobs WHERE attempt >= $1', [FAILING_FROM_ATTEMPT]));
    const { n, kind, waits_for: reason } = rows[0]!;
    return n === 0n ? fine('none') : wrong(`${n} keep failing, such as ${kind}: ${reason ?? 'its process ended'}`, `look for "${kind}" in the log of ${service.name}`);
  },
  'jobs-overdue': async (service) => {
    const { rows } = await read(service, (tx) => tx.query<{ n: bigint; kind: string | null }>(
      `SELECT count(*) AS n, min(kind) AS kind FROM jobs WHERE clock IS NULL AND due_at < clock_timestamp() - $1 * interval '1 s' AND attempt < $2`, [OVERDUE_MAX_S, FAILING_FROM_ATTEMPT]));
    return rows[0]!.n === 0n ? fine('none') : wrong(`${rows[0]!.n} should have run, such as ${rows[0]!.kind}`, `start a process of ${service.name}, or look what its runners are at`);
  },
  'idle-transactions': async (service) => {
    const { rows } = await asLogin(service, (client) => client.query<{ pid: number; application_name: string; seconds: string }>(
      `SELECT pid, application_name, extract(epoch FROM clock_timestamp() - state_change)::int::text AS seconds FROM pg_stat_activity
       WHERE datname = current_database() AND state LIKE 'idle in transaction%' AND state_change < clock_timestamp() - $1 * interval '1 s' ORDER BY state_change`, [IDLE_TRANSACTION_MAX_S]));
    const [first] = rows;
    return first === undefined ? fine('none') : wrong(`process ${first.pid} (${first.application_name}) has a transaction open and does nothing for ${first.seconds} s`, `SELECT pg_terminate_backend(${first.pid})`);
  },
  locks: async (service) => {
    const { rows } = await asLogin(service, (client) => client.query<{ pid: number; blockers: number[] }>(
      `SELECT pid, pg_blocking_pids(pid) AS blockers FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND state_change < clock_timestamp() - $1 * interval '1 s' LIMIT 1`, [LOCK_WAIT_MAX_S]));
    const [first] = rows;
    return first === undefined ? fine('none waited for long') : wrong(`process ${first.pid} waits for a lock of ${first.blockers.join(', ')}`, `SELECT * FROM pg_stat_activity WHERE pid = ${first.blockers[0] ?? first.pid}`);
  },
  durability: async (service) => {
    const { rows } = await read(service, (tx) => tx.query<{ name: string }>(
      `SELECT name FROM pg_settings WHERE name IN ('fsync', 'synchronous_commit', 'full_page_writes') AND setting = 'off' ORDER BY name`));
    return rows.length === 0 ? fine('what was answered is on disk') : wrong(`${rows.map(({ name }) => name).join(', ')} off: what was acknowledged may be lost`, 'ALTER SYSTEM RESET ALL, or set them on, and restart PostgreSQL');
  },
  clock: async (service) => {
    const { rows } = await read(service, (tx) => tx.query<{ ms: string }>('SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint::text AS ms'));
    const skew = Math.abs(Number(rows[0]!.ms) - Number(microsOf(service.clock.now()) / MICROS_PER_MS));
    return skew <= CLOCK_SKEW_MAX_MS ? fine('agrees with the database') : wrong(`${Math.round(skew / 1_000)} s apart from the database`, 'synchronise the clocks of the hosts (NTP)');
  },
  redis: async (_, { shared }) => (await shared.isReachable() ? fine('shared, or not needed') : wrong('Redis does not answer: each process counts and remembers for itself', 'start Redis, or check REDIS_URL')),
  partitions: async (service) => {
    const { rows } = await read(service, (tx) => tx.query<{ topic: Topic; partition: number }>('SELECT DISTINCT topic, partition FROM checkpoints WHERE consumer = ANY($1)', [service.readers]));
    const strange = rows.filter(({ topic, partition }) => partition >= partitionsOf(topic));
    return strange.length === 0 ? fine('as many as this release has') : wrong(`checkpoints of partitions that this release does not have: ${few(strange.map(({ topic, partition }) => `${topic}/${partition}`))}`, 'the partition count of a topic was raised, which moves streams: make the topic anew');
  },
};

/** Every look at one service, those of its contexts among them. One that cannot be taken is a finding too. */
export const findingsOf = async (service: Service, operated: Operated): Promise<readonly Finding[]> => {
  const findings: Finding[] = [];
  for (const [check, look] of Object.entries({ ...LOOKS, ...service.looks })) {
    findings.push({ check, ...await look(service, operated).catch((error: unknown) => wrong(`could not look: ${(error as Error).message}`, `look at the log of ${service.name}`)) });
  }
  return findings;
};
