import { grantSql, ident, tenantPolicySql } from '@valueverse/event-log';
import type { Migration } from '@valueverse/platform';

/** Billing's own tables beside its read models: what is unique across streams, number series, and what it knows of meters. */
export const BILLING_SCHEMA: Migration = {
  number: 100, name: 'billing', sql: (schema) => {
    const s = ident(schema);
    const tables = ['subjects', 'number_series', 'invoice_requests', 'known_meters'];
    return `
CREATE TABLE ${s}.subjects (tenant text NOT NULL, subject text NOT NULL, subscription_id text NOT NULL, PRIMARY KEY (tenant, subject));
CREATE TABLE ${s}.number_series (tenant text NOT NULL, series text NOT NULL, last bigint NOT NULL, PRIMARY KEY (tenant, series));
CREATE TABLE ${s}.invoice_requests (tenant text NOT NULL, request_id text NOT NULL, invoice_id text NOT NULL, nth int NOT NULL, answer text, PRIMARY KEY (tenant, request_id));
CREATE INDEX ON ${s}.invoice_requests (tenant, invoice_id);
CREATE TABLE ${s}.known_meters (tenant text NOT NULL, meter_key text NOT NULL, version int NOT NULL, PRIMARY KEY (tenant, meter_key));
${tables.map((table) => `${tenantPolicySql(schema, table)}\n${grantSql(schema, table)}`).join('\n')}`;
  },
};

/** A subject may also belong to an account. */
export const ACCOUNT_SUBJECTS: Migration = {
  number: 102, name: 'account-subjects', sql: (schema) => `
ALTER TABLE ${ident(schema)}.subjects ALTER COLUMN subscription_id DROP NOT NULL, ADD COLUMN account_id text;
ALTER TABLE ${ident(schema)}.subjects ADD CHECK (num_nonnulls(subscription_id, account_id) = 1)`,
};

/** What came after the statements of an invoice, as metering tells. */
export const LATE_USAGE: Migration = {
  number: 103, name: 'late-usage', sql: (schema) => `
CREATE TABLE ${ident(schema)}.late_usage (
  tenant text NOT NULL, request_id text NOT NULL, invoice_id text NOT NULL, charge_key text NOT NULL, events bigint NOT NULL, since text NOT NULL, PRIMARY KEY (tenant, request_id));
CREATE INDEX ON ${ident(schema)}.late_usage (tenant, invoice_id);
${tenantPolicySql(schema, 'late_usage')}
${grantSql(schema, 'late_usage')}`,
};

/** Meters that new plans cannot use any more. */
export const KNOWN_METERS_ARCHIVED: Migration = {
  number: 101, name: 'known-meters-archived', sql: (schema) => `ALTER TABLE ${ident(schema)}.known_meters ADD COLUMN archived boolean NOT NULL DEFAULT false`,
};

/** How a meter counts decides what a part of a period costs. */
export const KNOWN_METERS_AGGREGATION: Migration = {
  number: 104, name: 'known-meters-aggregation', sql: (schema) => `ALTER TABLE ${ident(schema)}.known_meters ADD COLUMN aggregation text`,
};

/**
 * A request is found by its id and an invoice's by the invoice, of whatever tenant: while a table has no statistics, an index that begins with the tenant is thought to be as good as any other that does, and each row that
 * was wanted read all of its tenant.
 */
export const INVOICE_REQUEST_KEYS: Migration = {
  number: 111, name: 'keys of invoice requests', sql: (schema) => `
ALTER TABLE ${ident(schema)}.invoice_requests DROP CONSTRAINT invoice_requests_pkey, ADD PRIMARY KEY (request_id, tenant);
DROP INDEX ${ident(schema)}.invoice_requests_tenant_invoice_id_idx;
CREATE INDEX ON ${ident(schema)}.invoice_requests (invoice_id, tenant)`,
};

/** Runs that are done: which subscription was billed up to when, by which invoices. Those that are not are jobs. */
export const BILLING_CYCLES: Migration = {
  number: 105, name: 'billing-cycles', sql: (schema) => `
CREATE TABLE ${ident(schema)}.billing_cycles (
  tenant text NOT NULL, id text NOT NULL, account_id text NOT NULL, subscription_id text NOT NULL, due_at text NOT NULL, done_at text NOT NULL, attempts int NOT NULL, invoice_ids text[] NOT NULL, PRIMARY KEY (tenant, id));
CREATE INDEX ON ${ident(schema)}.billing_cycles (tenant, due_at, id);
CREATE INDEX ON ${ident(schema)}.billing_cycles (tenant, subscription_id, due_at, id);
${tenantPolicySql(schema, 'billing_cycles')}
${grantSql(schema, 'billing_cycles')}`,
};
