import { describeOnKafka, eventually } from '@valueverse/testing';
import { partitionOf } from '@valueverse/kernel';
import type { Projector } from '../consume/consumers';
import { Bed, TENANT } from '../contract/bed.spec-kit';
import { parcelView } from '../contract/parcels.spec-kit';
import type { Feed } from '../feed/feed';
import { KafkaFeed } from '../feed/kafka-feed';
import { PostgresFeed } from '../feed/postgres-feed';
import type { Log } from '../log';
import { rebuildAndCompare } from './build';
import { rebuildProjector, type RebuildProgress } from './shadow';

const TIMEOUT_MS = 60_000;
/** What a projector of foreign facts is in production: rows of its own, by SQL of its own. */
const lastScans: Projector = {
  kind: 'projector', name: 'last-scans', version: 1, topics: ['billing.plans'], events: ['ParcelScanned'], tables: ['last_scans'],
  project: async (tx, facts) => {
    for (const { tenant, event } of facts) {
      const { parcelId, scan } = event as unknown as { parcelId: string; scan: number };
      if (parcelId === 'poison') throw new Error('cannot read this');
      await tx.query('INSERT INTO last_scans VALUES ($1, $2, $3) ON CONFLICT (tenant, parcel) DO UPDATE SET scan = excluded.scan', [tenant, parcelId, scan]);
    }
  },
};

const rebuilds = (makeFeed: (bed: Bed) => Feed): void => {
  let bed: Bed;
  let log: Log;
  let feed: Feed;
  const owner = (text: string): Promise<unknown> => log.database.transaction({ role: 'owner' }, (tx) => tx.query(text));
  const scans = async (): Promise<number> => Number((await log.database.transaction({ role: 'worker' }, (tx) => tx.query<{ n: bigint }>('SELECT coalesce(sum(scan), 0)::bigint AS n FROM last_scans'))).rows[0]!.n);
  const live = (count: number): Promise<true> => eventually(`${count} scans`, async (saw) => { const seen = await scans(); saw(seen); return seen === count ? true : undefined; }, { timeoutMs: TIMEOUT_MS / 2 });
  beforeEach(async () => {
    bed = await Bed.make();
    log = bed.open();
    feed = makeFeed(bed);
    await feed.ensureTopics();
    await owner('CREATE TABLE last_scans (tenant text NOT NULL, parcel text NOT NULL, scan int NOT NULL, PRIMARY KEY (tenant, parcel))');
    await owner('GRANT SELECT, INSERT, UPDATE, DELETE ON last_scans TO vv_billing_worker');
    bed.relay(log, feed).start();
  }, TIMEOUT_MS);
  afterEach(async () => { await bed.close(); await feed.close(); }, TIMEOUT_MS);

  test('F128 F129 F131 F133: rows of foreign facts: built beside the live ones while writing goes on, compared at one place, and put in their place', async () => {
    const subscription = bed.subscription(bed.open(), feed, lastScans);
    subscription.start();
    for (let nth = 0; nth < 20; nth++) await bed.scan(log, `p${nth % 4}`);
    await live(20);
    const seen: RebuildProgress[] = [];
    let isWriting = true;
    const writing = (async () => { for (let nth = 0; isWriting; nth++) await bed.scan(log, `w${nth % 3}`); })();
    const rebuild = (cutover: boolean): ReturnType<typeof rebuildProjector> => rebuildProjector(log.store, feed, 'billing', lastScans, { cutover, progress: (progress) => { seen.push(progress); } });
    // The host that rebuilds may stand elsewhere than the one that wrote.
    const zone = process.env['TZ'];
    process.env['TZ'] = 'Pacific/Apia';
    const { live: before, rebuilt } = await rebuild(false);
    if (zone === undefined) delete process.env['TZ'];
    else process.env['TZ'] = zone;
    expect(rebuilt).toBe(before);
    expect(seen.filter(({ phase }) => phase === 'building').at(-1)!.done).toBeGreaterThanOrEqual(20);
    // Somebody has changed a row by hand.
    await owner(`UPDATE last_scans SET scan = 77 WHERE parcel = 'p1'`);
    const wrong = await rebuild(true);
    expect(wrong.rebuilt).not.toBe(wrong.live);
    isWriting = false;
    await writing;
    // The last scan of a parcel counts all of its scans.
    await live(await bed.facts(log));
    const after = await rebuild(false);
    expect(after.rebuilt).toBe(after.live);
    expect((await log.database.transaction({ role: 'owner' }, (tx) => tx.query(`SELECT FROM pg_namespace WHERE nspname LIKE 'billing_shadow%'`))).rowCount).toBe(0);
  }, TIMEOUT_MS);

  test('a stream that is parked is left out, as it is in the live rows', async () => {
    const subscription = bed.subscription(bed.open(), feed, lastScans);
    subscription.start();
    for (const parcelId of ['a', 'poison', 'b', 'a']) await bed.scan(log, parcelId);
    // a twice, b once: 2 + 1
    await live(3);
    await eventually('the parked stream', async () => ((await log.database.transaction({ role: 'worker' }, (tx) => tx.query('SELECT FROM parked_streams WHERE tenant = $1', [TENANT]))).rowCount === 1 ? true : undefined), { timeoutMs: TIMEOUT_MS / 2 });
    const { live: before, rebuilt } = await rebuildProjector(log.store, feed, 'billing', lastScans, { cutover: false, progress: () => undefined });
    expect(rebuilt).toBe(before);
  }, TIMEOUT_MS);

  test('two projectors that are rebuilt at once do not meet, and one that is being rebuilt is not begun again', async () => {
    const scanned: Projector = { ...lastScans, name: 'first-scans', tables: ['first_scans'], project: async () => undefined };
    await owner('CREATE TABLE first_scans (parcel text PRIMARY KEY)');
    bed.subscription(bed.open(), feed, lastScans).start();
    for (let nth = 0; nth < 3; nth++) await bed.scan(log, 'a');
    await live(3);
    await owner('UPDATE last_scans SET scan = 77');
    // In the middle of the one, when its first records were read.
    let between: Promise<unknown> | undefined;
    const interrupted = new Proxy(feed, { get: (target, name) => (name !== 'read' ? Reflect.get(target, name) : async (...given: Parameters<Feed['read']>) => {
      const records = await target.read(...given);
      await (between ??= (async () => {
        await rebuildProjector(log.store, feed, 'billing', scanned, { cutover: true, progress: () => undefined });
        await expect(rebuildProjector(log.store, feed, 'billing', lastScans, { cutover: true, progress: () => undefined })).rejects.toMatchObject({ code: 'rebuild_running' });
      })());
      return records;
    }) });
    const { live: before, rebuilt } = await rebuildProjector(log.store, interrupted, 'billing', lastScans, { cutover: false, progress: () => undefined });
    await between;
    expect(rebuilt).not.toBe(before);
    expect(await scans()).toBe(77);
  }, TIMEOUT_MS);

  test('a reader that is behind is compared at the place where it is, and handles the rest once', async () => {
    const counting: Projector = { ...lastScans, project: async (tx, facts) => {
      for (const { tenant } of facts) await tx.query(`INSERT INTO last_scans AS l VALUES ($1, 'all', 1) ON CONFLICT (tenant, parcel) DO UPDATE SET scan = l.scan + 1`, [tenant]);
    } };
    const subscription = bed.subscription(bed.open(), feed, counting);
    subscription.start();
    for (let nth = 0; nth < 3; nth++) await bed.scan(log, 'a');
    await live(3);
    await subscription.stop();
    for (let nth = 0; nth < 3; nth++) await bed.scan(log, 'a');
    await eventually('all to be published', async () => (await bed.unpublished(log) === 0 ? true : undefined), { timeoutMs: TIMEOUT_MS / 2 });
    const { live: before, rebuilt } = await rebuildProjector(log.store, feed, 'billing', counting, { cutover: true, progress: () => undefined });
    expect(rebuilt).toBe(before);
    bed.subscription(bed.open(), feed, counting).start();
    await live(6);
  }, TIMEOUT_MS);

  test('what is no fact is passed over, also after it was given up', async () => {
    const subscription = bed.subscription(bed.open(), feed, lastScans);
    subscription.start();
    await bed.scan(log, 'a');
    await live(1);
    // What follows the intruder has to be there when it is read.
    await subscription.stop();
    const partition = partitionOf(TENANT, 'parcel-a', 16);
    const headers = { ce_id: 'evt_x', ce_type: 'dev.valueverse.billing.parcel.scanned.v1', ce_tenant: TENANT, ce_position: '2', ce_previous: '1' };
    await bed.smuggle(log, feed, 'billing.plans', partition, { key: 'parcel-a', value: '{', headers });
    await bed.smuggle(log, feed, 'billing.plans', partition, { key: 'parcel-a', value: JSON.stringify({ specversion: '1.0', id: 'evt_x', type: headers.ce_type, subject: 'parcel-a', tenant: TENANT }), headers: { ...headers, ce_position: '900', ce_previous: '899' } });
    await bed.scan(log, 'a');
    await eventually('all to be published', async () => (await bed.unpublished(log) === 0 ? true : undefined), { timeoutMs: TIMEOUT_MS / 2 });
    bed.subscription(bed.open(), feed, lastScans).start();
    await live(2);
    const compared = async (): Promise<void> => {
      const { live: before, rebuilt } = await rebuildProjector(log.store, feed, 'billing', lastScans, { cutover: false, progress: () => undefined });
      expect(rebuilt).toBe(before);
    };
    await compared();
    await owner('DELETE FROM rejected_records');
    await compared();
  }, TIMEOUT_MS);

  test('a cutover waits for who holds rows, and not the other way round', async () => {
    let goOn: (() => void) | undefined;
    let holds = false;
    const slow: Projector = { ...lastScans, project: async (tx, facts) => {
      await lastScans.project(tx, facts);
      if (goOn === undefined || holds) return;
      holds = true;
      await new Promise<void>((resolve) => { goOn = resolve; });
    } };
    bed.subscription(bed.open(), feed, slow).start();
    await bed.scan(log, 'a');
    await live(1);
    goOn = () => undefined;
    await bed.scan(log, 'a');
    await eventually('a reader with a row', () => (holds ? true : undefined), { timeoutMs: TIMEOUT_MS / 2 });
    const rebuilding = rebuildProjector(log.store, feed, 'billing', lastScans, { cutover: true, progress: () => undefined });
    rebuilding.catch(() => undefined);
    try {
      await eventually('the cutover to wait', async () => ((await log.database.withOwner((client) => client.query(
        `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`))).rowCount ? true : undefined), { timeoutMs: TIMEOUT_MS / 2 });
    } finally {
      goOn();
    }
    const { live: before, rebuilt } = await rebuilding;
    expect(rebuilt).toBe(before);
    await live(2);
  }, TIMEOUT_MS);

  test('rows of streams: a changed one is found, and put right', async () => {
    for (let nth = 0; nth < 12; nth++) await bed.scan(log, `p${nth % 3}`);
    const rebuild = (cutover: boolean): ReturnType<typeof rebuildAndCompare> => rebuildAndCompare(log.store, 'billing', parcelView, { cutover, progress: () => undefined });
    const first = await rebuild(false);
    expect(first.rebuilt).toBe(first.live);
    await owner(`UPDATE parcels_v1 SET row = '{"parcelId":"p1","scans":99}' WHERE key = 'p1'`);
    const wrong = await rebuild(true);
    expect(wrong.rebuilt).not.toBe(wrong.live);
    const after = await rebuild(false);
    expect(after).toEqual({ live: first.live, rebuilt: first.live });
  }, TIMEOUT_MS);
};

describe('a rebuild on PostgreSQL', () => rebuilds((bed) => new PostgresFeed(bed.url, 12)));
describeOnKafka('a rebuild on Kafka', (brokers) => rebuilds((bed) => new KafkaFeed({ brokers: brokers(), clientId: 'rebuild', namespace: `${bed.group}.` })));
