import { derivedId, type Clock } from '@valueverse/kernel';
import { grantSql, ident, tenantPolicySql, type Database } from '@valueverse/event-log';
import type { Migration } from '@valueverse/platform';

/** What each token of the sandbox does. */
const TOKENS = {
  tok_ok: { status: 'succeeded' },
  tok_declined_insufficient_funds: { status: 'declined', declineCode: 'insufficient_funds' },
  tok_lost_reply: { status: 'succeeded', losesReply: true },
} as const satisfies Record<string, Behaviour>;
interface Behaviour { readonly status: 'succeeded' | 'declined'; readonly declineCode?: string; readonly losesReply?: boolean }

export const SANDBOX_TOKENS = Object.keys(TOKENS);
const behaviourOf = (token: string): Behaviour | undefined => (Object.hasOwn(TOKENS, token) ? TOKENS[token as keyof typeof TOKENS] : undefined);

/** A line of the sandbox's own book: what it did under one key. Amounts are minor units. */
export interface BookEntry {
  readonly key: string;
  readonly reference: string;
  readonly amountMinor: bigint;
  readonly currency: string;
  readonly token: string;
  readonly status: 'succeeded' | 'declined';
  readonly declineCode: string | null;
  readonly createdAt: string;
  /** Counts the lines of the book. */
  readonly nth: bigint;
}
export interface SandboxCharge { readonly key: string; readonly amountMinor: bigint; readonly currency: string; readonly token: string }

export const SANDBOX_BOOK: Migration = {
  number: 103, name: 'book of the sandbox provider', sql: (schema) => `
CREATE TABLE ${ident(schema)}.sandbox_book (
  tenant text NOT NULL, idempotency_key text NOT NULL, nth bigint GENERATED ALWAYS AS IDENTITY, reference text NOT NULL, amount_minor bigint NOT NULL CHECK (amount_minor > 0),
  currency text NOT NULL, token text NOT NULL, status text NOT NULL CHECK (status IN ('succeeded', 'declined')), decline_code text, created_at text NOT NULL,
  PRIMARY KEY (tenant, idempotency_key));
CREATE INDEX ON ${ident(schema)}.sandbox_book (tenant, nth);
${tenantPolicySql(schema, 'sandbox_book')}
${grantSql(schema, 'sandbox_book', 'SELECT, INSERT')}`,
};

const COLUMNS = 'idempotency_key AS key, reference, amount_minor AS "amountMinor", currency, token, status, decline_code AS "declineCode", created_at AS "createdAt", nth';

/** The sandbox did what it was asked, and its answer never arrived. */
export class ReplyLost extends Error {
  constructor() { super('the connection ended before the answer came'); }
}
/** A key came again with another order. The sandbox refuses, as real providers do. */
export class KeyReused extends Error {
  readonly code = 'key_reused';
}

/**
 * A provider as an outside party: it keeps a book of its own, in its own transactions, and knows nothing of payments. Its lines are only ever added.
 */
export class SandboxBank {
  constructor(private readonly database: Database, private readonly clock: Clock) {}

  isToken(token: string): boolean { return behaviourOf(token) !== undefined; }

  /** Takes the money once per key and answers the line of the book. Throws `ReplyLost` and `KeyReused`. */
  async charge(tenant: string, { key, amountMinor, currency, token }: SandboxCharge): Promise<BookEntry> {
    const behaviour = behaviourOf(token);
    if (behaviour === undefined) throw new Error('the sandbox does not know this token');
    const entry = await this.database.transaction({ role: 'api', tenant }, async (tx) => {
      await tx.query(
        `INSERT INTO sandbox_book (tenant, idempotency_key, reference, amount_minor, currency, token, status, decline_code, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING`,
        [tenant, key, derivedId('sbx', tenant, key), amountMinor, currency, token, behaviour.status, behaviour.declineCode ?? null, this.clock.now()]);
      const { rows } = await tx.query<BookEntry>(`SELECT ${COLUMNS} FROM sandbox_book WHERE tenant = $1 AND idempotency_key = $2`, [tenant, key]);
      return rows[0]!;
    });
    if (entry.amountMinor !== amountMinor || entry.currency !== currency || entry.token !== token) throw new KeyReused(`${key} was used for another order`);
    if (behaviour.losesReply === true) throw new ReplyLost();
    return entry;
  }

  /** What was done under a key; `undefined` when nothing was. */
  find(tenant: string, key: string): Promise<BookEntry | undefined> {
    return this.database.transaction({ role: 'api', tenant, readOnly: true }, async (tx) =>
      (await tx.query<BookEntry>(`SELECT ${COLUMNS} FROM sandbox_book WHERE tenant = $1 AND idempotency_key = $2`, [tenant, key])).rows[0]);
  }

  /** Lines of a tenant, newest first, older than a line where one is given. */
  book(tenant: string, limit: number, before?: bigint): Promise<BookEntry[]> {
    return this.database.transaction({ role: 'api', tenant, readOnly: true }, async (tx) =>
      (await tx.query<BookEntry>(`SELECT ${COLUMNS} FROM sandbox_book WHERE tenant = $1 AND ($3::bigint IS NULL OR nth < $3) ORDER BY nth DESC LIMIT $2`, [tenant, limit, before ?? null])).rows);
  }
}
