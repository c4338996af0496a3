import { randomBytes } from 'node:crypto';
import { describeOnKafka, eventually } from '@valueverse/testing';
import { Checkpoints } from '../consume/checkpoints';
import type { Consumer } from '../consume/consumers';
import { partitionName, type Feed } from '../feed/feed';
import { KafkaFeed } from '../feed/kafka-feed';
import { PostgresFeed } from '../feed/postgres-feed';
import { ident, type Tx } from '../database/database';
import type { Log } from '../log';
import { FACT_BYTES_MAX } from '../store/event-store';
import { foldInto, hashOfTable, readModelTableSql } from '../project/read-model';
import { parcel, scan, scansByLetter } from './parcels.spec-kit';
import { Bed, isExactlyOnceInOrder, readyTopics, recorder, TENANT } from './bed.spec-kit';

interface Bench { bed: Bed; log: Log; feed: Feed; another(): Feed }
type MakeFeed = (bed: Bed) => Feed;

const WRITERS = 24;
const APPENDS_EACH = 12;
const TIMEOUT_MS = 60_000;

/** Holds a transaction open over so many more statements: others commit meanwhile. */
const linger = async (tx: Tx, statements: number): Promise<void> => { for (let nth = 0; nth < statements; nth++) await tx.query('SELECT pg_current_xact_id()'); };

/** What holds on every feed. The same suite runs on PostgreSQL and on a real Kafka. */
const contract = (makeFeed: () => MakeFeed, killedAt: readonly number[] | 'every statement'): void => {
  let bench: Bench;
  const closing: Feed[] = [];

  beforeEach(async () => {
    const bed = await Bed.make();
    const make = (): Feed => { const feed = makeFeed()(bed); closing.push(feed); return feed; };
    const feed = make();
    await readyTopics(feed);
    bench = { bed, log: bed.open(), feed, another: make };
  }, TIMEOUT_MS);
  afterEach(async () => {
    await bench.bed.close();
    await Promise.all(closing.splice(0).map((feed) => feed.close()));
  }, TIMEOUT_MS);

  const handled = (log: Log, count: number, consumer?: string): Promise<{ stream: string; version: number }[]> =>
    eventually(`${count} handled facts`, async (saw) => {
      const effects = await bench.bed.effects(log, consumer);
      saw(effects.length);
      return effects.length >= count ? effects : undefined;
    }, { timeoutMs: TIMEOUT_MS });

  test('F50 F56 F59: 24 writers, slow ones and rolled-back ones among them: nothing is skipped, nothing comes twice, streams keep their order', async () => {
    const { bed, log, feed } = bench;
    bed.relay(log, feed).start();
    bed.subscription(log, feed, recorder()).start();
    let rolledBack = 0;
    await Promise.all(Array.from({ length: WRITERS }, async (_, writer) => {
      for (let nth = 0; nth < APPENDS_EACH; nth++) {
        if ((writer + nth) % 7 === 3) {
          // A writer that holds its transaction open for a while and then gives up.
          rolledBack++;
          await log.database.transaction({ role: 'worker' }, async (tx) => {
            await linger(tx, 4);
            throw new Error('given up');
          }).catch(() => undefined);
        } else {
          await log.transact({ role: 'worker' }, async (tx) => {
            if (writer % 5 === 0) await linger(tx, 8);
            const instruction = { decider: parcel, command: scan(`p${writer % 6}`), context: { tenant: TENANT, at: '2026-01-01T00:00:00Z', actor: 'test' } };
            await log.execute(tx, [instruction]);
          });
        }
      }
    }));
    const expected = WRITERS * APPENDS_EACH - rolledBack;
    const effects = await handled(log, expected);
    expect(effects).toHaveLength(expected);
    expect(isExactlyOnceInOrder(effects)).toBe(true);
  }, TIMEOUT_MS);

  test('F03 F04: a consumer killed in the middle of its transaction leaves no effect behind and none out', async () => {
    const { bed, log, feed } = bench;
    for (const parcelId of ['a', 'b', 'a', 'c', 'a']) await bed.scan(log, parcelId);
    const relay = bed.relay(log, feed);
    while ((await relay.publish()) > 0);
    let kills = 0;
    for (let nth = 0; ; nth++) {
      if (killedAt !== 'every statement' && nth >= killedAt.length) break;
      const deadline = killedAt === 'every statement' ? nth + 1 : killedAt[nth]!;
      let statements = 0;
      let dead = false;
      // From its n-th statement on this process can do nothing more; the server rolls its transaction back.
      const dying = bed.open(() => { statements += 1; if (statements >= deadline) { dead = true; throw new Error('killed'); } });
      const subscription = bed.subscription(dying, feed, recorder(), { begunMax: Number.POSITIVE_INFINITY });
      subscription.start();
      const finished = await eventually('death or completion', async () => (dead || (await bed.effects(log)).length === 5 ? true : undefined), { timeoutMs: TIMEOUT_MS });
      expect(finished).toBe(true);
      await subscription.stop();
      if (!dead) break;
      kills += 1;
      expect(isExactlyOnceInOrder(await bed.effects(log))).toBe(true);
      if ((await bed.effects(log)).length === 5) break;
    }
    const survivor = bed.subscription(bed.open(), feed, recorder());
    survivor.start();
    const effects = await handled(log, 5);
    expect(effects).toHaveLength(5);
    expect(isExactlyOnceInOrder(effects)).toBe(true);
    expect(kills).toBeGreaterThan(0);
  }, TIMEOUT_MS * 2);

  test('F05 F06 F127: a zombie that slept past its lease changes nothing', async () => {
    const { bed, log, feed } = bench;
    await bed.scan(log, 'a');
    await bed.relay(log, feed).publish();
    let wakeUp: () => void = () => undefined;
    let asleep = false;
    const sleep = new Promise<void>((resolve) => { wakeUp = resolve; });
    const zombie = bed.subscription(bed.open(), feed, recorder(async () => { asleep = true; await sleep; }));
    zombie.start();
    await eventually('the zombie to fall asleep inside its transaction', () => (asleep ? true : undefined), { timeoutMs: TIMEOUT_MS });
    // A peer takes over with a higher epoch, as the group would have it do when the zombie is not heard of.
    await new Checkpoints(bed.open().database, 'successor').acquire(
      Array.from({ length: 16 }, (_, partition) => ({ topic: 'billing.plans', partition, consumer: 'recorder@1' })));
    wakeUp();
    await eventually('the zombie to have tried', async (saw) => {
      const open = await log.database.transaction({ role: 'worker' }, (tx) => tx.query(`SELECT FROM pg_stat_activity WHERE state LIKE 'idle in transaction%' AND datname = current_database()`));
      saw(open.rowCount);
      return open.rowCount === 0 ? true : undefined;
    }, { timeoutMs: TIMEOUT_MS });
    expect((await bed.effects(log)).length).toBeLessThanOrEqual(1);
    await zombie.stop();
    bed.subscription(bed.open(), feed, recorder()).start();
    expect(await handled(log, 1)).toEqual([{ stream: 'parcel-a', version: 1 }]);
  }, TIMEOUT_MS);

  test('F121: two relays on one store publish each fact once, in order', async () => {
    const { bed, log, feed, another } = bench;
    const second = bed.open();
    bed.relay(log, feed).start();
    bed.relay(second, another()).start();
    bed.subscription(log, feed, recorder()).start();
    for (let nth = 0; nth < 40; nth++) await bed.scan(nth % 2 === 0 ? log : second, `p${nth % 3}`);
    const effects = await handled(log, 40);
    expect(effects).toHaveLength(40);
    expect(isExactlyOnceInOrder(effects)).toBe(true);
  }, TIMEOUT_MS);

  test('F28 F120: facts that a relay sends again are handled once', async () => {
    const { bed, log, feed } = bench;
    for (let nth = 0; nth < 6; nth++) await bed.scan(log, 'a');
    const relay = bed.relay(log, feed);
    await relay.publish();
    // As if it had died between sending and marking.
    await log.database.transaction({ role: 'worker' }, async (tx) => {
      await tx.query('UPDATE relay_partitions SET position = 0');
      await tx.query('UPDATE relay_tails SET position = 0');
    });
    await relay.publish();
    bed.subscription(log, feed, recorder()).start();
    await bed.scan(log, 'a');
    await relay.publish();
    const effects = await handled(log, 7);
    expect(effects).toHaveLength(7);
    expect(isExactlyOnceInOrder(effects)).toBe(true);
  }, TIMEOUT_MS);

  test('F124 F126: a poison message parks its stream with the reason; the others go on; a retry brings it in, in order', async () => {
    const { bed, log, feed } = bench;
    let poisonous = true;
    const consumer = recorder((streams) => { if (poisonous && streams.includes('parcel-bad')) throw new Error('cannot read this'); });
    const subscription = bed.subscription(log, feed, consumer);
    bed.relay(log, feed).start();
    subscription.start();
    for (let nth = 0; nth < 3; nth++) {
      await bed.scan(log, 'bad');
      await bed.scan(log, 'good');
    }
    const effects = await handled(log, 3);
    expect(effects.map(({ stream }) => stream)).toEqual(['parcel-good', 'parcel-good', 'parcel-good']);
    await eventually('three parked records', async (saw) => {
      const { rowCount } = await log.database.transaction({ role: 'worker' }, (tx) => tx.query(`SELECT FROM parked_records WHERE stream = 'parcel-bad'`));
      saw(rowCount);
      return rowCount === 3 ? true : undefined;
    }, { timeoutMs: TIMEOUT_MS });
    expect(bed.alarms.some((alarm) => alarm.includes('cannot read this'))).toBe(true);
    poisonous = false;
    expect(await subscription.retryParked('recorder@1', TENANT, 'parcel-bad')).toBe(3);
    const after = await bed.effects(log);
    expect(after).toHaveLength(6);
    expect(isExactlyOnceInOrder(after)).toBe(true);
  }, TIMEOUT_MS);

  test('F30 F31 F32 F33: readers that come and go while records flow lose nothing and repeat nothing', async () => {
    const { bed, log, feed, another } = bench;
    bed.relay(log, feed).start();
    const first = bed.subscription(bed.open(), feed, recorder());
    first.start();
    for (let nth = 0; nth < 20; nth++) await bed.scan(log, `p${nth % 5}`);
    const second = bed.subscription(bed.open(), another(), recorder());
    second.start();
    for (let nth = 0; nth < 20; nth++) await bed.scan(log, `p${nth % 5}`);
    await eventually('the second reader to have partitions', () => (second.isAssigned ? true : undefined), { timeoutMs: TIMEOUT_MS });
    await first.stop();
    for (let nth = 0; nth < 20; nth++) await bed.scan(log, `p${nth % 5}`);
    const effects = await handled(log, 60);
    expect(effects).toHaveLength(60);
    expect(isExactlyOnceInOrder(effects)).toBe(true);
  }, TIMEOUT_MS * 2);

  test('a record that was taken out of the feed stops the consumer with an alarm', async () => {
    const { bed, log, feed } = bench;
    for (let nth = 0; nth < 3; nth++) await bed.scan(log, 'a');
    await bed.relay(log, feed).publish();
    const { partition, records } = await takeOutTheSecond(feed);
    expect(records).toBe(3);
    const subscription = bed.subscription(log, feed, recorder());
    subscription.start();
    await eventually('an alarm', (saw) => { saw(bed.alarms); return bed.alarms.find((alarm) => alarm.includes('missing')); }, { timeoutMs: TIMEOUT_MS });
    expect(await bed.effects(log)).toEqual([{ stream: 'parcel-a', version: 1 }]);
    const { rows } = await log.database.transaction({ role: 'worker' }, (tx) => tx.query<{ partition: number; halted: string }>('SELECT partition, halted FROM checkpoints WHERE halted IS NOT NULL'));
    expect(rows).toEqual([{ partition, halted: expect.stringContaining('missing') }]);
  }, TIMEOUT_MS);

  test('rows that are rebuilt from the feed are the same bytes', async () => {
    const { bed, log, feed } = bench;
    const folding = (version: number, table: string): Consumer => ({
      kind: 'projector', name: 'scans-by-letter', version, topics: ['billing.plans'], events: ['ParcelScanned'],
      project: (tx, facts) => foldInto(tx, scansByLetter, facts, { table, ownStream: false }),
    });
    await log.database.transaction({ role: 'owner' }, async (tx) => {
      for (const table of ['scans_live', 'scans_rebuilt']) await tx.query(readModelTableSql('billing', scansByLetter, table));
    });
    bed.relay(log, feed).start();
    const live = bed.subscription(bed.open(), feed, folding(1, 'scans_live'));
    live.start();
    for (let nth = 0; nth < 40; nth++) await bed.scan(log, `${'abc'[nth % 3]}${nth % 7}`);
    const scans = (table: string): Promise<number> => log.database.transaction({ role: 'worker' }, async (tx) =>
      Number((await tx.query<{ scans: string | null }>(`SELECT sum((row->>'scans')::int) AS scans FROM ${ident(table)}`)).rows[0]!.scans ?? 0));
    const whole = (table: string): Promise<true> => eventually(`40 scans in ${table}`, async (saw) => { const count = await scans(table); saw(count); return count === 40 ? true : undefined; }, { timeoutMs: TIMEOUT_MS / 2 });
    await whole('scans_live');
    await live.stop();
    // A new version has a checkpoint of its own, so it reads everything from the beginning, in silence.
    bed.subscription(bed.open(), feed, folding(2, 'scans_rebuilt')).start();
    await whole('scans_rebuilt');
    const hash = (table: string): Promise<string> => log.database.transaction({ role: 'worker' }, (tx) => hashOfTable(tx, table));
    expect(await hash('scans_rebuilt')).toBe(await hash('scans_live'));
  }, TIMEOUT_MS);

  /** On PostgreSQL the row is deleted; Kafka cannot delete one record, so the topic is written again without it under the same predecessor chain. */
  const takeOutTheSecond = async (feed: Feed): Promise<{ partition: number; records: number }> => {
    for (let partition = 0; partition < 16; partition++) {
      const records = await feed.read({ topic: 'billing.plans', partition }, 0n, 10);
      if (records.length === 0) continue;
      await removeRecord(feed, bench.bed, partition, records);
      return { partition, records: records.length };
    }
    throw new Error('no records');
  };
};

const removeRecord = async (feed: Feed, bed: Bed, partition: number, records: readonly { offset: bigint; key: string; value: string; headers: Readonly<Record<string, string>>; position?: bigint; previous?: bigint }[]): Promise<void> => {
  if (feed.kind === 'postgres') {
    const log = bed.open();
    await log.database.withOwner((client) => client.query(`DELETE FROM feed.records WHERE topic = 'billing.plans' AND partition = $1 AND record_offset = 1`, [partition]));
    return;
  }
  const log = bed.open();
  // The first reader starts after what is there, and meets the first record and then the third.
  await log.database.transaction({ role: 'worker' }, (tx) => tx.query(`INSERT INTO checkpoints (consumer, topic, partition, next_offset) VALUES ('recorder@1', 'billing.plans', $1, $2)`, [partition, records.length]));
  await feed.append('billing.plans', partition, [records[0]!, records[2]!] as never);
};

describe('the feed on PostgreSQL', () => {
  contract(() => (bed) => new PostgresFeed(bed.url, 12), 'every statement');

  test('refuses a record that does not follow the last one', async () => {
    const bed = await Bed.make();
    const feed = new PostgresFeed(bed.url);
    await feed.ensureTopics();
    const record = (position: bigint, previous: bigint): Parameters<Feed['append']>[2][0] => ({ key: 'k', value: '{}', headers: {}, position, previous });
    await feed.append('billing.plans', 0, [record(1n, 0n), record(3n, 1n)]);
    await expect(feed.append('billing.plans', 0, [record(7n, 5n)])).rejects.toMatchObject({ code: 'feed_gap' });
    await feed.append('billing.plans', 0, [record(3n, 1n), record(5n, 3n)]);
    const ends = async (...partitions: number[]): Promise<(bigint | undefined)[]> => {
      const all = partitions.map((partition) => ({ topic: 'billing.plans' as const, partition }));
      const found = await feed.ends(all);
      return all.map((one) => found.get(partitionName(one)));
    };
    expect(await ends(0)).toEqual([3n]);
    // Of several partitions all or none; what is there already is passed over.
    await expect(feed.appendAll('billing.plans', new Map([[0, [record(9n, 5n)]], [1, [record(4n, 2n)]]]))).rejects.toMatchObject({ code: 'feed_gap' });
    expect(await ends(0, 1)).toEqual([3n, 0n]);
    await feed.appendAll('billing.plans', new Map([[0, [record(5n, 3n), record(9n, 5n)]], [1, [record(2n, 0n), record(4n, 2n)]]]));
    expect(await ends(0, 1)).toEqual([4n, 2n]);
    expect((await feed.read({ topic: 'billing.plans', partition: 0 }, 0n, 10)).map(({ offset, position }) => [offset, position])).toEqual([[0n, 1n], [1n, 3n], [2n, 5n], [3n, 9n]]);
    await expect(feed.appendAll('billing.plans', new Map([[1, [record(6n, 4n)]], [999, [record(1n, 0n)]]]))).rejects.toThrow('is not there');
    await expect(feed.appendAll('identity.personal-keys', new Map([[0, [record(1n, 0n)]]]))).rejects.toThrow('replace each other');
    await feed.close();
    await bed.close();
  });
});

describeOnKafka('the feed on Kafka', (brokers) => {
  contract(() => (bed) => new KafkaFeed({ brokers: brokers(), clientId: 'contract', namespace: `${bed.group}.` }), [2, 5, 7]);

  test('takes a backlog and facts that are larger than the usual request of a broker, the largest that there are among them, in order', async () => {
    const feed = new KafkaFeed({ brokers: brokers(), clientId: 'contract', namespace: `n${randomBytes(4).toString('hex')}.` });
    await feed.ensureTopics();
    const sizes = [...Array.from({ length: 300 }, () => 10_000), 2_500_000, FACT_BYTES_MAX, 1];
    await feed.append('billing.plans', 3, sizes.map((size, nth) => ({ key: String(nth), value: randomBytes(size / 2).toString('hex'), headers: {} })));
    const records = await feed.read({ topic: 'billing.plans', partition: 3 }, 0n, sizes.length);
    expect(records.map(({ key }) => key)).toEqual(sizes.map((_, nth) => String(nth)));
    await feed.close();
  }, TIMEOUT_MS);

  test('F35: refuses to start on a topic that could lose facts', async () => {
    const { Kafka } = await import('kafkajs');
    const namespace = `n${randomBytes(4).toString('hex')}.`;
    const admin = new Kafka({ clientId: 'admin', brokers: [...brokers()] }).admin();
    await admin.connect();
    await admin.createTopics({ waitForLeaders: false, topics: [{ topic: `${namespace}usage.ingress`, numPartitions: 32 }, { topic: `${namespace}billing.invoices`, numPartitions: 16, configEntries: [{ name: 'retention.ms', value: '1000' }, { name: 'max.message.bytes', value: '20000000' }] }] });
    await admin.disconnect();
    const feed = new KafkaFeed({ brokers: brokers(), clientId: 'contract', namespace });
    const refused = await feed.ensureTopics().catch((error: Error) => error.message);
    expect(refused).toMatch(/billing.invoices: retention.ms/);
    expect(refused).toMatch(/usage.ingress: compression.type has to be uncompressed/);
    await feed.close();
  }, TIMEOUT_MS);
});

