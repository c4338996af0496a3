import { Client } from 'pg';
import { createEmptyDatabase, type TestDatabase } from '@valueverse/testing';
import { Edition } from './edition.spec-kit';

const TIMEOUT_MS = 120_000;
const SCHEMAS = ['usage', 'billing', 'identity', 'payments', 'notifications'];
const FORBIDDEN = '42501';
/** Identity is served by the billing engine's roles. */
const apiOf = (schema: string): string => `vv_${schema === 'identity' ? 'billing' : schema}_api`;

interface Table { readonly schema: string; readonly name: string; readonly quoted: string; readonly kind: 'r' | 'v' | 'p' | 'm'; readonly security: boolean; readonly invoker: boolean; readonly tenant: boolean; readonly api: string }

let database: TestDatabase;
let edition: Edition;
let client: Client;
let tables: Table[];
let [mine, theirs] = ['', ''];

/** A tenant with something of everything: meters, usage that counts, repeats and is excluded, invoices, payments and e-mails. */
const fill = async (key: string): Promise<string> => {
  await edition.post('/api/v1/usage/meters', { key: 'calls', eventType: 'call', aggregation: 'sum', valueProperty: '$.calls' }, key);
  await edition.post('/api/v1/billing/plans', {
    key: 'payg', name: 'Pay as you go', currency: 'USD', interval: { unit: 'month', count: 1 },
    charges: [{ key: 'calls', name: 'Calls', type: 'usage', meterKey: 'calls', price: { model: 'per_unit', unitAmount: '0.01' } }, { key: 'fee', name: 'Fee', type: 'recurring', price: { model: 'flat', amount: '1.00' } }],
  }, key);
  const clock = await edition.post('/api/v1/billing/clocks', { name: 'tour', now: '2023-11-01T00:00:00Z' }, key);
  const answer = await edition.ask('/api/v1/billing/accounts', { body: { name: 'Acme', email: 'a@acme.example', currency: 'USD', timezone: 'UTC', testClockId: clock.id }, key, headers: { 'idempotency-key': 'one' } });
  await edition.post('/api/v1/billing/coupons', { key: 'tenth', discount: { type: 'percent', value: '10' } }, key);
  await edition.post(`/api/v1/billing/accounts/${answer.body.id}/coupons`, { couponKey: 'tenth' }, key);
  await edition.ask('/api/v1/billing/settings', { method: 'PUT', body: { rounding: 'half_up' }, key });
  await edition.post('/api/v1/payments/methods', { accountId: answer.body.id, provider: 'sandbox', token: 'tok_ok' }, key);
  await edition.post('/api/v1/billing/subscriptions', { accountId: answer.body.id, planKey: 'payg', startsAt: '2023-11-01T00:00:00Z', subjects: ['acme'] }, key);
  const event = { specversion: '1.0', source: 'gateway', type: 'call', subject: 'acme', time: '2023-11-05T00:00:00Z' };
  await edition.send([{ ...event, id: '1', data: { calls: 5 } }, { ...event, id: '1', data: { calls: 5 } }, { ...event, id: '2', data: { calls: 'many' } }, { ...event, id: '1', subject: 'other', data: { calls: 1 } }], key);
  await edition.advance(clock.id, '2023-12-01T12:00:00Z', key);
  const { rows } = await client.query<{ tenant: string }>('SELECT tenant FROM billing.accounts_v2 WHERE key = $1', [answer.body.id]);
  return rows[0]!.tenant;
};

beforeAll(async () => {
  database = await createEmptyDatabase();
  edition = await Edition.start({ DATABASE_URL: database.url });
  client = new Client({ connectionString: database.url });
  await client.connect();
  mine = await fill(edition.secretKey);
  theirs = await fill((await edition.organization('Theirs')).secretKey);
  await edition.stop();
  const { rows } = await client.query<Omit<Table, 'api'>>(
    `SELECT n.nspname AS schema, c.relname AS name, format('%I.%I', n.nspname, c.relname) AS quoted, c.relkind::text AS kind, c.relrowsecurity AS security,
       coalesce('security_invoker=true' = ANY (c.reloptions), false) AS invoker,
       EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant' AND NOT a.attisdropped) AS tenant
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p', 'v', 'm') AND n.nspname = ANY ($1) ORDER BY 1, 2`, [SCHEMAS]);
  tables = rows.map((row) => ({ ...row, api: apiOf(row.schema) }));
}, TIMEOUT_MS);
afterAll(async () => {
  await (client as Client | undefined)?.end();
  await (edition as Edition | undefined)?.stop();
  await (database as TestDatabase | undefined)?.drop();
}, TIMEOUT_MS);

/** What a statement does in a request of a tenant: the rows that it touches, or the code of its refusal. Nothing stays. */
const asApi = async (api: string, tenant: string | undefined, sql: string, values: readonly unknown[] = []): Promise<number | string> => {
  await client.query('BEGIN');
  try {
    await client.query(`SET LOCAL ROLE ${client.escapeIdentifier(api)}`);
    if (tenant !== undefined) await client.query("SELECT set_config('valueverse.tenant', $1, true)", [tenant]);
    return (await client.query(sql, [...values])).rowCount ?? 0;
  } catch (error) {
    return (error as { code: string }).code;
  } finally {
    await client.query('ROLLBACK');
  }
};
const may = async (role: string, { quoted }: Table, right: string): Promise<boolean> => (await client.query<{ may: boolean }>('SELECT has_table_privilege($1, $2, $3) AS may', [role, quoted, right])).rows[0]!.may;
const rowsOf = async ({ quoted }: Table, tenant: string): Promise<number> => (await client.query(`SELECT FROM ${quoted} WHERE tenant = $1`, [tenant])).rowCount ?? 0;

test('both tenants have rows nearly everywhere, so what follows says something', async () => {
  expect([mine === theirs, mine, theirs]).toEqual([false, expect.stringMatching(/./), expect.stringMatching(/./)]);
  const filled: string[] = [];
  for (const table of tables) if (table.tenant && table.kind === 'r' && (await rowsOf(table, mine)) > 0 && (await rowsOf(table, theirs)) > 0) filled.push(`${table.schema}.${table.name}`);
  expect(filled).toEqual(expect.arrayContaining([
    'billing.accounts_v2', 'billing.clocks', 'billing.events', 'billing.idempotency_keys', 'billing.invoice_requests', 'billing.invoices_v2', 'billing.billing_cycles', 'billing.known_meters', 'billing.number_series', 'billing.plans_v2',
    'billing.catalog_items_v2', 'billing.coupon_counters', 'billing.coupon_redemptions_v1', 'billing.billing_settings_v1',
    'billing.subjects', 'billing.subscriptions_v3', 'billing.test_clocks_v1', 'identity.personal_keys', 'notifications.account_contacts', 'notifications.events', 'notifications.invoice_contacts', 'notifications.messages_v1',
    'payments.default_methods_v2', 'payments.events', 'payments.known_accounts', 'payments.payment_methods_v4', 'payments.payments_v5', 'payments.provider_customers', 'payments.sandbox_objects', 'payments.sandbox_requests', 'usage.events', 'usage.meters_v2', 'usage.statements_v1',
    'usage.usage_buckets', 'usage.usage_envelopes', 'usage.usage_exceptions', 'usage.usage_series',
  ]));
});

test('every table with a tenant has row security, or is closed to requests altogether; every view looks with the eyes of its caller', async () => {
  const open: string[] = [];
  for (const table of tables) {
    if (!table.tenant) continue;
    const rights: boolean[] = [];
    for (const right of ['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE']) rights.push(await may(table.api, table, right));
    const isSafe = table.kind === 'v' ? table.invoker : table.kind === 'r' && table.security;
    if (!isSafe && rights.includes(true)) open.push(`${table.schema}.${table.name}`);
  }
  expect(open).toEqual([]);
});

test('a request sees its own tenant and nobody else, and without a tenant nothing', async () => {
  const seen: string[] = [];
  for (const table of tables.filter(({ tenant }) => tenant)) {
    if (!(await may(table.api, table, 'SELECT'))) continue;
    const [own, other, none, empty] = [
      await asApi(table.api, mine, `SELECT FROM ${table.quoted} WHERE tenant = $1`, [mine]), await asApi(table.api, mine, `SELECT FROM ${table.quoted} WHERE tenant IS DISTINCT FROM $1`, [mine]),
      await asApi(table.api, undefined, `SELECT FROM ${table.quoted}`), await asApi(table.api, '', `SELECT FROM ${table.quoted}`),
    ];
    if (own !== (await rowsOf(table, mine)) || other !== 0 || none !== 0 || empty !== 0) seen.push(`${table.schema}.${table.name}: own ${own}, of others ${other}, without a tenant ${none} and ${empty}`);
  }
  expect(seen).toEqual([]);
});

test('a request writes nothing in the name of another tenant', async () => {
  const wrote: string[] = [];
  let control = 0;
  for (const { api, quoted, schema, name } of tables.filter(({ tenant, kind }) => tenant && kind === 'r')) {
    const tried = {
      insert: await asApi(api, mine, `INSERT INTO ${quoted} (tenant) VALUES ($1)`, [theirs]), unnamed: await asApi(api, undefined, `INSERT INTO ${quoted} (tenant) VALUES ($1)`, [theirs]),
      take: await asApi(api, mine, `UPDATE ${quoted} SET tenant = $1 WHERE tenant = $2`, [mine, theirs]), give: await asApi(api, mine, `UPDATE ${quoted} SET tenant = $2 WHERE tenant = $1`, [mine, theirs]),
      touch: await asApi(api, mine, `UPDATE ${quoted} SET tenant = tenant WHERE tenant = $1`, [theirs]), delete: await asApi(api, mine, `DELETE FROM ${quoted} WHERE tenant = $1`, [theirs]),
      truncate: await asApi(api, mine, `TRUNCATE ${quoted}`),
    };
    // The same insert in its own name comes further: to a column that is missing.
    if ((await asApi(api, mine, `INSERT INTO ${quoted} (tenant) VALUES ($1)`, [mine])) !== FORBIDDEN) control++;
    const done = Object.entries(tried).filter(([what, outcome]) => outcome !== FORBIDDEN && !(outcome === 0 && what !== 'insert' && what !== 'unnamed'));
    if (done.length > 0) wrote.push(`${schema}.${name}: ${done.map(([what, outcome]) => `${what} ${outcome}`).join(', ')}`);
  }
  expect(wrote).toEqual([]);
  expect(control).toBeGreaterThan(30);
});

test('nobody but the owner of a schema changes or removes what happened', async () => {
  const rights: string[] = [];
  const logs = tables.filter(({ name, schema }) => schema !== 'identity' && ['events', 'links', 'commands'].includes(name));
  expect(logs).toHaveLength(12);
  for (const table of logs) {
    for (const role of [table.api, table.api.replace(/_api$/, '_worker')]) {
      for (const right of ['UPDATE', 'DELETE', 'TRUNCATE']) if (await may(role, table, right)) rights.push(`${role} may ${right} ${table.schema}.${table.name}`);
    }
  }
  expect(rights).toEqual([]);
});

test('no role of requests passes row security, and none reaches into the schema of another service', async () => {
  const { rows } = await client.query<{ rolname: string }>("SELECT rolname FROM pg_roles WHERE rolname LIKE 'vv\\_%\\_api' AND (rolsuper OR rolbypassrls OR rolcreaterole)");
  expect(rows).toEqual([]);
  const reached: string[] = [];
  for (const table of tables) {
    for (const role of new Set(SCHEMAS.map(apiOf))) {
      for (const right of ['SELECT', 'INSERT', 'UPDATE', 'DELETE']) if (role !== table.api && (await may(role, table, right))) reached.push(`${role} may ${right} ${table.schema}.${table.name}`);
    }
  }
  expect(reached).toEqual([]);
});
