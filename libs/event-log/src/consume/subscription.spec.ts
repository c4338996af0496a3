import { eventually } from '@valueverse/testing';
import { type Bed, eachOnABed, isExactlyOnceInOrder, recorder, TENANT } from '../contract/bed.spec-kit';
import { PostgresFeed } from '../feed/postgres-feed';
import type { Log } from '../log';
import type { Relay } from '../relay/relay';
import { NotYetKnown, type Projector } from './consumers';

const TIMEOUT_MS = 30_000;
let bed: Bed;
let log: Log;
let feed: PostgresFeed;
let relay: Relay;
eachOnABed((on) => new PostgresFeed(on.url, 12), (made) => { ({ bed, log, feed } = made); });
beforeEach(() => { relay = bed.relay(log, feed); });

const worker = <T>(work: (query: (text: string) => Promise<{ rows: Record<string, unknown>[]; rowCount: number | null }>) => Promise<T>): Promise<T> =>
  log.database.transaction({ role: 'worker' }, (tx) => work((text) => tx.query(text)));
const handled = (count: number, consumer?: string): Promise<{ stream: string; version: number }[]> => eventually(`${count} handled facts`, async (saw) => {
  const effects = await bed.effects(log, consumer);
  saw(effects);
  return effects.length >= count ? effects : undefined;
});
const named = (name: string, project: Projector['project']): Projector => ({ kind: 'projector', name, version: 1, topics: ['billing.plans'], events: ['ParcelScanned'], project });
const writing = (name: string, before: (streams: readonly string[]) => Promise<void> | void = () => undefined): Projector => named(name, async (tx, facts) => {
  await before(facts.map(({ stream, version }) => `${stream}/${version}`));
  for (const { stream, version } of facts) await tx.query('INSERT INTO effects (consumer, stream, version) VALUES ($1, $2, $3)', [name, stream, version]);
});
const publishAll = async (): Promise<void> => { while ((await relay.publish()) > 0); };

test('F126: a fact that comes while its parked stream is tried again is neither lost nor early', async () => {
  let poisonous = true;
  let release: () => void = () => undefined;
  let retrying = false;
  const held = new Promise<void>((resolve) => { release = resolve; });
  const subscription = bed.subscription(log, feed, writing('recorder', async (facts) => {
    if (poisonous && facts.some((fact) => fact.startsWith('parcel-bad'))) throw new Error('cannot read this');
    if (facts.includes('parcel-bad/1')) { retrying = true; await held; }
  }));
  relay.start();
  subscription.start();
  for (let nth = 0; nth < 2; nth++) await bed.scan(log, 'bad');
  await eventually('two parked records', () => worker(async (query) => ((await query('SELECT FROM parked_records')).rowCount === 2 ? true : undefined)));
  poisonous = false;
  const retry = subscription.retryParked('recorder@1', TENANT, 'parcel-bad');
  await eventually('the retry to be at work', () => (retrying ? true : undefined));
  await bed.scan(log, 'bad');
  await eventually('the third fact to be set aside, or to wait for the retry', () => worker(async (query) => {
    const { rows } = await query(`SELECT (SELECT count(*) FROM parked_records WHERE record_offset = 2) + (SELECT count(*) FROM pg_locks WHERE NOT granted) AS n`);
    return (rows[0]!['n'] as bigint) > 0n ? true : undefined;
  }));
  release();
  expect(await retry).toBe(2);
  expect(await handled(3)).toEqual([1, 2, 3].map((version) => ({ stream: 'parcel-bad', version })));
  expect(await worker(async (query) => (await query('SELECT FROM parked_records')).rowCount)).toBe(0);
}, TIMEOUT_MS);

test('F136: a reader that waits holds up neither what came before nor the readers after it, and says so when it takes long', async () => {
  for (const parcelId of ['a', 'a', 'a']) await bed.scan(log, parcelId);
  await publishAll();
  // The first reader waits for what only the second one writes, from the record after the one that waits.
  const waiting = named('recorder', async (tx, facts) => {
    for (const { stream, version } of facts) {
      if (version === 2 && (await tx.query(`SELECT FROM effects WHERE consumer = 'second' AND version = 3`)).rowCount === 0) throw new NotYetKnown('the third');
      await tx.query(`INSERT INTO effects (consumer, stream, version) VALUES ('recorder', $1, $2)`, [stream, version]);
    }
  });
  let isOpen = false;
  const second = writing('second', () => { if (!isOpen) throw new NotYetKnown('the test'); });
  bed.subscription(log, feed, { waitAlarmMs: 50 }, waiting, second).start();
  expect(await handled(1)).toEqual([{ stream: 'parcel-a', version: 1 }]);
  await eventually('an alarm', (saw) => { saw(bed.alarms); return bed.alarms.find((alarm) => /recorder@1 waits at billing.plans\/\d+ offset 1: the third/.test(alarm)); });
  isOpen = true;
  expect(isExactlyOnceInOrder(await handled(3, 'second'))).toBe(true);
  expect(isExactlyOnceInOrder(await handled(3))).toBe(true);
  expect(bed.alarms.filter((alarm) => alarm.includes('recorder@1 waits'))).toHaveLength(1);
}, TIMEOUT_MS);

test('F123: readers of one topic stand where they are: one that joins later begins at the first record, the others go on', async () => {
  for (let nth = 0; nth < 3; nth++) await bed.scan(log, 'a');
  await publishAll();
  const alone = bed.subscription(log, feed, writing('recorder'));
  alone.start();
  await handled(3);
  await alone.stop();
  await bed.scan(log, 'a');
  await publishAll();
  bed.subscription(log, feed, writing('recorder'), writing('second')).start();
  for (const name of ['recorder', 'second']) {
    const effects = await handled(4, name);
    expect(effects).toHaveLength(4);
    expect(isExactlyOnceInOrder(effects)).toBe(true);
  }
}, TIMEOUT_MS);

test('what a handler wrote before it threw is not there, and what others wrote of the same records is', async () => {
  await bed.scan(log, 'a');
  await publishAll();
  let throwing = true;
  const half = named('recorder', async (tx, facts) => {
    for (const { stream, version } of facts) await tx.query(`INSERT INTO effects (consumer, stream, version) VALUES ('recorder', $1, $2)`, [stream, version]);
    if (throwing) throw new Error('in the middle');
  });
  const subscription = bed.subscription(log, feed, half, writing('second'));
  subscription.start();
  await handled(1, 'second');
  expect(await bed.effects(log)).toEqual([]);
  throwing = false;
  expect(await subscription.retryParked('recorder@1', TENANT, 'parcel-a')).toBe(1);
  expect(await bed.effects(log)).toEqual([{ stream: 'parcel-a', version: 1 }]);
}, TIMEOUT_MS);

test('a partition that is given away and comes back while it is at work is read from where it then stands', async () => {
  const append = (partition: number): Promise<void> => feed.append('usage.events', partition, ['a', 'b'].map((key) => ({ key, value: '{}', headers: {} })));
  for (const partition of [0, 3]) await append(partition);
  const sql = (statement: string): Promise<unknown> => log.database.withOwner((client) => client.query(statement));
  const heartbeat = (): Promise<true> => { const before = performance.now(); return eventually('the time of a heartbeat', () => (performance.now() - before > 1_050 ? true : undefined)); };
  const [missing, read, taken]: [string[], string[], string[]] = [[], [], []];
  let stands = 0n;
  let isAtWork = false;
  const membership = feed.join('rounds', ['usage.events'], {
    onAssigned: async (partitions) => {
      if (partitions.some(({ partition }) => partition === 3)) taken.push(isAtWork ? 'at work' : 'at rest');
      return new Map(partitions.map(({ partition }) => [`usage.events/${partition}`, partition === 3 ? stands : 0n]));
    },
    onRecords: async ({ partition }, records) => {
      if (partition === 3 && stands === 0n) {
        // It goes to another member, which reads a record of it and leaves.
        isAtWork = true;
        await sql(`INSERT INTO feed.members VALUES ('rounds', 'z', clock_timestamp() + interval '1 minute')`);
        await heartbeat();
        await sql(`DELETE FROM feed.members WHERE member = 'z'`);
        stands = 1n;
        await heartbeat();
        isAtWork = false;
        return 'reassign';
      }
      read.push(...records.map(({ offset }) => `${partition}/${offset}`));
      return { next: records.at(-1)!.offset + 1n };
    },
    onPassed: async () => undefined,
    onMissing: async ({ partition }, wanted, first) => { missing.push(`${partition}: ${wanted}, ${first}`); },
    onError: () => undefined,
  });
  await eventually('the last record of partition 3', (saw) => { saw([read, missing]); return read.includes('3/1') || missing.length > 0 ? true : undefined; });
  await membership.stop();
  expect(missing).toEqual([]);
  // Partition 0 was read meanwhile.
  expect(read).toEqual(['0/0', '0/1', '3/1']);
  expect(taken).toEqual(['at rest', 'at rest']);
}, TIMEOUT_MS);

test('a reader of facts that is recorded twice in one process is refused', () => {
  expect(() => bed.subscription(log, feed, recorder(), recorder())).toThrow(/two consumers of one name/);
});
