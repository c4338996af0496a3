import { randomUUID } from 'node:crypto';
import type { Tx } from '@valueverse/event-log';
import type { ArmedFault } from './sandbox-faults';
import type { Kind, OfKind, SandboxObject } from './sandbox-objects';

interface Written { readonly object: SandboxObject; readonly parent?: string | null; readonly settlesAt?: string | null; readonly key?: string | undefined }
export interface BookRow { readonly body: string; readonly nth: bigint; readonly key: string | null }
export interface Endpoint { readonly id: string; readonly url: string; readonly secrets: readonly string[] }

/** The tables of the sandbox, for one account in one transaction. `now` is the present that the request told, or wall time. */
export class SandboxBook {
  private readonly written: { readonly type: string; readonly object: SandboxObject }[] = [];
  constructor(readonly tx: Tx, readonly tenant: string, readonly now: string) {}

  get seconds(): number { return Math.floor(Date.parse(this.now) / 1_000); }
  id(prefix: string): string { return `${prefix}_${randomUUID().replaceAll('-', '')}`; }
  /** What has happened, for those who are told by webhook. */
  get events(): readonly { readonly type: string; readonly object: SandboxObject }[] { return this.written; }
  happened(type: string, object: SandboxObject): void { this.written.push({ type, object }); }

  async put(...all: readonly Written[]): Promise<void> {
    await this.tx.query(
      `INSERT INTO sandbox_objects (tenant, id, kind, parent, idempotency_key, at, settles_at, body)
       SELECT $1::text, o.id, o.kind, o.parent, o.key, $2::timestamptz, o.settles_at, o.body FROM unnest($3::text[], $4::text[], $5::text[], $6::text[], $7::timestamptz[], $8::text[]) AS o(id, kind, parent, key, settles_at, body)
       ON CONFLICT (tenant, id) DO UPDATE SET body = excluded.body, settles_at = excluded.settles_at`,
      [this.tenant, this.now, all.map(({ object }) => object.id), all.map(({ object }) => object.object), all.map(({ parent }) => parent ?? null), all.map(({ key }) => key ?? null), all.map(({ settlesAt }) => settlesAt ?? null),
        all.map(({ object }) => JSON.stringify(object))]);
  }

  /** An object by its id, locked until the end of the transaction where it will change. */
  async get<K extends Kind>(kind: K, id: string, forUpdate = false): Promise<OfKind<K> | undefined> {
    const { rows } = forUpdate
      ? await this.tx.query<{ body: string }>('SELECT body FROM sandbox_objects WHERE tenant = $1 AND id = $2 AND kind = $3 FOR UPDATE', [this.tenant, id, kind])
      : await this.tx.query<{ body: string }>('SELECT body FROM sandbox_objects WHERE tenant = $1 AND id = $2 AND kind = $3', [this.tenant, id, kind]);
    return rows[0] === undefined ? undefined : JSON.parse(rows[0].body) as OfKind<K>;
  }

  /** Those of some objects that are there, by id. */
  async some(ids: readonly string[]): Promise<ReadonlyMap<string, SandboxObject>> {
    const { rows } = await this.tx.query<{ id: string; body: string }>('SELECT id, body FROM sandbox_objects WHERE tenant = $1 AND id = ANY($2)', [this.tenant, ids]);
    return new Map(rows.map(({ id, body }) => [id, JSON.parse(body) as SandboxObject]));
  }

  /** Objects of a kind, newest first: of a parent, from a second on, after another one. */
  async list<K extends Kind>(kind: K, { parent, since, until, after, limit }: { readonly parent?: string | undefined; readonly since?: number | undefined; readonly until?: number | undefined; readonly after?: string | undefined; readonly limit: number }): Promise<OfKind<K>[]> {
    const { rows } = await this.tx.query<{ body: string }>(
      `SELECT body FROM sandbox_objects o WHERE tenant = $1 AND kind = $2 AND ($3::text IS NULL OR parent = $3) AND ($4::bigint IS NULL OR at >= to_timestamp($4)) AND ($5::bigint IS NULL OR at < to_timestamp($5))
         AND ($6::text IS NULL OR nth < (SELECT nth FROM sandbox_objects WHERE tenant = $1 AND id = $6)) ORDER BY nth DESC LIMIT $7`,
      [this.tenant, kind, parent ?? null, since ?? null, until ?? null, after ?? null, limit]);
    return rows.map(({ body }) => JSON.parse(body) as OfKind<K>);
  }

  /** What falls due by now, oldest first: from a second on, where one is given. */
  async due(since?: number): Promise<SandboxObject[]> {
    const { rows } = await this.tx.query<{ body: string }>('SELECT body FROM sandbox_objects WHERE tenant = $1 AND settles_at <= $2 AND ($3::bigint IS NULL OR settles_at >= to_timestamp($3)) ORDER BY settles_at, nth FOR UPDATE', [this.tenant, this.now, since ?? null]);
    return rows.map(({ body }) => JSON.parse(body) as SandboxObject);
  }

  /** Faults that are switched on, and whether anything falls due. */
  async standing(): Promise<{ readonly faults: readonly ArmedFault[]; readonly isDue: boolean }> {
    const { rows: [row] } = await this.tx.query<{ faults: string | null; due: boolean }>(
      `SELECT (SELECT json_agg(json_build_array(id, body) ORDER BY nth)::text FROM sandbox_faults WHERE tenant = $1 AND coalesce(remaining, 1) > 0) AS faults,
         EXISTS (SELECT FROM sandbox_objects WHERE tenant = $1 AND settles_at <= $2) AS due`, [this.tenant, this.now]);
    const faults = row?.faults == null ? [] : (JSON.parse(row.faults) as [string, string][]).map(([id, body]) => ({ ...JSON.parse(body) as Omit<ArmedFault, 'id'>, id }));
    return { faults, isDue: row?.due === true };
  }

  /** Counts a fault that is given so many times only; answers whether it was still there. */
  async spend({ id, times }: ArmedFault): Promise<boolean> {
    if (times === undefined) return true;
    return (await this.tx.query('UPDATE sandbox_faults SET remaining = remaining - 1 WHERE tenant = $1 AND id = $2 AND remaining > 0', [this.tenant, id])).rowCount === 1;
  }
  async arm(fault: ArmedFault): Promise<void> {
    const { id, ...body } = fault;
    await this.tx.query('INSERT INTO sandbox_faults (tenant, id, remaining, body) VALUES ($1, $2, $3, $4)', [this.tenant, id, fault.times ?? null, JSON.stringify(body)]);
  }
  async disarm(): Promise<void> { await this.tx.query('DELETE FROM sandbox_faults WHERE tenant = $1', [this.tenant]); }

  async endpoints(): Promise<Endpoint[]> {
    const { rows } = await this.tx.query<{ id: string; url: string; secrets: string }>('SELECT id, url, secrets FROM sandbox_endpoints WHERE tenant = $1 ORDER BY id', [this.tenant]);
    return rows.map(({ id, url, secrets }) => ({ id, url, secrets: JSON.parse(secrets) as string[] }));
  }
  async register({ id, url, secrets }: Endpoint): Promise<void> {
    await this.tx.query('INSERT INTO sandbox_endpoints (tenant, id, url, secrets) VALUES ($1, $2, $3, $4) ON CONFLICT (tenant, id) DO UPDATE SET url = excluded.url, secrets = excluded.secrets', [this.tenant, id, url, JSON.stringify(secrets)]);
  }

  /** Lines for `GET /payments/sandbox/book`, newest first. */
  async lines(limit: number, before?: bigint): Promise<BookRow[]> {
    const { rows } = await this.tx.query<BookRow>(
      `SELECT body, nth, idempotency_key AS key FROM sandbox_objects WHERE tenant = $1 AND kind = 'payment_intent' AND ($3::bigint IS NULL OR nth < $3) ORDER BY nth DESC LIMIT $2`, [this.tenant, limit, before ?? null]);
    return rows;
  }
}
