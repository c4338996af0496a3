import { grantSql, ident, tenantPolicySql } from '@valueverse/event-log';
import type { Migration } from '@valueverse/platform';

/** `tenant` is the account at the sandbox. Objects are kept as the sandbox says them. */
export const SANDBOX_TABLES: Migration = {
  number: 110, name: 'tables of the sandbox provider', sql: (schema) => `
CREATE TABLE ${ident(schema)}.sandbox_objects (
  tenant text NOT NULL, id text NOT NULL, kind text NOT NULL, nth bigint GENERATED ALWAYS AS IDENTITY, parent text, idempotency_key text, at timestamptz NOT NULL, settles_at timestamptz, body text NOT NULL, PRIMARY KEY (tenant, id));
CREATE INDEX ON ${ident(schema)}.sandbox_objects (tenant, kind, nth);
CREATE INDEX ON ${ident(schema)}.sandbox_objects (tenant, parent, kind, nth);
CREATE INDEX ON ${ident(schema)}.sandbox_objects (tenant, settles_at) WHERE settles_at IS NOT NULL;
CREATE TABLE ${ident(schema)}.sandbox_requests (
  tenant text NOT NULL, key text NOT NULL, fingerprint text NOT NULL, status int, body text, at timestamptz NOT NULL, PRIMARY KEY (tenant, key));
CREATE TABLE ${ident(schema)}.sandbox_faults (tenant text NOT NULL, id text NOT NULL, nth bigint GENERATED ALWAYS AS IDENTITY, remaining int, body text NOT NULL, PRIMARY KEY (tenant, id));
CREATE TABLE ${ident(schema)}.sandbox_endpoints (tenant text NOT NULL, id text NOT NULL, url text NOT NULL, secrets text NOT NULL, PRIMARY KEY (tenant, id));
CREATE TABLE ${ident(schema)}.sandbox_deliveries (
  tenant text NOT NULL, id text NOT NULL, endpoint text NOT NULL, nth bigint GENERATED ALWAYS AS IDENTITY, body text NOT NULL, faults text NOT NULL, due_at timestamptz NOT NULL, attempt int NOT NULL DEFAULT 0, PRIMARY KEY (tenant, id));
CREATE INDEX ON ${ident(schema)}.sandbox_deliveries (due_at);
INSERT INTO ${ident(schema)}.sandbox_objects (tenant, id, kind, idempotency_key, at, body)
  SELECT tenant, reference, 'payment_intent', idempotency_key, created_at::timestamptz, json_build_object('id', reference, 'object', 'payment_intent', 'amount', amount_minor, 'amount_received', CASE WHEN status = 'succeeded' THEN amount_minor ELSE 0 END,
    'currency', lower(currency), 'payment_method', token, 'status', CASE WHEN status = 'succeeded' THEN 'succeeded' ELSE 'requires_payment_method' END, 'metadata', json_build_object('attempt', idempotency_key),
    'created', extract(epoch FROM created_at::timestamptz)::bigint, 'livemode', false, 'last_payment_error', CASE WHEN decline_code IS NULL THEN NULL ELSE json_build_object('type', 'card_error', 'code', 'card_declined', 'decline_code', decline_code) END)::text
  FROM ${ident(schema)}.sandbox_book ORDER BY nth;
DROP TABLE ${ident(schema)}.sandbox_book;
${['sandbox_objects', 'sandbox_requests', 'sandbox_faults', 'sandbox_endpoints', 'sandbox_deliveries'].map((table) => `${tenantPolicySql(schema, table)}\n${grantSql(schema, table)}`).join('\n')}`,
};
/** What stood here before; a database that is new has it for a moment. */
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
