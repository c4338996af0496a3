import type { Database } from '../database/database';
import { isTransient } from '../database/database';
import type { Feed } from '../feed/feed';
import { Loop } from '../loop';
import type { Reports } from '../relay/relay';
import { keyRecordOf } from './key-ring';

const KEYS_PER_ROUND_MAX = 500;
/** For what it is not told of: keys of another process, and those that were erased. */
const POLL_MS = 250;

interface KeyRow { tenant: string; key_id: string; wrapped: Buffer | null; state: 'active' | 'erased'; partition: number; position: bigint }

/** Publishes new and erased keys to `identity.personal-keys`, the one topic that keeps only the latest record of a key. */
export class KeyRelay {
  private readonly loop = new Loop(async () => (this.isOwner() && (await this.publish()) > 0 ? 0 : POLL_MS), (error) => {
    if (!isTransient(error)) this.reports.error('the personal keys could not be published; it is tried again', error);
    return POLL_MS;
  });

  /** `isOwner`: whether this process holds the lease of the store's relay. An old record of a key that comes after its erasure would outlive it. */
  constructor(private readonly database: Database, private readonly feed: Feed, private readonly reports: Reports, private readonly isOwner: () => boolean = () => true) {}

  start(): void { this.loop.start(); }
  wake(): void { this.loop.wake(); }
  stop(): Promise<void> { return this.loop.stop(); }

  /** Keys that are not in the feed yet. */
  async behind(): Promise<bigint> {
    const { rows } = await this.database.transaction({ role: 'worker', readOnly: true }, (tx) => tx.query<{ behind: bigint }>('SELECT coalesce(sum(position - relayed), 0)::bigint AS behind FROM personal_key_heads'));
    return rows[0]!.behind;
  }

  async publish(): Promise<number> {
    const rows = await this.database.transaction({ role: 'worker', readOnly: true }, async (tx) => (await tx.query<KeyRow>(
      `SELECT k.tenant, k.key_id, k.wrapped, k.state, k.partition, k.position FROM personal_key_heads h JOIN LATERAL
       (SELECT * FROM personal_keys k WHERE k.partition = h.partition AND k.position > h.relayed ORDER BY k.position LIMIT $1) k ON true
       WHERE h.position > h.relayed ORDER BY k.partition, k.position`, [KEYS_PER_ROUND_MAX])).rows);
    for (const partition of new Set(rows.map((row) => row.partition))) {
      const keys = rows.filter((row) => row.partition === partition);
      await this.feed.append('identity.personal-keys', partition, keys.map((row) => ({
        key: `${row.tenant}/${row.key_id}`, value: JSON.stringify(keyRecordOf(row)), headers: { 'content-type': 'application/json', ce_tenant: row.tenant }, position: row.position,
      })));
      // A key says its position and its readers keep the latest, so this mark needs no fence.
      await this.database.transaction({ role: 'worker' }, (tx) => tx.query('UPDATE personal_key_heads SET relayed = $2 WHERE partition = $1 AND relayed < $2', [partition, keys.at(-1)!.position]));
    }
    return rows.length;
  }
}
