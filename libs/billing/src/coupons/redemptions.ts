import { isBefore, Refused } from '@valueverse/kernel';
import type { CouponCreated } from '@valueverse/contracts';
import { ident, tableOf, type DeciderDefinition, type ReadModel, type Tx } from '@valueverse/event-log';
import { itemId, itemsModel, type ItemRow } from '../catalog/item.model';
import { redemption, type Redemption, type RedemptionCommand, type RedemptionFact } from './domain/redemption.decider';

/** A coupon that an account has redeemed. */
export interface RedemptionRow { readonly redemptionId: string; readonly couponKey: string; readonly accountId: string; readonly redeemedAt: string; readonly removedAt: string | null }

export const redemptionsModel: ReadModel<RedemptionFact, RedemptionRow> = {
  table: 'coupon_redemptions', version: 1, key: ({ redemptionId }) => redemptionId, initial: {} as RedemptionRow,
  on: { CouponRedeemed: ({ type: _, ...row }) => ({ ...row, removedAt: null }), CouponRemoved: ({ removedAt }, row) => ({ ...row, removedAt }) },
  columns: { account_id: ({ accountId }) => accountId, coupon_key: ({ couponKey }) => couponKey }, sortBy: ({ redeemedAt }) => redeemedAt,
};

export const redemptionDecider: DeciderDefinition<RedemptionCommand, RedemptionFact, Redemption> = {
  name: 'coupon-redemption', decider: redemption, stream: ({ redemptionId }) => `coupon-redemption-${redemptionId}`, views: [redemptionsModel],
};

/** Without `maxRedemptionsPerAccount` an account redeems a coupon once. */
const PER_ACCOUNT_DEFAULT = 1;

const couponOf = async (tx: Tx, tenant: string, couponKey: string): Promise<ItemRow<CouponCreated>> => {
  const { rows } = await tx.query<{ row: ItemRow<CouponCreated> }>(`SELECT row FROM ${ident(tableOf(itemsModel))} WHERE tenant = $1 AND key = $2`, [tenant, itemId('coupon', couponKey)]);
  if (rows[0] === undefined) throw new Refused('coupon_not_found', `there is no coupon ${couponKey}`, '/couponKey');
  return rows[0].row;
};

const refuseWhere = (isSo: boolean, code: string, detail: string): void => {
  if (isSo) throw new Refused(code, detail, '/couponKey');
};

/**
 * Counts a redemption, in the transaction that writes its fact. The coupon's counter is held until then, so that of any number that come at once exactly as many succeed as are left.
 * `currencies` are those that the account is billed in. Refuses with `coupon_not_found`, `coupon_archived`, `coupon_not_valid` outside its time, `currency_mismatch` for an amount that it has in none
 * of the currencies, `coupon_used_up` and `coupon_redeemed` for more redemptions than it has, in all and for one account.
 */
export const countRedemption = async (tx: Tx, tenant: string, { couponKey, accountId, currencies, at }: { couponKey: string; accountId: string; currencies: readonly string[]; at: string }): Promise<void> => {
  const { said: { discount, validFrom, validTo, maxRedemptions, maxRedemptionsPerAccount = PER_ACCOUNT_DEFAULT }, archivedAt } = await couponOf(tx, tenant, couponKey);
  refuseWhere(archivedAt !== null, 'coupon_archived', `the coupon ${couponKey} is archived`);
  refuseWhere(validFrom !== undefined && isBefore(at, validFrom), 'coupon_not_valid', `the coupon ${couponKey} is valid from ${validFrom}`);
  refuseWhere(validTo !== undefined && !isBefore(at, validTo), 'coupon_not_valid', `the coupon ${couponKey} was valid until ${validTo}`);
  const { type, currency, currencyValues = {} } = discount;
  const known = currencies.some((own) => own === currency || currencyValues[own] !== undefined);
  refuseWhere(type === 'amount' && !known, 'currency_mismatch', `the coupon ${couponKey} has no amount in ${currencies.join(', ')}`);
  await tx.query('INSERT INTO coupon_counters (tenant, coupon_key) VALUES ($1, $2) ON CONFLICT DO NOTHING', [tenant, couponKey]);
  const { rows: [counter] } = await tx.query<{ redeemed: number }>('SELECT redeemed FROM coupon_counters WHERE tenant = $1 AND coupon_key = $2 FOR UPDATE', [tenant, couponKey]);
  refuseWhere(maxRedemptions !== undefined && counter!.redeemed >= maxRedemptions, 'coupon_used_up', `the coupon ${couponKey} was redeemed ${maxRedemptions} times, which is all`);
  const { rows: [own] } = await tx.query<{ count: bigint }>(`SELECT count(*) FROM ${ident(tableOf(redemptionsModel))} WHERE tenant = $1 AND account_id = $2 AND coupon_key = $3`, [tenant, accountId, couponKey]);
  refuseWhere(own!.count >= BigInt(maxRedemptionsPerAccount), 'coupon_redeemed', `the account has redeemed the coupon ${couponKey} ${maxRedemptionsPerAccount} times, which is all`);
  await tx.query('UPDATE coupon_counters SET redeemed = redeemed + 1 WHERE tenant = $1 AND coupon_key = $2', [tenant, couponKey]);
};

/** How many invoices each redemption has lowered; none is 0. */
export const usesOf = async (tx: Tx, tenant: string, redemptionIds: readonly string[]): Promise<ReadonlyMap<string, number>> => {
  const { rows } = await tx.query<{ redemption_id: string; uses: bigint }>('SELECT redemption_id, count(*) AS uses FROM coupon_uses WHERE tenant = $1 AND redemption_id = ANY($2) GROUP BY 1', [tenant, redemptionIds]);
  return new Map(rows.map(({ redemption_id: id, uses }) => [id, Number(uses)]));
};
