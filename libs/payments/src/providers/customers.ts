import { grantSql, ident, tenantPolicySql } from '@valueverse/event-log';
import type { Migration, Service } from '@valueverse/platform';
import type { NoAnswer, PaymentProvider } from './provider';

export const PROVIDER_CUSTOMERS: Migration = {
  number: 111, name: 'customers at providers', sql: (schema) => `
CREATE TABLE ${ident(schema)}.provider_customers (tenant text NOT NULL, provider text NOT NULL, account_id text NOT NULL, reference text NOT NULL, PRIMARY KEY (tenant, provider, account_id));
${tenantPolicySql(schema, 'provider_customers')}
${grantSql(schema, 'provider_customers')}`,
};

/** `looks` counts what was learnt of a customer's methods, so that a look that somebody else overtook is told from one that is fresh. */
export const PROVIDER_CUSTOMER_LOOKS: Migration = {
  number: 117, name: 'looks at customers of providers', sql: (schema) => `
ALTER TABLE ${ident(schema)}.provider_customers ADD COLUMN looks bigint NOT NULL DEFAULT 0;
CREATE INDEX ON ${ident(schema)}.provider_customers (tenant, provider, reference);`,
};

/** The customer that a provider has for an account, made where there is none. Whoever asks at once gets the same: the provider goes by a key, and the first to write is believed. */
export const customerOf = async (service: Service, provider: PaymentProvider, { tenant, accountId, now }: { readonly tenant: string; readonly accountId: string; readonly now: string }, signal: AbortSignal): Promise<{ readonly status: 'made'; readonly reference: string } | NoAnswer> => {
  const known = await service.database.transaction({ role: 'api', tenant, readOnly: true }, async (tx) =>
    (await tx.query<{ reference: string }>('SELECT reference FROM provider_customers WHERE tenant = $1 AND provider = $2 AND account_id = $3', [tenant, provider.name, accountId])).rows[0]);
  if (known !== undefined) return { status: 'made', reference: known.reference };
  const made = await provider.customer({ tenant, accountId, now }, signal);
  if (made.status !== 'made') return made;
  return service.database.transaction({ role: 'api', tenant }, async (tx) => {
    await tx.query('INSERT INTO provider_customers (tenant, provider, account_id, reference) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING', [tenant, provider.name, accountId, made.reference]);
    const { rows: [kept] } = await tx.query<{ reference: string }>('SELECT reference FROM provider_customers WHERE tenant = $1 AND provider = $2 AND account_id = $3', [tenant, provider.name, accountId]);
    return { status: 'made' as const, reference: kept!.reference };
  });
};
