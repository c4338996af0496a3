import { eventually } from '@valueverse/testing';
import { type Bed, eachOnABed, isExactlyOnceInOrder, recorder } from '../contract/bed.spec-kit';
import { FeedGap, type Feed } from '../feed/feed';
import { PostgresFeed } from '../feed/postgres-feed';
import type { Log } from '../log';

const TIMEOUT_MS = 30_000;
let bed: Bed;
let log: Log;
let feed: PostgresFeed;
eachOnABed((on) => new PostgresFeed(on.url, 12), (made) => { ({ bed, log, feed } = made); });

const partitions = async (): Promise<{ partition: number; facts: bigint; relayed: bigint }[]> => (await log.database.transaction({ role: 'worker' }, (tx) => tx.query<{ partition: number; facts: bigint; relayed: bigint }>(
  'SELECT h.partition, h.position AS facts, r.position AS relayed FROM heads h JOIN relay_partitions r USING (partition) WHERE h.position > 0 ORDER BY 1'))).rows;

test.each([['one by one', false], ['together', true]])('one sick partition holds up no other, nothing that was sent is sent again, and it goes on when it is well: %s', async (_, isTogether) => {
  for (let nth = 0; nth < 12; nth++) await bed.scan(log, `p${nth % 6}`);
  const sick = (await partitions())[0]!.partition;
  const sent = new Map<number, number>();
  let isWell = false;
  const append: Feed['append'] = async (topic, partition, records) => {
    if (partition === sick && !isWell) throw new Error('no leader');
    await feed.append(topic, partition, records);
    sent.set(partition, (sent.get(partition) ?? 0) + records.length);
  };
  const appendAll: Feed['appendAll'] = async (topic, all) => {
    if (all.has(sick) && !isWell) throw new Error('no leader');
    await feed.appendAll(topic, all);
    for (const [partition, records] of all) sent.set(partition, (sent.get(partition) ?? 0) + records.length);
  };
  const relay = bed.relay(log, Object.assign(Object.create(feed) as Feed, { append, appendAll: isTogether ? appendAll : undefined }));
  for (let round = 0; round < 3; round++) await expect(relay.publish()).rejects.toThrow('no leader');
  for (const { partition, facts, relayed } of await partitions()) expect([relayed, sent.get(partition) ?? 0]).toEqual(partition === sick ? [0n, 0] : [facts, Number(facts)]);
  isWell = true;
  await relay.publish();
  bed.subscription(log, feed, recorder()).start();
  const effects = await eventually('every fact', async () => { const found = await bed.effects(log); return found.length >= 12 ? found : undefined; });
  expect(effects).toHaveLength(12);
  expect(isExactlyOnceInOrder(effects)).toBe(true);
}, TIMEOUT_MS);

test('a feed that lacks what was published before stops the relay with an alarm', async () => {
  await bed.scan(log, 'a');
  const relay = bed.relay(log, feed);
  await relay.publish();
  await log.database.withOwner((client) => client.query(`UPDATE feed.ends SET next_offset = 0, position = 0; DELETE FROM feed.records`));
  await bed.scan(log, 'a');
  await expect(relay.publish()).rejects.toThrow(FeedGap);
  relay.start();
  await eventually('an alarm', (saw) => { saw(bed.alarms); return bed.alarms.find((alarm) => alarm.includes('the relay stopped')); });
  expect(relay.status().halted).toContain('follows position 1, the last one is 0');
}, TIMEOUT_MS);

test('F16: a relay that was overtaken marks nothing', async () => {
  await bed.scan(log, 'a');
  let overtake: () => Promise<unknown> = async () => undefined;
  const appendAll: Feed['appendAll'] = async (topic, all) => { await feed.appendAll(topic, all); await overtake(); };
  const slow = bed.relay(log, Object.assign(Object.create(feed) as Feed, { appendAll }));
  overtake = () => log.database.transaction({ role: 'worker' }, (tx) => tx.query(`UPDATE relay_lease SET owner = 'another', epoch = epoch + 1`));
  await expect(slow.publish()).rejects.toThrow(/taken over/);
  expect((await partitions()).map(({ relayed }) => relayed)).toEqual([0n]);
}, TIMEOUT_MS);
