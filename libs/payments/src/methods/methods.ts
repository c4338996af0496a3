import { microsOf } from '@valueverse/kernel';
import type { DeciderDefinition, ReadModel, Tx } from '@valueverse/event-log';
import { rowOf } from '@valueverse/platform';
import { type MethodCommand, type MethodEvent, type Methods, paymentMethods } from './domain/payment-methods';

export interface MethodRow { readonly id: string; readonly accountId: string; readonly provider: string; readonly token: string; readonly createdAt: string; readonly brand?: string; readonly last4?: string; readonly expires?: string; readonly removedAt?: string }
/** A way in which an account can be charged; `brand` is the network of a card. */
export interface AccountMethod { readonly methodId: string; readonly provider: string; readonly brand?: string }
export interface DefaultMethodRow { readonly methodId: string; readonly provider: string }

/** Microseconds since 1970 have 16 digits until the year 2286, so as texts they sort as in time. */
const MICROS_DIGITS = 16;
export const sortableInstant = (instant: string): string => (instant === '' ? '' : String(microsOf(instant)).padStart(MICROS_DIGITS, '0'));

export const methodView: ReadModel<MethodEvent, MethodRow> = {
  table: 'payment_methods', version: 4, key: ({ methodId }) => methodId, initial: { id: '', accountId: '', provider: '', token: '', createdAt: '' },
  on: {
    PaymentMethodAttached: ({ methodId, accountId, provider, token, attachedAt, brand, last4, expires }) =>
      ({ id: methodId, accountId, provider, token, createdAt: attachedAt, ...(brand === undefined ? {} : { brand }), ...(last4 === undefined ? {} : { last4 }), ...(expires === undefined ? {} : { expires }) }),
    PaymentMethodUpdated: ({ type: _type, methodId: _id, accountId: _account, updatedAt: _at, ...card }, row) => ({ ...row, ...card }),
    PaymentMethodRemoved: ({ removedAt }, row) => ({ ...row, removedAt }),
  },
  columns: { account_id: ({ accountId }) => accountId, token: ({ token }) => token, status: ({ removedAt }) => (removedAt === undefined ? 'attached' : 'removed') }, sortBy: ({ createdAt }) => sortableInstant(createdAt),
};

/** A row per account: which of its methods is charged; without ids where there is none any more. */
export const defaultMethodView: ReadModel<MethodEvent, DefaultMethodRow> = {
  table: 'default_methods', version: 2, key: ({ accountId }) => accountId, initial: { methodId: '', provider: '' },
  on: {
    PaymentMethodAttached: ({ methodId, provider, default: isDefault }, row) => (isDefault ? { methodId, provider } : row),
    PaymentMethodRemoved: ({ methodId }, row) => (row.methodId === methodId ? { methodId: '', provider: '' } : row),
    PaymentMethodDefaultChosen: ({ methodId, provider }) => ({ methodId, provider }),
  },
  sortBy: ({ methodId }) => methodId,
};

/** The methods of an account are one stream, so that two requests at once cannot make two defaults. */
export const methodsDecider: DeciderDefinition<MethodCommand, MethodEvent, Methods> = {
  name: 'payment-methods', decider: paymentMethods, stream: ({ accountId }) => `methods-${accountId}`, views: [methodView, defaultMethodView],
};

/** The default methods of some accounts of a tenant, by account. */
export const defaultMethods = async (tx: Tx, tenant: string, accountIds: readonly string[]): Promise<ReadonlyMap<string, DefaultMethodRow>> => {
  const { rows } = await tx.query<{ key: string; row: DefaultMethodRow }>('SELECT key, row FROM default_methods WHERE tenant = $1 AND key = ANY($2)', [tenant, accountIds]);
  return new Map(rows.filter(({ row }) => row.methodId !== '').map(({ key, row }) => [key, row]));
};

/** How an account can be charged: its default method first, then the others from the oldest on. */
export const methodsOfAccount = async (tx: Tx, tenant: string, accountId: string): Promise<AccountMethod[]> => (await methodsOfAccounts(tx, tenant, [accountId])).get(accountId) ?? [];
/** The same of some accounts of a tenant, by account. */
export const methodsOfAccounts = async (tx: Tx, tenant: string, accountIds: readonly string[]): Promise<ReadonlyMap<string, AccountMethod[]>> => {
  const { rows } = await tx.query<{ id: string; account: string; provider: string; brand: string | null }>(
    `SELECT m.key AS id, m.account_id AS account, m.row->>'provider' AS provider, m.row->>'brand' AS brand FROM payment_methods m LEFT JOIN default_methods d ON d.tenant = m.tenant AND d.key = m.account_id AND d.row->>'methodId' = m.key
     WHERE m.tenant = $1 AND m.account_id = ANY($2) AND m.status = 'attached' ORDER BY d.key IS NULL, m.sort_by, m.key`, [tenant, accountIds]);
  return new Map([...Map.groupBy(rows, ({ account }) => account)].map(([account, own]) => [account, own.map(({ id, provider, brand }) => ({ methodId: id, provider, ...(brand === null ? {} : { brand }) }))]));
};

/** A method that is there; `undefined` for one that never was, or was removed. */
export const attachedMethod = async (tx: Tx, methodId: string): Promise<MethodRow | undefined> => {
  const row = await rowOf<MethodRow>(tx, methodView, methodId);
  return row?.removedAt === undefined ? row : undefined;
};
/** The method of an account that a provider knows by this token, while it is there. */
export const methodOfToken = async (tx: Tx, tenant: string, { accountId, provider, token }: Pick<MethodRow, 'accountId' | 'provider' | 'token'>): Promise<MethodRow | undefined> =>
  (await tx.query<{ row: MethodRow }>(`SELECT row FROM payment_methods WHERE tenant = $1 AND token = $2 AND account_id = $3 AND status = 'attached' AND row->>'provider' = $4 ORDER BY sort_by, key LIMIT 1`, [tenant, token, accountId, provider])).rows[0]?.row;
