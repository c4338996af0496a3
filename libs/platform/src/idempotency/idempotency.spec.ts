import { Database, ensureRoles, type Tx } from '@valueverse/event-log';
import { createTestDatabase, type TestDatabase } from '@valueverse/testing';
import { idempotencySchemaSql, pruneIdempotencyKeys, readIdempotencyKey, type StoredAnswer, withIdempotency } from './idempotency';

const SCHEMA = 'payments';
let prepared: TestDatabase;
let database: Database;
const open = (url: string) => new Database({ url, schema: SCHEMA });

beforeAll(async () => {
  prepared = await createTestDatabase(async (url) => {
    const owner = open(url);
    await ensureRoles(owner, [SCHEMA]);
    await owner.transaction({ role: 'owner' }, async (tx) => {
      await tx.query(idempotencySchemaSql(SCHEMA));
      await tx.query('CREATE TABLE payments.effects (n int)');
      await tx.query('GRANT SELECT, INSERT ON payments.effects TO vv_payments_api');
    });
    await owner.close();
  }, __filename);
  database = open(prepared.url);
}, 60_000);
afterAll(async () => {
  await database.close();
  await prepared.drop();
});

const scope = { tenant: 't1', route: 'POST /api/v1/payments', key: 'k1', fingerprint: 'f1' };
const created: StoredAnswer = { status: 201, headers: { Location: '/api/v1/payments/pay_1' }, body: { id: 'pay_1' } };
const pay = (more: Partial<typeof scope> = {}, work: (tx: Tx) => Promise<StoredAnswer> = async (tx) => {
  await tx.query('INSERT INTO effects VALUES (1)');
  return created;
}) => {
  const whole = { ...scope, ...more };
  return database.transaction({ role: 'api', tenant: whole.tenant }, (tx) => withIdempotency(tx, whole, () => work(tx)));
};
const effects = () => database.transaction({ role: 'owner' }, async (tx) => (await tx.query<{ n: number }>('SELECT count(*)::int AS n FROM effects')).rows[0]?.n);

test('F02: the same request has one effect and one answer', async () => {
  expect(await pay()).toEqual({ ...created, replayed: false });
  expect(await pay()).toEqual({ ...created, headers: { ...created.headers, 'Idempotency-Replayed': 'true' }, replayed: true });
  expect(await effects()).toBe(1);
});

test('another payload under the same key is refused', () =>
  expect(pay({ fingerprint: 'f2' })).rejects.toMatchObject({ status: 422, code: 'idempotency_key_reused' }));

test('another tenant and another route have keys of their own', async () => {
  expect(await pay({ tenant: 't2', fingerprint: 'f9' })).toMatchObject({ replayed: false });
  expect(await pay({ route: 'POST /api/v1/refunds', fingerprint: 'f9' })).toMatchObject({ replayed: false });
});

test('while the first is at work the second is told so at once', async () => {
  let release: (() => void) | undefined;
  const held = new Promise<void>((resolve) => { release = resolve; });
  let begun: (() => void) | undefined;
  const inside = new Promise<void>((resolve) => { begun = resolve; });
  const first = pay({ key: 'slow' }, async () => { begun?.(); await held; return created; });
  await inside;
  await expect(pay({ key: 'slow' })).rejects.toMatchObject({ status: 409, code: 'idempotency_in_flight', headers: { 'Retry-After': '1' } });
  release?.();
  expect(await first).toMatchObject({ replayed: false });
  expect(await pay({ key: 'slow' })).toMatchObject({ replayed: true });
});

test('a failure is not kept: neither what is thrown nor what is no success', async () => {
  await expect(pay({ key: 'fails' }, async () => { throw new Error('card declined'); })).rejects.toThrow('card declined');
  expect(await pay({ key: 'fails' }, async () => ({ status: 422, headers: {}, body: {} }))).toMatchObject({ status: 422, replayed: false });
  expect(await pay({ key: 'fails' })).toMatchObject({ status: 201, replayed: false });
});

test('an answer without a body stays without one', async () => {
  const none: StoredAnswer = { status: 204, headers: {}, body: undefined };
  await pay({ key: 'none' }, async () => none);
  expect(await pay({ key: 'none' })).toMatchObject({ status: 204, body: undefined, replayed: true });
});

test('answers are kept for a day at least', async () => {
  const prune = (hours?: number) => database.transaction({ role: 'worker' }, (tx) => pruneIdempotencyKeys(tx, hours));
  expect(await prune(1)).toBe(0);
  await database.transaction({ role: 'owner' }, (tx) => tx.query("UPDATE idempotency_keys SET created_at = now() - interval '25 hours' WHERE key = 'k1' AND tenant = 't1'"));
  expect(await prune()).toBeGreaterThan(0);
  expect(await pay()).toMatchObject({ replayed: false });
});

test.each<[string | undefined, string | undefined]>([
  ['"8e03978e-40d5"', '8e03978e-40d5'], ['8e03978e-40d5', '8e03978e-40d5'], ['"a\\"b"', 'a"b'], [undefined, undefined],
])('the header %s is the key %s', (header, key) => expect(readIdempotencyKey(header)).toBe(key));
test.each(['', '""', '"open', 'with blank', 'k'.repeat(257), 'ünicode'])('the header "%s" is refused', (header) =>
  expect(() => readIdempotencyKey(header)).toThrow(expect.objectContaining({ code: 'invalid_idempotency_key' }) as Error));
test('a header that is required is asked for', () =>
  expect(() => readIdempotencyKey(undefined, true)).toThrow(expect.objectContaining({ status: 400, code: 'idempotency_key_missing' }) as Error));
