import { Bed, isExactlyOnceInOrder, NOW, TENANT } from '../contract/bed.spec-kit';
import { parcel, parcelView, scan } from '../contract/parcels.spec-kit';
import { chainHeads, verifyChain } from '../chain/verify';
import { FileAnchors } from '../chain/anchors';
import { instruct } from '../execute/execute';
import { rebuildAndCompare } from '../project/build';
import type { Log } from '../log';
import type { EncodedFact } from '../codec/codec';
import { FACT_BYTES_MAX } from './event-store';
import { appendFileSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const TIMEOUT_MS = 30_000;
let bed: Bed;
let log: Log;
beforeEach(async () => { bed = await Bed.make(); log = bed.open(); }, TIMEOUT_MS);
afterEach(() => bed.close(), TIMEOUT_MS);

const context = (commandId?: string, tenant = TENANT): Parameters<typeof instruct>[2] => ({ tenant, at: NOW, actor: 'test', commandId });
const superuser = <T>(work: (query: (text: string) => Promise<unknown>) => Promise<T>): Promise<T> =>
  log.database.withOwner((client) => work(async (text) => { await client.query(`SET search_path TO billing; SET session_replication_role TO replica; ${text}`); }));

describe('appending', () => {
  test('F02: a command that comes again finds its facts and makes none', async () => {
    const first = await log.executeOne(parcel, scan('a'), context('c1'));
    const again = await log.executeOne(parcel, scan('a'), context('c1'));
    expect(again.repeated).toBe(true);
    expect(again.facts.map(({ id }) => id)).toEqual(first.facts.map(({ id }) => id));
    expect(await bed.facts(log)).toBe(1);
  });

  test('a command id with another command is a conflict', async () => {
    await log.executeOne(parcel, scan('a'), context('c1'));
    await expect(log.executeOne(parcel, scan('b'), context('c1'))).rejects.toMatchObject({ code: 'command_conflict' });
    expect(await bed.facts(log)).toBe(1);
  });

  test('the same command id of another tenant is another command', async () => {
    await log.executeOne(parcel, scan('a'), context('c1'));
    expect((await log.executeOne(parcel, scan('a'), context('c1', 'org_2:test'))).repeated).toBe(false);
  });

  test('the same command twice in one batch is given once', async () => {
    const outcomes = await log.transact({ role: 'worker' }, (tx) => log.execute(tx, [instruct(parcel, scan('a'), context('c1')), instruct(parcel, scan('a'), context('c1'))]));
    expect(outcomes.map(({ repeated }) => repeated)).toEqual([false, true]);
    expect(await bed.facts(log)).toBe(1);
  });

  test('thousands of streams at once, all or nothing', async () => {
    const many = Array.from({ length: 3_000 }, (_, nth) => instruct(parcel, scan(`p${nth}`), context()));
    await log.transact({ role: 'worker' }, (tx) => log.execute(tx, many));
    expect(await bed.facts(log)).toBe(3_000);
    await expect(log.transact({ role: 'worker' }, async (tx) => { await log.execute(tx, many); throw new Error('given up'); })).rejects.toThrow('given up');
    expect(await bed.facts(log)).toBe(3_000);
    expect((await verifyChain(log.database)).faults).toEqual([]);
  }, TIMEOUT_MS);

  test('a fact that would fit into no record of the feed is refused, and what came with it is not written', async () => {
    let small: EncodedFact | undefined;
    log.store.onCommit(([fact]) => { small = fact; });
    await log.executeOne(parcel, scan('a'), context());
    const facts = ['x'.repeat(FACT_BYTES_MAX / 2 + 1), 'é'.repeat(FACT_BYTES_MAX / 2 + 1)].map((body, nth) => ({ ...small!, stream: `parcel-${nth}`, id: `evt_${nth}`, version: 1, body }));
    await expect(log.transact({ role: 'worker' }, (tx) => log.store.append(tx, facts))).rejects.toMatchObject({ code: 'fact_too_large', message: expect.stringContaining('parcel-1') });
    expect(await bed.facts(log)).toBe(1);
  });

  test('two writers at one stream: both succeed, one after the other', async () => {
    await Promise.all(Array.from({ length: 8 }, () => bed.scan(log, 'a')));
    const { rows } = await log.database.transaction({ role: 'worker' }, (tx) => tx.query<{ stream: string; version: number }>('SELECT stream, version FROM events ORDER BY partition, position'));
    expect(rows).toHaveLength(8);
    expect(isExactlyOnceInOrder(rows)).toBe(true);
  });

  test('positions have no gap, also after transactions that were rolled back', async () => {
    await bed.scan(log, 'a');
    await expect(log.transact({ role: 'worker' }, async (tx) => { await log.execute(tx, [instruct(parcel, scan('a'), context())]); throw new Error('given up'); })).rejects.toThrow();
    await bed.scan(log, 'a');
    const { rows } = await log.database.transaction({ role: 'worker' }, (tx) => tx.query<{ position: bigint }>('SELECT position FROM events ORDER BY position'));
    expect(rows.map(({ position }) => position)).toEqual([1n, 2n]);
  });

  test('a request cannot append for another tenant', async () => {
    await expect(log.database.transaction({ role: 'api', tenant: 'org_2:test' }, (tx) => log.execute(tx, [instruct(parcel, scan('a'), context())]))).rejects.toThrow();
    expect(await bed.facts(log)).toBe(0);
  });

  test('nobody changes or deletes a fact', async () => {
    await bed.scan(log, 'a');
    for (const statement of [`UPDATE events SET body = 'x'`, 'DELETE FROM events', 'TRUNCATE events']) {
      for (const role of ['worker', 'owner'] as const) await expect(log.database.transaction({ role }, (tx) => tx.query(statement))).rejects.toThrow();
    }
  });
});

describe('the chain', () => {
  const fill = async (): Promise<void> => { for (let nth = 0; nth < 5; nth++) await bed.scan(log, 'a'); };
  const faultOf = async (anchors = [] as Awaited<ReturnType<typeof chainHeads>>): Promise<string | undefined> => (await verifyChain(log.database, anchors)).faults[0]?.reason;

  test('verifies what was not touched', async () => {
    await fill();
    expect(await verifyChain(log.database, await chainHeads(log.database))).toMatchObject({ facts: 5, faults: [] });
  });
  test('verifies while facts are appended', async () => {
    await fill();
    const before = await bed.facts(log);
    // A fact is appended after each look that the check takes.
    const { faults } = await verifyChain({ transaction: async (options: never, work: never) => {
      const result = await log.database.transaction(options, work);
      await bed.scan(log, 'a');
      return result;
    } } as unknown as typeof log.database);
    expect(faults).toEqual([]);
    expect(await bed.facts(log)).toBeGreaterThan(before);
  }, TIMEOUT_MS);
  test('F134: finds a changed text', async () => {
    await fill();
    await superuser((query) => query(`UPDATE events SET body = replace(body, '"scan":3', '"scan":4') WHERE version = 3`));
    expect(await faultOf()).toBe('the text was changed');
  });
  test('finds a changed text whose hash was changed with it', async () => {
    await fill();
    await superuser((query) => query(`UPDATE events SET body = 'x', hash = sha256('x') WHERE version = 3`));
    expect(await faultOf()).toBe('the link does not follow from the facts');
  });
  test('finds a removed fact', async () => {
    await fill();
    await superuser((query) => query('DELETE FROM events WHERE version = 3'));
    expect(await faultOf()).toBe('the fact is missing');
  });
  test('F54 F55: finds a tail that was cut together with its links and head, by the anchor outside', async () => {
    await fill();
    const anchorFile = join(mkdtempSync(join(tmpdir(), 'anchors-')), 'anchors.jsonl');
    const anchors = new FileAnchors(anchorFile);
    await anchors.append('billing', await chainHeads(log.database), NOW);
    await superuser((query) => query(
      `DELETE FROM events WHERE version = 5; DELETE FROM links WHERE last_position = 5; UPDATE heads h SET position = 4, link = l.link FROM links l WHERE l.partition = h.partition AND l.last_position = 4`));
    expect(await faultOf()).toBeUndefined();
    // A line that a crash tore does not hide what the others say.
    appendFileSync(anchorFile, '{"service":"billing","heads":[{"par');
    await anchors.append('usage', [], NOW);
    expect(await faultOf(await anchors.read('billing'))).toBe('the tail was cut: position 5 was anchored');
  });
});

describe('rows that belong to a stream', () => {
  test('are there when the command is answered', async () => {
    await bed.scan(log, 'a');
    const { rows } = await log.database.transaction({ role: 'api', tenant: TENANT }, (tx) => tx.query<{ row: unknown }>('SELECT row FROM parcels'));
    expect(rows).toEqual([{ row: { parcelId: 'a', scans: 1 } }]);
  });

  test('fold what they missed', async () => {
    for (let nth = 0; nth < 3; nth++) await bed.scan(log, 'a');
    await log.database.transaction({ role: 'worker' }, (tx) => tx.query(`UPDATE parcels_v1 SET stream_version = 1, row = '{"parcelId":"a","scans":1}'`));
    await bed.scan(log, 'a');
    const { rows } = await log.database.transaction({ role: 'worker' }, (tx) => tx.query('SELECT stream_version, row FROM parcels'));
    expect(rows).toEqual([{ stream_version: 4, row: { parcelId: 'a', scans: 4 } }]);
  });

  test('rebuilt from the store they are the same bytes, while writing goes on', async () => {
    for (let nth = 0; nth < 60; nth++) await bed.scan(log, `p${nth % 7}`);
    const writing = Promise.all(Array.from({ length: 40 }, (_, nth) => bed.scan(log, `p${nth % 9}`)));
    const { live, rebuilt } = await rebuildAndCompare(log.store, 'billing', parcelView);
    await writing;
    expect(rebuilt).toBe(live);
  }, TIMEOUT_MS);

  test('are shown to their tenant only, and to nobody without one', async () => {
    await bed.scan(log, 'a');
    const seen = (tenant: string): Promise<number | null> => log.database.transaction({ role: 'api', tenant }, async (tx) => (await tx.query('SELECT FROM parcels')).rowCount);
    expect(await seen(TENANT)).toBe(1);
    expect(await seen('org_2:test')).toBe(0);
    await expect(log.database.transaction({ role: 'api' }, async () => undefined)).rejects.toThrow(/needs a tenant/);
    const unset = await log.database.transaction({ role: 'api', tenant: TENANT }, async (tx) => {
      await tx.query(`SELECT set_config('valueverse.tenant', '', true)`);
      return (await tx.query('SELECT FROM parcels_v1')).rowCount;
    });
    expect(unset).toBe(0);
  });
});
