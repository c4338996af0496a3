import { eventually } from '@valueverse/testing';
import { type Bed, eachOnABed, TENANT } from '../contract/bed.spec-kit';
import { PostgresFeed } from '../feed/postgres-feed';
import type { Log } from '../log';
import { parcel, type ParcelScanned } from '../contract/parcels.spec-kit';
import { follow, NotYetKnown, type Reactor, type RecordProjector } from './consumers';
import { Together, Turns } from './together';

const TIMEOUT_MS = 30_000;
const PARTITIONS = [0, 1, 2, 3, 4, 5, 6, 7];
let bed: Bed;
let log: Log;
let feed: PostgresFeed;
eachOnABed((on) => new PostgresFeed(on.url, 12), (made) => { ({ bed, log, feed } = made); });

const owner = <T>(statement: string): Promise<T[]> => log.database.withOwner(async (client) => (await client.query(statement)).rows as T[]);
const append = (partition: number, ...values: string[]): Promise<void> => feed.append('usage.events', partition, values.map((value) => ({ key: `${partition} ${value}`, value, headers: { ce_tenant: TENANT } })));
/** Writes a row for each record, and tells which came together. */
const reader = (told: string[][], before: (values: readonly string[]) => void = () => undefined): RecordProjector => ({
  kind: 'records', name: 'sharing', version: 1, topics: ['usage.events'], together: true,
  project: async (tx, records) => {
    told.push(records.map(({ partition, value }) => `${partition}/${value}`));
    before(records.map(({ value }) => value));
    for (const { partition, offset } of records) await tx.query('INSERT INTO billing.effects (consumer, stream, version) VALUES ($1, $2, $3)', ['sharing', String(partition), Number(offset) + 1]);
  },
});
const effects = (count: number): Promise<string[]> => eventually(`${count} effects`, async (saw) => {
  const found = (await owner<{ stream: string; version: number }>(`SELECT stream, version FROM billing.effects WHERE consumer = 'sharing' ORDER BY stream, version`)).map(({ stream, version }) => `${stream}/${version}`);
  saw(found);
  return found.length >= count ? found : undefined;
});

test('records of many partitions are handled in one transaction, each once and in the order of its partition', async () => {
  for (const partition of PARTITIONS) await append(partition, 'a', 'b');
  const told: string[][] = [];
  const subscription = bed.subscription(log, feed, reader(told));
  subscription.start();
  expect(await effects(16)).toEqual(PARTITIONS.flatMap((partition) => [`${partition}/1`, `${partition}/2`]));
  await subscription.stop();
  expect(told.length).toBeLessThan(PARTITIONS.length);
  for (const partition of PARTITIONS) expect(told.flat().filter((one) => one.startsWith(`${partition}/`))).toEqual([`${partition}/a`, `${partition}/b`]);
}, TIMEOUT_MS);

test('what cannot be handled in one partition is parked alone; the others, and what comes behind it, are handled once', async () => {
  for (const partition of PARTITIONS) await append(partition, 'a', partition === 3 ? 'bad' : 'b', 'c');
  const subscription = bed.subscription(log, feed, reader([], (values) => { if (values.includes('bad')) throw new Error('cannot read this'); }));
  subscription.start();
  const found = await effects(23);
  expect(found).toEqual(PARTITIONS.flatMap((partition) => [1, 2, 3].filter((version) => partition !== 3 || version !== 2).map((version) => `${partition}/${version}`)));
  expect(await owner('SELECT partition, record_offset, value FROM billing.parked_records')).toEqual([{ partition: 3, record_offset: 1n, value: 'bad' }]);
  await subscription.stop();
}, TIMEOUT_MS);

test('a partition that another process has taken over changes nothing, and holds up no other', async () => {
  let release: () => void = () => undefined;
  const held = new Promise<void>((resolve) => { release = resolve; });
  const told: string[][] = [];
  const slow: RecordProjector = { ...reader(told), project: async (tx, records) => { if (told.length === 0) await held; await reader(told).project(tx, records); } };
  const subscription = bed.subscription(log, feed, slow);
  subscription.start();
  await eventually('the partitions to be taken', () => (subscription.isAssigned ? true : undefined));
  for (const partition of PARTITIONS) await append(partition, 'a');
  await eventually('a transaction to be at work', async () => ((await owner(`SELECT FROM pg_stat_activity WHERE state = 'idle in transaction' AND query LIKE '%parked_streams%'`)).length > 0 ? true : undefined));
  await owner(`UPDATE billing.checkpoints SET epoch = epoch + 1 WHERE consumer = 'sharing@1' AND partition = 3`);
  release();
  // It finds that it is no longer the reader of partition 3, does the others over again, and takes that one once more.
  expect(await effects(8)).toEqual(PARTITIONS.map((partition) => `${partition}/1`));
  await subscription.stop();
}, TIMEOUT_MS);

test('what follows from facts of many partitions is one transaction; a partition that has to wait holds up no other, and comes alone until it is well', async () => {
  const told: string[][] = [];
  let isKnown = false;
  const parcels = PARTITIONS.map((nth) => `p${nth}`);
  const copier: Reactor = {
    kind: 'reactor', name: 'copier', topics: ['billing.plans'],
    together: async (facts) => { told.push(facts.map(({ stream }) => stream)); return []; },
    on: { ParcelScanned: ({ parcelId }: ParcelScanned) => {
      if (parcelId === 'p3' && !isKnown) throw new NotYetKnown('p3 has not come yet');
      return parcelId.startsWith('copy') ? {} : { commands: [follow(parcel, { type: 'ScanParcel', parcelId: `copy of ${parcelId}` })] };
    } },
  };
  const copies = (count: number): Promise<string[]> => eventually(`${count} copies`, async (saw) => {
    const found = (await owner<{ key: string; row: { scans: number } }>(`SELECT key, row FROM billing.parcels WHERE key LIKE 'copy%' ORDER BY key`)).map(({ key, row }) => `${key}: ${row.scans}`);
    saw({ found, told });
    return found.length >= count ? found : undefined;
  });
  for (const parcelId of parcels) for (let times = 0; times < 2; times++) await bed.scan(log, parcelId);
  const relay = bed.relay(log, feed);
  while ((await relay.publish()) > 0);
  const subscription = bed.subscription(log, feed, copier);
  subscription.start();
  expect(await copies(7)).toEqual(parcels.filter((one) => one !== 'p3').map((parcelId) => `copy of ${parcelId}: 2`));
  isKnown = true;
  expect(await copies(8)).toEqual(parcels.map((parcelId) => `copy of ${parcelId}: 2`));
  await subscription.stop();
  // The first transaction has all of them, in the order of each.
  expect(told[0]!.toSorted()).toEqual(parcels.flatMap((parcelId) => [`parcel-${parcelId}`, `parcel-${parcelId}`]));
  expect(told.slice(1).filter((streams) => new Set(streams).size > 1 && streams.includes('parcel-p3'))).toEqual([]);
}, TIMEOUT_MS);

test('runs of one transaction weigh no more than they may, unless one alone weighs more', async () => {
  const handled: number[][] = [];
  const together = new Together<number>(async (runs) => { handled.push([...runs]); }, { lanes: 1, spacingMs: 0, weightMax: 10, weigh: (run) => run });
  expect(await Promise.all([4, 6, 1, 20, 3, 7].map((run) => together.join(run)))).toEqual(Array.from({ length: 6 }, () => true));
  expect(handled).toEqual([[4, 6], [1], [20], [3, 7]]);
});

test('runs that come while others are at work share the next turn; one that fails leaves all of them to be handled alone', async () => {
  const handled: number[][] = [];
  const go: (() => void)[] = [];
  const together = new Together<number>(async (runs) => {
    handled.push([...runs]);
    if (runs.includes(13)) throw new Error('one of them is bad');
    await new Promise<void>((resolve) => { go.push(resolve); });
  }, { lanes: 3, spacingMs: 40 });
  const first = [1, 2, 3, 4, 5, 6].map((run) => together.join(run));
  await eventually('three turns', () => (go.length === 3 ? true : undefined));
  expect(handled).toEqual([[1, 2], [3, 4], [5, 6]]);
  const later = [7, 13, 8].map((run) => together.join(run));
  go.shift()!();
  expect(await Promise.all(later)).toEqual([false, false, false]);
  for (const release of go) release();
  expect(await Promise.all(first)).toEqual([true, true, true, true, true, true]);
  expect(handled.slice(3)).toEqual([[7, 13, 8]]);
});

test('so many pieces of work go on at a time, also after one has failed', async () => {
  const turns = new Turns(2);
  let [now, most] = [0, 0];
  const work = async (nth: number): Promise<number> => {
    most = Math.max(most, ++now);
    await new Promise((resolve) => { setImmediate(resolve); });
    now -= 1;
    if (nth === 1) throw new Error('failed');
    return nth;
  };
  const all = await Promise.allSettled([0, 1, 2, 3, 4].map((nth) => turns.take(() => work(nth))));
  expect(all.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'fulfilled', 'fulfilled']);
  expect(most).toBe(2);
});
