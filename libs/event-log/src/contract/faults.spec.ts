import { eventually } from '@valueverse/testing';
import { Client } from 'pg';
import { PostgresFeed } from '../feed/postgres-feed';
import type { Log } from '../log';
import type { Relay } from '../relay/relay';
import { type Bed, eachOnABed, isExactlyOnceInOrder, recorder, TENANT } from './bed.spec-kit';
import { parcel, scan } from './parcels.spec-kit';

// Faults of the database around a log that goes on: by the ids of the fault list that they come from.
const TIMEOUT_MS = 60_000;
let bed: Bed;
let log: Log;
let feed: PostgresFeed;
let relay: Relay;
eachOnABed((on) => new PostgresFeed(on.url, 12), (made) => { ({ bed, log, feed } = made); });
beforeEach(() => { relay = bed.relay(log, feed); });

const handled = (count: number): Promise<{ stream: string; version: number }[]> => eventually(`${count} handled facts`, async (saw) => {
  const effects = await bed.effects(log);
  saw({ effects: effects.length, alarms: bed.alarms, errors: bed.errors });
  return effects.length >= count ? effects : undefined;
}, { timeoutMs: TIMEOUT_MS / 2 });
const connect = async (): Promise<Client> => {
  const client = new Client({ connectionString: bed.url });
  client.on('error', () => undefined);
  await client.connect();
  return client;
};

test('F58: a session that wrote something and fell asleep with its transaction open holds up nobody', async () => {
  const sleeper = await connect();
  await sleeper.query('CREATE TABLE unrelated (n int)');
  await sleeper.query('BEGIN');
  await sleeper.query('INSERT INTO unrelated SELECT pg_current_xact_id()::text::bigint % 2');
  relay.start();
  bed.subscription(bed.open(), feed, recorder()).start();
  for (let nth = 0; nth < 20; nth++) await bed.scan(log, `p${nth % 3}`);
  expect(isExactlyOnceInOrder(await handled(20))).toBe(true);
  await sleeper.query('ROLLBACK');
  await sleeper.end();
}, TIMEOUT_MS);

test('F50: backends that are terminated again and again cost time; every fact that was answered is there, and has one effect', async () => {
  relay.start();
  bed.subscription(bed.open(), feed, recorder()).start();
  const killer = await connect();
  const terminateAll = (): Promise<unknown> =>
    killer.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name LIKE 'valueverse%'`);
  let answered = 0;
  let unknown = 0;
  for (let nth = 0; nth < 60; nth++) {
    const killing = nth % 2 === 0 ? terminateAll() : undefined;
    // An answer that was lost is asked for again under the same command id, as any client would.
    for (;;) {
      try { await bed.scan(log, `p${nth % 5}`, `command-${nth}`); answered += 1; break; } catch { unknown += 1; }
      expect(unknown).toBeLessThan(5_000);
    }
    await killing;
  }
  await killer.end();
  expect(answered).toBe(60);
  expect(await bed.facts(log)).toBe(60);
  const effects = await handled(60);
  expect(effects).toHaveLength(60);
  expect(isExactlyOnceInOrder(effects)).toBe(true);
}, TIMEOUT_MS);

test('F62: transactions that lock streams in opposite orders all come through, and none is a dead letter', async () => {
  const append = (order: readonly string[]): Promise<unknown> => log.transact({ role: 'worker' }, (tx) =>
    log.execute(tx, order.map((parcelId) => ({ decider: parcel, command: scan(parcelId), context: { tenant: TENANT, at: '2026-01-01T00:00:00Z', actor: 'test' } }))));
  const [there, back] = [['a', 'b', 'c', 'd'], ['d', 'c', 'b', 'a']];
  await Promise.all(Array.from({ length: 12 }, (_, nth) => append(nth % 2 === 0 ? there : back)));
  relay.start();
  bed.subscription(bed.open(), feed, recorder()).start();
  const effects = await handled(48);
  expect(effects).toHaveLength(48);
  expect(isExactlyOnceInOrder(effects)).toBe(true);
  expect(bed.alarms).toEqual([]);
}, TIMEOUT_MS);

test('F123: a checkpoint that is lost begins at the first record, never at "now"; what was handled before is handled again by who has no other memory', async () => {
  relay.start();
  for (let nth = 0; nth < 5; nth++) await bed.scan(log, 'a');
  const first = bed.subscription(bed.open(), feed, recorder());
  first.start();
  await handled(5);
  await first.stop();
  await log.database.transaction({ role: 'worker' }, (tx) => tx.query('DELETE FROM checkpoints'));
  await bed.scan(log, 'a');
  bed.subscription(bed.open(), feed, recorder()).start();
  expect((await handled(11)).map(({ version }) => version)).toEqual([1, 2, 3, 4, 5, 1, 2, 3, 4, 5, 6]);
}, TIMEOUT_MS);

test('F125: a stream that cannot be parked holds its reader where it is; nothing is passed over, and it goes on when it can be', async () => {
  relay.start();
  const owner = (text: string): Promise<unknown> => log.database.transaction({ role: 'owner' }, (tx) => tx.query(text));
  await owner(`CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''no room'' USING ERRCODE = ''53100''; END'`);
  await owner('CREATE TRIGGER no_room BEFORE INSERT ON parked_streams FOR EACH ROW EXECUTE FUNCTION no_room()');
  for (const parcelId of ['bad', 'bad', 'bad']) await bed.scan(log, parcelId);
  const subscription = bed.subscription(bed.open(), feed, recorder((streams) => { if (streams.includes('parcel-bad')) throw new Error('cannot read this'); }));
  subscription.start();
  const attempts = (): Promise<number> => log.database.transaction({ role: 'worker' }, async (tx) => (await tx.query<{ attempts: number }>('SELECT attempts FROM failures')).rows[0]?.attempts ?? 0);
  await eventually('it to have failed more often than it takes to park', async (saw) => { const count = await attempts(); saw(count); return count >= 6 ? true : undefined; }, { timeoutMs: TIMEOUT_MS / 2 });
  expect(await log.database.transaction({ role: 'worker' }, async (tx) => (await tx.query('SELECT FROM checkpoints WHERE next_offset > 0')).rowCount)).toBe(0);
  await owner('DROP TRIGGER no_room ON parked_streams');
  await eventually('all three to be kept', async () => (await log.database.transaction({ role: 'worker' }, async (tx) => (await tx.query('SELECT FROM parked_records')).rowCount)) === 3 ? true : undefined, { timeoutMs: TIMEOUT_MS / 2 });
}, TIMEOUT_MS);

test('F60: a log that was dumped and brought back elsewhere is read on where its readers were', async () => {
  relay.start();
  for (let nth = 0; nth < 5; nth++) await bed.scan(log, 'a');
  const before = bed.subscription(bed.open(), feed, recorder());
  before.start();
  await handled(5);
  await before.stop();
  // The transaction ids of the new place are others, much lower or much higher: nothing of the log may rest on them.
  await log.database.withOwner((client) => client.query(`DO $$ BEGIN FOR i IN 1..2000 LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$`));
  const { rows } = await log.database.transaction({ role: 'owner' }, (tx) => tx.query<{ column: string }>(
    `SELECT table_schema || '.' || table_name || '.' || column_name AS column FROM information_schema.columns WHERE table_schema IN ('billing', 'feed') AND data_type IN ('xid', 'xid8', 'pg_lsn', 'pg_snapshot')`));
  expect(rows).toEqual([]);
  await bed.scan(log, 'a');
  bed.subscription(bed.open(), feed, recorder()).start();
  expect((await handled(6)).map(({ version }) => version)).toEqual([1, 2, 3, 4, 5, 6]);
}, TIMEOUT_MS);
