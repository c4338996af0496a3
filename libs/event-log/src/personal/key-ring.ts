import { createCipheriv, createDecipheriv, createSecretKey, type KeyObject, randomBytes } from 'node:crypto';
import { FACT_PARTITIONS } from '@valueverse/contracts';
import { partitionOf } from '@valueverse/kernel';
import { ERASED, PersonalKeyMissing, type PersonalFields, type PersonalKeyName } from '../codec/codec';
import type { RecordProjector } from '../consume/consumers';
import type { Tx } from '../database/database';

const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const PREFIX = 'personal:v1:';
/** Data keys held in memory; older ones are read again from the database. */
const KEYS_IN_MEMORY_MAX = 50_000;

/** How long a process believes what it read of a key: the bound on an erasure in another process. */
const REMEMBERED_MS = 30_000;

/** AES-256-GCM: nonce, tag, ciphertext. */
const seal = (key: KeyObject, aad: string, plain: Buffer): Buffer => {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(aad));
  const body = Buffer.concat([cipher.update(plain), cipher.final()]);
  return Buffer.concat([nonce, cipher.getAuthTag(), body]);
};
const open = (key: KeyObject, aad: string, sealed: Buffer): Buffer => {
  const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, NONCE_BYTES)).setAAD(Buffer.from(aad));
  decipher.setAuthTag(sealed.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES));
  return Buffer.concat([decipher.update(sealed.subarray(NONCE_BYTES + TAG_BYTES)), decipher.final()]);
};

interface KeyRecord { readonly tenant: string; readonly keyId: string; readonly state: 'active' | 'erased'; readonly wrapped?: string; readonly partition: number; readonly position: string }

/**
 * The data keys of customers. Each is random, wrapped by the master key, and lives in a table, never in the log: destroying it
 * makes every text that it sealed unreadable, wherever a copy of the log may be.
 */
export class KeyRing implements PersonalFields {
  private readonly masterKey: KeyObject;
  private readonly keys = new Map<string, { key: KeyObject | 'erased'; untilMs: number }>();

  /** `nowMs` only has to grow; a test gives its own. */
  constructor(masterKey: Buffer, private readonly nowMs: () => number = () => performance.now()) {
    if (masterKey.length !== KEY_BYTES) throw new Error(`the master key has to have ${KEY_BYTES} bytes`);
    this.masterKey = createSecretKey(masterKey);
  }

  /** Makes the key of a customer inside the transaction that makes the customer. Repeated, it answers the key that is there. */
  async create(tx: Tx, tenant: string, keyId: string): Promise<void> {
    const { rowCount } = await tx.query('SELECT FROM personal_keys WHERE tenant = $1 AND key_id = $2', [tenant, keyId]);
    if (rowCount === 1) return this.fetch(tx, [{ tenant, keyId }]);
    const key = randomBytes(KEY_BYTES);
    const partition = partitionOf(tenant, keyId, FACT_PARTITIONS);
    const position = await nextPosition(tx, partition);
    await tx.query(`INSERT INTO personal_keys (tenant, key_id, wrapped, state, partition, position) VALUES ($1, $2, $3, 'active', $4, $5)`,
      [tenant, keyId, seal(this.masterKey, `${tenant}|${keyId}`, key), partition, position]);
    this.remember(tenant, keyId, key);
    tx.afterRollback(() => this.forget(tenant, keyId));
  }

  /** Destroys a key. What it sealed reads as `[erased]` from then on, here and, through the topic, everywhere. */
  async erase(tx: Tx, tenant: string, keyId: string): Promise<void> {
    const position = await nextPosition(tx, partitionOf(tenant, keyId, FACT_PARTITIONS));
    await tx.query(`UPDATE personal_keys SET wrapped = NULL, state = 'erased', position = $3 WHERE tenant = $1 AND key_id = $2`, [tenant, keyId, position]);
    this.remember(tenant, keyId, 'erased');
    tx.afterRollback(() => this.forget(tenant, keyId));
  }

  encrypt(tenant: string, keyId: string, eventId: string, path: string, value: unknown): string {
    const key = this.known(tenant, keyId);
    // What would be sealed now could not be read again: the fact says that it was erased, and billing goes on.
    if (key === 'erased') return ERASED;
    return PREFIX + seal(key, `${tenant}|${keyId}|${eventId}|${path}`, Buffer.from(JSON.stringify(value))).toString('base64');
  }

  decrypt(tenant: string, keyId: string, eventId: string, path: string, text: string): unknown {
    const key = this.known(tenant, keyId);
    if (key === 'erased') return ERASED;
    return JSON.parse(open(key, `${tenant}|${keyId}|${eventId}|${path}`, Buffer.from(text.slice(PREFIX.length), 'base64')).toString());
  }

  async fetch(tx: Tx, wanted: readonly PersonalKeyName[]): Promise<void> {
    const { rows } = await tx.query<{ tenant: string; key_id: string; wrapped: Buffer | null }>(
      'SELECT k.tenant, k.key_id, k.wrapped FROM (SELECT DISTINCT * FROM unnest($1::text[], $2::text[])) w(tenant, key_id) JOIN personal_keys k ON k.tenant = w.tenant AND k.key_id = w.key_id',
      [wanted.map(({ tenant }) => tenant), wanted.map(({ keyId }) => keyId)]);
    for (const { tenant, key_id: keyId, wrapped } of rows) this.remember(tenant, keyId, wrapped === null ? 'erased' : open(this.masterKey, `${tenant}|${keyId}`, wrapped));
    const there = new Set(rows.map(({ tenant, key_id: keyId }) => `${tenant}|${keyId}`));
    const missing = wanted.find(({ tenant, keyId }) => !there.has(`${tenant}|${keyId}`));
    if (missing !== undefined) throw new PersonalKeyMissing(missing.tenant, missing.keyId);
  }

  /** Keeps a service's copy of the keys. */
  projector(): RecordProjector {
    return {
      kind: 'records', name: 'personal-keys', version: 1, topics: ['identity.personal-keys'], tables: ['personal_keys'],
      project: async (tx, records) => {
        for (const { value } of records) {
          const key = JSON.parse(value) as KeyRecord;
          await tx.query(
            `INSERT INTO personal_keys AS k (tenant, key_id, wrapped, state, partition, position) VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT (tenant, key_id) DO UPDATE SET wrapped = excluded.wrapped, state = excluded.state, position = excluded.position WHERE k.position < excluded.position`,
            [key.tenant, key.keyId, key.wrapped === undefined ? null : Buffer.from(key.wrapped, 'base64'), key.state, key.partition, key.position]);
          // After the commit: who reads the key again before it would find, and remember, the old one.
          tx.afterCommit(() => this.forget(key.tenant, key.keyId));
        }
      },
    };
  }

  private known(tenant: string, keyId: string): KeyObject | 'erased' {
    const known = this.keys.get(`${tenant}|${keyId}`);
    if (known === undefined || known.untilMs < this.nowMs()) throw new PersonalKeyMissing(tenant, keyId);
    return known.key;
  }

  private remember(tenant: string, keyId: string, key: Buffer | 'erased'): void {
    if (this.keys.size >= KEYS_IN_MEMORY_MAX) this.keys.delete(this.keys.keys().next().value!);
    this.keys.set(`${tenant}|${keyId}`, { key: key === 'erased' ? key : createSecretKey(key), untilMs: this.nowMs() + REMEMBERED_MS });
  }

  private forget(tenant: string, keyId: string): void { this.keys.delete(`${tenant}|${keyId}`); }
}

const nextPosition = async (tx: Tx, partition: number): Promise<bigint> => {
  const { rows } = await tx.query<{ position: bigint }>('UPDATE personal_key_heads SET position = position + 1 WHERE partition = $1 RETURNING position', [partition]);
  return rows[0]!.position;
};

export const keyRecordOf = (row: { tenant: string; key_id: string; wrapped: Buffer | null; state: 'active' | 'erased'; partition: number; position: bigint }): KeyRecord => ({
  tenant: row.tenant, keyId: row.key_id, state: row.state, ...(row.wrapped === null ? {} : { wrapped: row.wrapped.toString('base64') }), partition: row.partition, position: String(row.position),
});
