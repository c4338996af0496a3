import { eventually } from '@valueverse/testing';
import type { RecordProjector } from '../consume/consumers';
import type { Subscription } from '../consume/subscription';
import { type Bed, eachOnABed, TENANT } from '../contract/bed.spec-kit';
import type { Log } from '../log';
import { PostgresFeed } from './postgres-feed';

const TIMEOUT_MS = 40_000;
const PARTITION = 3;
let bed: Bed;
let log: Log;
let feed: PostgresFeed;
eachOnABed((on) => new PostgresFeed(on.url, 12), (made) => { ({ bed, log, feed } = made); });

const owner = <T>(statement: string): Promise<T[]> => log.database.withOwner(async (client) => (await client.query(statement)).rows as T[]);
const append = (...values: string[]): Promise<void> => feed.append('usage.events', PARTITION, values.map((value) => ({ key: value, value, headers: { ce_tenant: TENANT } })));
const writer: RecordProjector = {
  kind: 'records', name: 'writer', version: 1, topics: ['usage.events'], together: true,
  project: async (tx, records) => { for (const { value, offset } of records) await tx.query(`INSERT INTO billing.effects (consumer, stream, version) VALUES ('writer', $1, $2)`, [value, Number(offset)]); },
};
const written = (count: number): Promise<string[]> => eventually(`${count} records written`, async (saw) => {
  const rows = (await owner<{ stream: string }>(`SELECT stream FROM billing.effects WHERE consumer = 'writer' ORDER BY version`)).map(({ stream }) => stream);
  saw({ rows, checkpoint: await owner(`SELECT * FROM billing.checkpoints WHERE partition = ${PARTITION}`), errors: bed.errors });
  return rows.length >= count ? rows : undefined;
});
const checkpoint = async (): Promise<{ owner: string | null; epoch: bigint; halted: string | null }> => (await owner<{ owner: string | null; epoch: bigint; halted: string | null }>(`SELECT owner, epoch, halted FROM billing.checkpoints WHERE partition = ${PARTITION}`))[0]!;
const members = async (count: number): Promise<string[]> => eventually(`${count} members`, async () => {
  const rows = await owner<{ member: string }>('SELECT member FROM feed.members ORDER BY member');
  return rows.length === count ? rows.map(({ member }) => member) : undefined;
});
/** Starts readers beside the first one until the partition is one's; members share the partitions by their order, which is by chance. */
const takenByAnother = async (): Promise<Subscription> => {
  const [first] = await members(1);
  for (;;) {
    const second = bed.subscription(log, feed, writer);
    second.start();
    const [, last] = await members(2);
    if (last !== first) return second;
    await second.stop();
    await members(1);
  }
};

test('a partition that stopped, was released elsewhere and comes back is read on', async () => {
  const first = bed.subscription(log, feed, writer);
  first.start();
  await append('a', 'b');
  await written(2);
  await owner(`INSERT INTO feed.records (topic, partition, record_offset, key, headers, value) VALUES ('usage.events', ${PARTITION}, 3, 'd', '{"ce_tenant":"${TENANT}"}', 'd')`);
  await owner(`UPDATE feed.ends SET next_offset = 4 WHERE topic = 'usage.events' AND partition = ${PARTITION}`);
  await eventually('the partition to stop', async () => ((await checkpoint()).halted === null ? undefined : true));
  const { owner: before } = await checkpoint();
  const second = await takenByAnother();
  await eventually('the other one to have the partition', async () => ((await checkpoint()).owner === before ? undefined : true));
  await owner(`UPDATE billing.checkpoints SET halted = NULL, next_offset = 3 WHERE partition = ${PARTITION}`);
  expect(await written(3)).toEqual(['a', 'b', 'd']);
  await second.stop();
  await append('e');
  expect(await written(4)).toEqual(['a', 'b', 'd', 'e']);
  await first.stop();
}, TIMEOUT_MS);

test('a partition that is stopped when it is taken is taken once, not again and again', async () => {
  await owner(`INSERT INTO billing.checkpoints (consumer, topic, partition, halted) VALUES ('writer@1', 'usage.events', ${PARTITION}, 'an operator has to look')`);
  await append('a');
  const subscription = bed.subscription(log, feed, writer);
  subscription.start();
  await eventually('the partitions to be taken', () => (subscription.isAssigned ? true : undefined));
  const { epoch } = await checkpoint();
  const seenAt = async (): Promise<string> => String((await owner<{ seen_at: Date }>('SELECT seen_at::text FROM feed.members'))[0]!.seen_at);
  for (let nth = 0, seen = await seenAt(); nth < 2; nth++) seen = await eventually('another heartbeat', async () => { const now = await seenAt(); return now === seen ? undefined : now; });
  expect((await checkpoint()).epoch).toBe(epoch);
  await owner('UPDATE billing.checkpoints SET halted = NULL');
  expect(await written(1)).toEqual(['a']);
  await subscription.stop();
}, TIMEOUT_MS);
