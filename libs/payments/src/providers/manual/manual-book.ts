import { grantSql, ident, tenantPolicySql, type Tx } from '@valueverse/event-log';
import type { Migration } from '@valueverse/platform';

/** `charge`: money that came in; `refund`: money that was paid out by hand; `reversal`: a cheque that bounced, a transfer that was called back. */
export type EntryKind = 'charge' | 'refund' | 'reversal';
/**
 * A line of the book of what people entered: once per `key`. `reference` is what they call it, a line of a statement or the number of a cheque; one of them may be the money of several payments. `chargeReference` is the money that went back. Amounts are decimals of major
 * units, above zero.
 */
export interface ManualEntry { readonly kind: EntryKind; readonly key: string; readonly reference: string; readonly chargeReference: string | null; readonly amount: string; readonly currency: string; readonly reason: string | null; readonly at: string }

/** What was recorded by hand before there was a book stands in it too, as it stands here. */
const FROM_PAYMENTS_SQL = `
  INSERT INTO manual_book (tenant, kind, key, reference, charge_reference, amount, currency, reason, at)
    SELECT tenant, 'charge', 'pay:' || key || ':att:1', provider_reference, NULL, (row->>'amount')::numeric, row->>'currency', NULL, (row->>'createdAt')::timestamptz
    FROM payments WHERE row->>'provider' = 'manual' AND status = 'succeeded' AND provider_reference IS NOT NULL;
  INSERT INTO manual_book (tenant, kind, key, reference, charge_reference, amount, currency, reason, at)
    SELECT p.tenant, 'refund', r->>'providerKey', r->>'providerReference', p.provider_reference, (r->>'amount')::numeric, p.row->>'currency', r->>'reason', (r->>'endedAt')::timestamptz
    FROM payments p CROSS JOIN json_array_elements(p.row->'refunds') r WHERE p.row->>'provider' = 'manual' AND p.status = 'succeeded' AND p.provider_reference IS NOT NULL AND r->>'status' = 'succeeded';`;

export const MANUAL_BOOK: Migration = {
  number: 123, name: 'the book of what came in by hand', sql: (schema) => `
CREATE TABLE ${ident(schema)}.manual_book (
  tenant text NOT NULL, nth bigint GENERATED ALWAYS AS IDENTITY, kind text NOT NULL CHECK (kind IN ('charge', 'refund', 'reversal')), key text NOT NULL, reference text NOT NULL, charge_reference text, amount numeric NOT NULL CHECK (amount > 0),
  currency text NOT NULL, reason text, at timestamptz NOT NULL, PRIMARY KEY (tenant, kind, key));
CREATE INDEX ON ${ident(schema)}.manual_book (tenant, reference);
CREATE INDEX ON ${ident(schema)}.manual_book (tenant, charge_reference);
CREATE INDEX ON ${ident(schema)}.manual_book (tenant, at);
${tenantPolicySql(schema, 'manual_book')}
${grantSql(schema, 'manual_book', 'SELECT, INSERT')}
DO $$ BEGIN IF to_regclass('${ident(schema)}.payments') IS NOT NULL THEN SET LOCAL search_path = ${ident(schema)}; ${FROM_PAYMENTS_SQL} END IF; END $$;`,
};

/** Writes lines down, each once: one whose key is there stays as it is. */
export const enter = async (tx: Tx, tenant: string, entries: readonly ManualEntry[]): Promise<void> => {
  for (const { kind, key, reference, chargeReference, amount, currency, reason, at } of entries) {
    await tx.query('INSERT INTO manual_book (tenant, kind, key, reference, charge_reference, amount, currency, reason, at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (tenant, kind, key) DO NOTHING', [tenant, kind, key, reference, chargeReference, amount, currency, reason, at]);
  }
};

/** The money of one attempt that came in by hand. */
export const chargeEntry = ({ providerKey: key, reference, amount, currency, at }: { readonly providerKey: string; readonly reference: string; readonly amount: string; readonly currency: string; readonly at: string }): ManualEntry =>
  ({ kind: 'charge', key, reference, chargeReference: null, amount, currency, reason: null, at });
