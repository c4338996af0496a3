import { grantSql, ident, tenantPolicySql } from '@valueverse/event-log';
import type { Migration } from '@valueverse/platform';

/** How often each coupon was redeemed, and which invoices each redemption has lowered. */
export const COUPONS: Migration = {
  number: 110, name: 'coupons', sql: (schema) => {
    const s = ident(schema);
    return `
CREATE TABLE ${s}.coupon_counters (tenant text NOT NULL, coupon_key text NOT NULL, redeemed int NOT NULL DEFAULT 0, PRIMARY KEY (tenant, coupon_key));
CREATE TABLE ${s}.coupon_uses (tenant text NOT NULL, redemption_id text NOT NULL, invoice_id text NOT NULL, PRIMARY KEY (tenant, redemption_id, invoice_id));
CREATE INDEX ON ${s}.coupon_uses (tenant, invoice_id);
${['coupon_counters', 'coupon_uses'].map((table) => `${tenantPolicySql(schema, table)}\n${grantSql(schema, table)}`).join('\n')}`;
  },
};
