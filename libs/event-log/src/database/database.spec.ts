import { createEmptyDatabase, type TestDatabase } from '@valueverse/testing';
import { Client } from 'pg';
import { Bed, NOW, TENANT } from '../contract/bed.spec-kit';
import { parcel, scan } from '../contract/parcels.spec-kit';
import type { Log } from '../log';
import { binaryRows } from './copy-in';
import { CommitUnknown, Database, ident, isTransient, type TransactionOptions } from './database';
import { ensureRoles, RolesMissing, tenantPolicySql } from './roles';

const TIMEOUT_MS = 30_000;

describe('a transaction', () => {
  let bed: Bed;
  let log: Log;
  beforeEach(async () => { bed = await Bed.make(); log = bed.open(); }, TIMEOUT_MS);
  afterEach(() => bed.close(), TIMEOUT_MS);
  const effect = `INSERT INTO effects (consumer, stream, version) VALUES ('recorder', 's', 1)`;
  const context = (commandId?: string): Parameters<Log['executeOne']>[2] => ({ tenant: TENANT, at: NOW, actor: 'test', commandId });

  const STANDING = `SELECT current_user AS role, current_setting('valueverse.tenant') AS tenant, current_setting('transaction_read_only') AS reads, current_setting('transaction_isolation') AS isolation, $1::int AS nth`;
  test('that begins together with its first statement has its own role, tenant and isolation all the same, however often others had theirs on its connection', async () => {
    const kinds = [
      { role: 'api', tenant: 'org_a:live' }, { role: 'worker' }, { role: 'api', tenant: `org_'b":live`, readOnly: true }, { role: 'api', tenant: 'org_c:live', isOneStatement: true }, { role: 'worker', isolation: 'repeatable read' },
    ] as const;
    // More than it takes until statements have names, and until plans are made anew.
    for (let nth = 0; nth < 60; nth++) {
      const kind: TransactionOptions = kinds[(nth * 7) % kinds.length]!;
      const { rows } = await log.database.transaction(kind, (tx) => tx.query(STANDING, [nth]));
      expect(rows).toEqual([{ role: expect.stringMatching(new RegExp(`_${kind.role}$`)), tenant: kind.tenant ?? '', reads: kind.readOnly === true || kind.isOneStatement === true ? 'on' : 'off', isolation: kind.isolation ?? 'read committed', nth }]);
    }
    const outside = await log.database.withOwner((client) => client.query(`SELECT current_setting('valueverse.tenant', true) AS tenant, current_setting('role') AS role`));
    expect(outside.rows).toEqual([{ tenant: '', role: 'none' }]);
  });

  // By which of them fails it is the first one that a connection hears together with its beginning, or a later one.
  test.each([0, 1, 2])('whose first statement fails is rolled back, and the next one finds a connection (%i)', async (failing) => {
    const divided = (by: number) => log.database.transaction({ role: 'worker' }, async (tx) => (await tx.query<{ part: number }>('SELECT 6 / $1::int AS part', [by])).rows[0]!.part);
    for (let nth = 0; nth < 30; nth++) {
      if (nth % 3 === failing) await expect(divided(0)).rejects.toMatchObject({ code: '22012' });
      else expect(await divided(1 + nth % 3)).toBe(6 / (1 + nth % 3));
    }
    const counts = await log.database.withOwner((client) => client.query<{ open: bigint }>(`SELECT count(*) AS open FROM pg_stat_activity WHERE state LIKE 'idle in transaction%' AND datname = current_database()`));
    expect(Number(counts.rows[0]!.open)).toBe(0);
  });

  test('of one statement takes no second one, writes nothing, and is over with it', async () => {
    const one = { role: 'worker', isOneStatement: true } as const;
    for (let nth = 0; nth < 8; nth++) {
      expect((await log.database.transaction(one, (tx) => tx.query('SELECT $1::int AS nth', [nth]))).rows).toEqual([{ nth }]);
      await expect(log.database.transaction(one, async (tx) => { await tx.query('SELECT $1::int AS nth', [nth]); await tx.query('SELECT $1::int AS nth', [nth]); })).rejects.toThrow('a second statement in a transaction of one');
      await expect(log.database.transaction(one, (tx) => tx.query(`INSERT INTO effects (consumer, stream, version) VALUES ('recorder', 's', $1)`, [nth]))).rejects.toMatchObject({ code: '25006' });
    }
    expect(await log.database.transaction(one, async () => 'nothing was asked')).toBe('nothing was asked');
    expect(await bed.effects(log)).toEqual([]);
  });

  test('whose failed statement was swallowed is not reported as committed', async () => {
    await expect(log.database.transaction({ role: 'worker' }, async (tx) => {
      await tx.query(effect);
      await tx.query('SELECT 1 / 0').catch(() => undefined);
      return 'done';
    })).rejects.toThrow(/nothing was committed/);
    expect(await bed.effects(log)).toEqual([]);
  });

  test('takes statements that are given at once one after the other, and is not over before they are', async () => {
    const seen: Promise<unknown>[] = [];
    await log.database.transaction({ role: 'worker' }, async (tx) => {
      for (let version = 1; version <= 3; version++) {
        void tx.query(`INSERT INTO effects (consumer, stream, version) VALUES ('recorder', 's', $1)`, [version]);
        seen.push(tx.query<{ count: bigint }>('SELECT count(*) FROM effects').then(({ rows: [row] }) => Number(row!.count)));
      }
    });
    expect(await Promise.all(seen)).toEqual([1, 2, 3]);
    expect(await bed.effects(log)).toHaveLength(3);
  });

  test('in which one of the statements given at once fails is told of that one by all after it, and nothing is left of it', async () => {
    const failed: unknown[] = [];
    await expect(log.database.transaction({ role: 'worker' }, async (tx) => {
      const given = [effect, 'SELECT 1 / 0', effect, effect].map((text) => tx.query(text));
      for (const { status, reason } of await Promise.allSettled(given) as PromiseRejectedResult[]) failed.push(status === 'rejected' && (reason as { code?: string }).code);
      await Promise.all(given);
    })).rejects.toMatchObject({ code: '22012' });
    expect(failed).toEqual([false, '22012', '22012', '22012']);
    await expect(log.database.transaction({ role: 'worker' }, async (tx) => {
      await tx.query('SELECT 1 / 0').catch(() => undefined);
      await tx.query(effect);
    })).rejects.toMatchObject({ code: '22012' });
    await expect(log.database.transaction({ role: 'worker' }, async (tx) => { void tx.query('SELECT 1 / 0'); })).rejects.toThrow(/nothing was committed/);
    expect(await bed.effects(log)).toEqual([]);
  });

  test('copies rows in; where one is refused the connection goes on, and all of it can be rolled back', async () => {
    const rows = (...streams: readonly string[]): Buffer => binaryRows(streams.length, 2 + 4 + 1 + 4 + 4 + 4 + 4, (view, start, row) => {
      const put = (text: string, at: number): void => { view.setInt32(at, text.length); for (const [nth, byte] of Buffer.from(text).entries()) view.setUint8(at + 4 + nth, byte); };
      view.setInt16(start, 3);
      put(streams[row]!, start + 2);
      put('long', start + 7);
      view.setInt32(start + 15, 4);
      view.setInt32(start + 19, row + 1);
    });
    const copy = 'COPY effects (consumer, stream, version) FROM STDIN (FORMAT binary)';
    await log.database.withOwner((client) => client.query('CREATE UNIQUE INDEX ON billing.effects (consumer, version)'));
    await log.database.transaction({ role: 'worker' }, (tx) => tx.copyIn(copy, rows('a', 'b')));
    expect(await bed.effects(log, 'a')).toEqual([{ stream: 'long', version: 1 }]);
    const failed = log.database.transaction({ role: 'worker' }, async (tx) => {
      await tx.copyIn(copy, rows('c'));
      await expect(tx.copyIn(copy, rows(...Array.from({ length: 5_000 }, () => 'a')))).rejects.toMatchObject({ code: '23505' });
      await expect(tx.query('SELECT 1')).rejects.toMatchObject({ code: '23505' });
      throw new Error('given up');
    });
    await expect(failed).rejects.toThrow('given up');
    expect(await bed.effects(log, 'c')).toEqual([]);
    let late: (() => Promise<unknown>) | undefined;
    await log.database.transaction({ role: 'worker' }, async (tx) => { late = () => tx.copyIn(copy, rows('d')); });
    await expect(late!()).rejects.toThrow(/after the end/);
  });

  test('takes no statement after its end, neither when it was committed nor when it was rolled back', async () => {
    let late: (() => Promise<unknown>) | undefined;
    await log.database.transaction({ role: 'worker' }, async (tx) => { late = () => tx.query(effect); });
    await expect(late!()).rejects.toThrow(/after the end/);
    await expect(log.database.transaction({ role: 'worker' }, async (tx) => { late = () => tx.query(effect); throw new Error('given up'); })).rejects.toThrow('given up');
    await expect(late!()).rejects.toThrow(/after the end/);
    expect(await bed.effects(log)).toEqual([]);
  });

  test('F52: whose commit is not known is repeated only if it would find itself', async () => {
    let cut = true;
    const cutAfterCommit = (text: string): void => {
      if (text === 'AFTER COMMIT' && cut) { cut = false; throw Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' }); }
    };
    const cutLog = bed.open(cutAfterCommit);
    await expect(cutLog.executeOne(parcel, scan('a'), context())).rejects.toThrow(CommitUnknown);
    expect(await bed.facts(log)).toBe(1);
    cut = true;
    expect((await cutLog.executeOne(parcel, scan('a'), context('c1'))).repeated).toBe(true);
    expect(await bed.facts(log)).toBe(2);
  });

  test.each(['40001', '53100', '53300', '57P01'])('that failed with %s says nothing about what it was about', (code) => expect(isTransient(Object.assign(new Error('x'), { code }))).toBe(true));

  describe('whose statements come again and again, on one connection', () => {
    const OFTEN = 8;
    let narrow: Database;
    beforeEach(() => { narrow = new Database({ url: bed.url, schema: 'billing', connectionsMax: 1 }); });
    afterEach(() => narrow.close());
    const often = async <T>(work: () => Promise<T>): Promise<T[]> => {
      const seen: T[] = [];
      for (let nth = 0; nth < OFTEN; nth++) seen.push(await work());
      return seen;
    };

    test('has them prepared once for each role, and each tenant sees its own rows alone', async () => {
      for (const [tenant, parcelId] of [['org_1:test', 'a'], ['org_2:test', 'b'], ['org_2:test', 'c']] as const) await log.executeOne(parcel, scan(parcelId), { tenant, at: NOW, actor: 'test' });
      const streams = (options: { role: 'worker' | 'api'; tenant?: string }): Promise<string> => narrow.transaction(options, async (tx) =>
        (await tx.query<{ stream: string }>('SELECT stream FROM events WHERE version = $1 ORDER BY stream', [1])).rows.map(({ stream }) => stream.slice(-1)).join(''));
      expect(await often(async () => [await streams({ role: 'worker' }), await streams({ role: 'api', tenant: 'org_1:test' }), await streams({ role: 'api', tenant: 'org_2:test' }), await streams({ role: 'api', tenant: 'org_3:test' })]))
        .toEqual(Array(OFTEN).fill(['abc', 'a', 'bc', '']));
      const prepared = await narrow.withOwner(async (client) => (await client.query<{ name: string; text: string }>(`SELECT name, statement AS text FROM pg_prepared_statements WHERE statement LIKE 'SELECT stream%' ORDER BY name`)).rows);
      expect(prepared.map(({ name }) => name.replace(/\d+$/, ''))).toEqual(['api_', 'worker_']);
    });

    test('that meets a table which has got another column fails once, as something that is tried again, and then sees it', async () => {
      const columns = (): Promise<string[]> => narrow.transaction({ role: 'worker' }, async (tx) => (await tx.query('SELECT * FROM effects WHERE version >= $1', [0])).fields.map(({ name }) => name));
      await often(columns);
      await log.database.withOwner((client) => client.query('ALTER TABLE billing.effects ADD COLUMN note text'));
      const failed = await columns().catch((error: unknown) => error);
      expect(isTransient(failed)).toBe(true);
      expect(await columns()).toEqual(['consumer', 'stream', 'version', 'nth', 'note']);
    });

    test('finds its rows by an index when a table has grown since they were prepared', async () => {
      const found = (stream: string): Promise<number> => narrow.transaction({ role: 'worker' }, async (tx) => (await tx.query('SELECT FROM effects WHERE stream = $1', [stream])).rowCount!);
      await log.database.withOwner(async (client) => { await client.query(`CREATE INDEX ON billing.effects (stream); INSERT INTO billing.effects (consumer, stream, version) VALUES ('c', 's', 0)`); await client.query('ANALYZE billing.effects'); });
      await often(() => found('s'));
      await log.database.withOwner((client) => client.query(`INSERT INTO billing.effects (consumer, stream, version) SELECT 'c', n::text, 1 FROM generate_series(1, 10000) n`));
      const read = await narrow.transaction({ role: 'worker' }, async (tx) => {
        await tx.query('SELECT FROM effects WHERE stream = $1', ['77']);
        return (await tx.query<{ read: bigint }>(`SELECT seq_tup_read AS read FROM pg_stat_xact_user_tables WHERE relid = 'effects'::regclass`)).rows[0]!.read;
      });
      expect(read).toBe(0n);
    });

    test('plans anew in a transaction of any isolation', async () => {
      const isolation = (): Promise<string> => narrow.transaction({ role: 'worker', isolation: 'repeatable read', readOnly: true }, async (tx) => (await tx.query<{ isolation: string }>(`SELECT current_setting('transaction_isolation') AS isolation`)).rows[0]!.isolation);
      for (let nth = 0; nth < 40; nth++) expect(await isolation()).toBe('repeatable read');
    });

    test('plans anew for a table that has grown from nothing and has no statistics yet', async () => {
      await log.database.withOwner((client) => client.query(`CREATE TABLE billing.grown (name text PRIMARY KEY) WITH (autovacuum_enabled = off); GRANT SELECT ON billing.grown TO vv_billing_worker`));
      const rowsExpected = (): Promise<number> => narrow.transaction({ role: 'worker' }, async (tx) => {
        await tx.query('SELECT FROM grown WHERE name >= $1', ['n']);
        const { rows: [known] } = await tx.query<{ name: string }>(`SELECT name FROM pg_prepared_statements WHERE statement LIKE 'SELECT FROM grown%'`);
        if (known === undefined) return 0;
        const { rows } = await tx.query<{ 'QUERY PLAN': [{ Plan: { 'Plan Rows': number } }] }>(`EXPLAIN (FORMAT JSON) EXECUTE ${ident(known.name)} ('n')`);
        return rows[0]!['QUERY PLAN'][0].Plan['Plan Rows'];
      });
      const whileEmpty = (await often(rowsExpected)).at(-1)!;
      await log.database.withOwner((client) => client.query(`INSERT INTO billing.grown SELECT 'n' || n FROM generate_series(1, 10000) n`));
      expect(await rowsExpected()).toBe(whileEmpty);
      await often(rowsExpected);
      expect(await rowsExpected()).toBeGreaterThan(whileEmpty);
    });
  });

  test('undoes what it changed in memory when it is rolled back, and only then', async () => {
    const undone: string[] = [];
    await log.database.transaction({ role: 'worker' }, async (tx) => { tx.afterRollback(() => undone.push('first')); });
    await log.database.transaction({ role: 'worker' }, async (tx) => { tx.afterRollback(() => undone.push('second')); throw new Error('given up'); }).catch(() => undefined);
    expect(undone).toEqual(['second']);
  });
});

describe('the roles of a service', () => {
  const LOGIN = 'vv_spec_login';
  const SCHEMA = 'spec_roles';
  let test_: TestDatabase;
  let admin: Client;
  const asLogin = (): Database => {
    const url = new URL(test_.url);
    url.username = LOGIN;
    url.password = 'spec';
    return new Database({ url: url.href, schema: SCHEMA });
  };
  const dropRoles = async (): Promise<void> => {
    for (const name of [LOGIN, ...['owner', 'worker', 'api'].map((role) => `vv_${SCHEMA}_${role}`)]) {
      const { rowCount } = await admin.query('SELECT FROM pg_roles WHERE rolname = $1', [name]);
      if (rowCount === 1) await admin.query(`DROP OWNED BY ${ident(name)}; DROP ROLE ${ident(name)}`);
    }
  };
  beforeEach(async () => {
    test_ = await createEmptyDatabase();
    admin = new Client({ connectionString: test_.url });
    await admin.connect();
    await dropRoles();
    await admin.query(`CREATE ROLE ${ident(LOGIN)} LOGIN PASSWORD 'spec' NOCREATEROLE NOSUPERUSER`);
  }, TIMEOUT_MS);
  afterEach(async () => {
    await dropRoles();
    await admin.end();
    await test_.drop();
  }, TIMEOUT_MS);

  test('a user that may not make them is given SQL that then works; its worker sees every tenant by the policies', async () => {
    const database = asLogin();
    const missing = await ensureRoles(database, [SCHEMA]).catch((error: unknown) => error);
    expect(missing).toBeInstanceOf(RolesMissing);
    await admin.query((missing as RolesMissing).sql);
    await ensureRoles(database, [SCHEMA]);
    await ensureRoles(database, [SCHEMA]);
    await database.transaction({ role: 'owner' }, (tx) => tx.query(
      `CREATE TABLE ${SCHEMA}.things (tenant text NOT NULL, n int); ${tenantPolicySql(SCHEMA, 'things')} GRANT SELECT, INSERT ON ${SCHEMA}.things TO vv_${SCHEMA}_worker, vv_${SCHEMA}_api`));
    for (const tenant of ['a', 'b']) await database.transaction({ role: 'api', tenant }, (tx) => tx.query('INSERT INTO things VALUES ($1, 1)', [tenant]));
    await expect(database.transaction({ role: 'api', tenant: 'a' }, (tx) => tx.query(`INSERT INTO things VALUES ('b', 1)`))).rejects.toThrow(/row-level security/);
    const { rows } = await admin.query<{ rolbypassrls: boolean }>(`SELECT rolbypassrls FROM pg_roles WHERE rolname = 'vv_${SCHEMA}_worker'`);
    expect(rows).toEqual([{ rolbypassrls: false }]);
    const seen = async (options: Parameters<Database['transaction']>[0]): Promise<number | null> => database.transaction(options, async (tx) => (await tx.query('SELECT FROM things')).rowCount);
    expect([await seen({ role: 'worker' }), await seen({ role: 'api', tenant: 'a' })]).toEqual([2, 1]);
    await database.close();
  }, TIMEOUT_MS);

  test('one that is half made is completed', async () => {
    await admin.query(`CREATE ROLE vv_${SCHEMA}_owner NOLOGIN`);
    const database = asLogin();
    const missing = await ensureRoles(database, [SCHEMA]).catch((error: unknown) => error);
    await admin.query((missing as RolesMissing).sql);
    await ensureRoles(database, [SCHEMA]);
    await database.close();
  }, TIMEOUT_MS);

  test('two databases of one server make them at the same moment', async () => {
    const other = await createEmptyDatabase();
    const databases = [test_.url, other.url, test_.url, other.url].map((url) => new Database({ url, schema: SCHEMA }));
    await Promise.all(databases.map((database) => ensureRoles(database, [SCHEMA])));
    await Promise.all(databases.map((database) => database.close()));
    await other.drop();
  }, TIMEOUT_MS);
});
