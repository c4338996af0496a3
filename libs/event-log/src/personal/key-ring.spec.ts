import { randomBytes } from 'node:crypto';
import { createTestDatabase, type TestDatabase } from '@valueverse/testing';
import { PersonalKeyMissing } from '../codec/codec';
import { Database } from '../database/database';
import { ensureRoles } from '../database/roles';
import { PostgresFeed } from '../feed/postgres-feed';
import { KeyRelay } from './key-relay';
import { KeyRing } from './key-ring';
import { personalKeyOriginSql, personalKeysSql } from './schema';

const TENANT = 'org_1:test';
const TIMEOUT_MS = 30_000;
const masterKey = randomBytes(32);
let test_: TestDatabase;
let origin: Database;
let copy: Database;

const prepare = async (url: string): Promise<void> => {
  const billing = new Database({ url, schema: 'billing', schemas: ['identity'] });
  await ensureRoles(billing, ['billing', 'identity']);
  await billing.transaction({ role: 'owner' }, (tx) => tx.query(`${personalKeysSql('identity')} ${personalKeyOriginSql('identity')}`));
  const payments = new Database({ url, schema: 'payments' });
  await ensureRoles(payments, ['payments']);
  await payments.transaction({ role: 'owner' }, (tx) => tx.query(personalKeysSql('payments')));
  await Promise.all([billing.close(), payments.close()]);
};

beforeEach(async () => {
  test_ = await createTestDatabase(prepare, 'personal keys');
  origin = new Database({ url: test_.url, schema: 'billing', schemas: ['identity'] });
  copy = new Database({ url: test_.url, schema: 'payments' });
}, TIMEOUT_MS);
afterEach(async () => {
  await Promise.all([origin.close(), copy.close()]);
  await test_.drop();
}, TIMEOUT_MS);

const api = { role: 'api', tenant: TENANT } as const;

test('what was sealed reads again, also in another process', async () => {
  const ring = new KeyRing(masterKey);
  await origin.transaction(api, (tx) => ring.create(tx, TENANT, 'acc_1'));
  const sealed = ring.encrypt(TENANT, 'acc_1', 'evt_1', 'name', 'Åsa Lindqvist');
  expect(sealed).not.toContain('Lindqvist');
  const other = new KeyRing(masterKey);
  expect(() => other.decrypt(TENANT, 'acc_1', 'evt_1', 'name', sealed)).toThrow(PersonalKeyMissing);
  await origin.transaction(api, (tx) => other.fetch(tx, [{ tenant: TENANT, keyId: 'acc_1' }]));
  expect(other.decrypt(TENANT, 'acc_1', 'evt_1', 'name', sealed)).toBe('Åsa Lindqvist');
});

test('a sealed field cannot be moved to another event, field or tenant', async () => {
  const ring = new KeyRing(masterKey);
  await origin.transaction(api, (tx) => ring.create(tx, TENANT, 'acc_1'));
  const sealed = ring.encrypt(TENANT, 'acc_1', 'evt_1', 'name', 'Ann');
  expect(() => ring.decrypt(TENANT, 'acc_1', 'evt_2', 'name', sealed)).toThrow();
  expect(() => ring.decrypt(TENANT, 'acc_1', 'evt_1', 'email', sealed)).toThrow();
});

test('F135: keys travel by their topic; an erased one reads as erased everywhere, and is gone from the feed', async () => {
  const feed = new PostgresFeed(test_.url);
  await feed.ensureTopics();
  const ring = new KeyRing(masterKey);
  const relay = new KeyRelay(origin, feed, { error: () => undefined, alarm: () => undefined });
  await origin.transaction(api, (tx) => ring.create(tx, TENANT, 'acc_1'));
  const sealed = ring.encrypt(TENANT, 'acc_1', 'evt_1', 'name', 'Ann');
  const reader = new KeyRing(masterKey);
  const project = async (): Promise<number> => {
    await relay.publish();
    let records = 0;
    for (let partition = 0; partition < 16; partition++) {
      const found = await feed.read({ topic: 'identity.personal-keys', partition }, 0n, 10);
      records += found.length;
      await copy.transaction({ role: 'worker' }, (tx) => reader.projector().project(tx, found));
      await copy.transaction({ role: 'worker' }, (tx) => reader.projector().project(tx, found));
    }
    return records;
  };
  expect(await project()).toBe(1);
  await copy.transaction(api, (tx) => reader.fetch(tx, [{ tenant: TENANT, keyId: 'acc_1' }]));
  expect(reader.decrypt(TENANT, 'acc_1', 'evt_1', 'name', sealed)).toBe('Ann');
  await origin.transaction({ role: 'worker' }, (tx) => ring.erase(tx, TENANT, 'acc_1'));
  // One record is left of the key: compaction keeps the latest, which says that it was erased and holds no key.
  expect(await project()).toBe(1);
  await copy.transaction(api, (tx) => reader.fetch(tx, [{ tenant: TENANT, keyId: 'acc_1' }]));
  expect(reader.decrypt(TENANT, 'acc_1', 'evt_1', 'name', sealed)).toBe('[erased]');
  expect(ring.decrypt(TENANT, 'acc_1', 'evt_1', 'name', sealed)).toBe('[erased]');
  // Nothing personal can be written under it any more, and what writes goes on.
  expect(ring.encrypt(TENANT, 'acc_1', 'evt_2', 'name', 'Ann')).toBe('[erased]');
  expect(reader.decrypt(TENANT, 'acc_1', 'evt_2', 'name', '[erased]')).toBe('[erased]');
  await feed.close();
}, TIMEOUT_MS);

test('a key of another tenant is not there', async () => {
  const ring = new KeyRing(masterKey);
  await origin.transaction(api, (tx) => ring.create(tx, TENANT, 'acc_1'));
  await expect(origin.transaction({ role: 'api', tenant: 'org_2:test' }, (tx) => new KeyRing(masterKey).fetch(tx, [{ tenant: TENANT, keyId: 'acc_1' }]))).rejects.toThrow(PersonalKeyMissing);
});

test('a key of a transaction that was rolled back is never used', async () => {
  const ring = new KeyRing(masterKey);
  await origin.transaction(api, async (tx) => { await ring.create(tx, TENANT, 'acc_1'); throw new Error('given up'); }).catch(() => undefined);
  expect(() => ring.encrypt(TENANT, 'acc_1', 'evt_1', 'name', 'Ann')).toThrow(PersonalKeyMissing);
  // Another process makes it; what is sealed here reads there.
  const other = new KeyRing(masterKey);
  await origin.transaction(api, (tx) => other.create(tx, TENANT, 'acc_1'));
  await origin.transaction(api, (tx) => ring.fetch(tx, [{ tenant: TENANT, keyId: 'acc_1' }]));
  expect(other.decrypt(TENANT, 'acc_1', 'evt_1', 'name', ring.encrypt(TENANT, 'acc_1', 'evt_1', 'name', 'Ann'))).toBe('Ann');
});

test('an erasure that was rolled back erases nothing', async () => {
  const ring = new KeyRing(masterKey);
  await origin.transaction(api, (tx) => ring.create(tx, TENANT, 'acc_1'));
  const sealed = ring.encrypt(TENANT, 'acc_1', 'evt_1', 'name', 'Ann');
  await origin.transaction(api, async (tx) => { await ring.erase(tx, TENANT, 'acc_1'); throw new Error('given up'); }).catch(() => undefined);
  await origin.transaction(api, (tx) => ring.fetch(tx, [{ tenant: TENANT, keyId: 'acc_1' }]));
  expect(ring.decrypt(TENANT, 'acc_1', 'evt_1', 'name', sealed)).toBe('Ann');
});

test('a process that did not hear of an erasure forgets the key soon all the same', async () => {
  let nowMs = 0;
  const ring = new KeyRing(masterKey);
  const deaf = new KeyRing(masterKey, () => nowMs);
  await origin.transaction(api, (tx) => ring.create(tx, TENANT, 'acc_1'));
  await origin.transaction(api, (tx) => deaf.fetch(tx, [{ tenant: TENANT, keyId: 'acc_1' }]));
  const sealed = deaf.encrypt(TENANT, 'acc_1', 'evt_1', 'name', 'Ann');
  await origin.transaction(api, (tx) => ring.erase(tx, TENANT, 'acc_1'));
  nowMs = 30_001;
  expect(() => deaf.decrypt(TENANT, 'acc_1', 'evt_1', 'name', sealed)).toThrow(PersonalKeyMissing);
  await origin.transaction(api, (tx) => deaf.fetch(tx, [{ tenant: TENANT, keyId: 'acc_1' }]));
  expect(deaf.decrypt(TENANT, 'acc_1', 'evt_1', 'name', sealed)).toBe('[erased]');
});
