import { isId, parseInstant, Refused } from '@valueverse/kernel';
import type { AccountChanged, AccountOpened } from '@valueverse/contracts';
import { grantSql, ident, tenantPolicySql, type Projector, type Tx } from '@valueverse/event-log';
import { awaitKnown, clockNow, type Migration, Problem, type Service } from '@valueverse/platform';

/** An account of billing as payments knows it, and the present of its clock. */
export interface KnownAccount {
  readonly accountId: string;
  readonly currency: string;
  /** The test clock that it lives on; none for the wall clock. */
  readonly clockId?: string;
  /** The instant at which a command on this account happens. */
  readonly now: string;
}

export const KNOWN_ACCOUNTS: Migration = {
  number: 100, name: 'known accounts', sql: (schema) => `
CREATE TABLE ${ident(schema)}.known_accounts (tenant text NOT NULL, account_id text NOT NULL, clock text, currency text NOT NULL, PRIMARY KEY (tenant, account_id));
${tenantPolicySql(schema, 'known_accounts')}
${grantSql(schema, 'known_accounts')}`,
};

/** Remembers which accounts there are, and in which zone they live. Names and addresses stay where they are. */
export const knownAccountsProjector: Projector = {
  kind: 'projector', name: 'payments-known-accounts', version: 2, topics: ['billing.accounts'], events: ['AccountOpened', 'AccountChanged'], tables: ['known_accounts'],
  project: async (tx, facts) => {
    for (const { tenant, event } of facts) {
      const { accountId, timezone } = event as AccountOpened | AccountChanged;
      if (event.type === 'AccountChanged') { await tx.query('UPDATE known_accounts SET timezone = $3 WHERE tenant = $1 AND account_id = $2', [tenant, accountId, timezone]); continue; }
      const { testClockId, currency } = event as AccountOpened;
      await tx.query('INSERT INTO known_accounts (tenant, account_id, clock, currency, timezone) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (tenant, account_id) DO UPDATE SET timezone = excluded.timezone', [tenant, accountId, testClockId ?? null, currency, timezone]);
    }
  },
};

/**
 * The account that a request names, waiting for news of it while that may still be on its way.
 * Refuses with `account_not_found`, and with 503 `not_yet_known` while the account's clock has not been heard of.
 */
export const accountOf = async (service: Service, tenant: string, accountId: string): Promise<KnownAccount> => {
  const found = !isId('acc', accountId) ? undefined : await awaitKnown(service, 'billing', tenant, accountId, async (tx) => {
    const { rows } = await tx.query<{ clock: string | null; currency: string }>('SELECT clock, currency FROM known_accounts WHERE tenant = $1 AND account_id = $2', [tenant, accountId]);
    return rows[0];
  });
  if (found === undefined) throw new Refused('account_not_found', 'there is no account with this id', '/accountId');
  const { clock, currency } = found;
  if (clock === null) return { accountId, currency, now: service.clock.now() };
  const now = await awaitKnown(service, 'billing', tenant, clock, (tx) => clockNow(tx, tenant, clock));
  if (now === undefined) throw new Problem(503, 'not_yet_known', 'the test clock of this account is not known here yet', { retryAfterSeconds: 1 });
  return { accountId, currency, clockId: clock, now: parseInstant(now) };
};

/** The present of an account's clock inside a transaction of its tenant, for a command about something that is there already. */
export const clockOfAccount = async (tx: Tx, service: Service, tenant: string, accountId: string): Promise<{ readonly now: string; readonly clockId?: string }> => {
  const { rows: [row] } = await tx.query<{ clock: string | null; now: string | null }>(
    `SELECT a.clock, to_char(c.now, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS now FROM known_accounts a LEFT JOIN clocks c ON c.tenant = a.tenant AND c.clock = a.clock WHERE a.tenant = $1 AND a.account_id = $2`, [tenant, accountId]);
  return row?.clock == null || row.now === null ? { now: service.clock.now() } : { now: parseInstant(row.now), clockId: row.clock };
};
