import type { CouponCreated } from '@valueverse/contracts';
import { ident, tableOf, type Tx } from '@valueverse/event-log';
import { itemsModel, type ItemRow } from '../catalog/item.model';
import { orderedDiscounts, type Discount } from './domain/discount';
import { redemptionsModel, usesOf, type RedemptionRow } from './redemptions';

interface DiscountsQuestion {
  readonly accountId: string;
  readonly currency: string;
  /** Of the account's clock. */
  readonly at: string;
  /** The invoice is issued in this transaction: the redemptions are held, so that of two invoices that are issued at once the second sees what the first has used. */
  readonly isIssue?: boolean;
}

/**
 * What lowers an invoice of the account in the currency, in the order in which it is taken (`orderedDiscounts`). What was used up, removed, or
 * redeemed later is not among it.
 */
export const discountsOf = async (tx: Tx, tenant: string, { accountId, currency, at, isIssue = false }: DiscountsQuestion): Promise<readonly Discount[]> => {
  const redemptions = ident(tableOf(redemptionsModel));
  // Held before anything is read: what another invoice has used is seen once it is committed.
  if (isIssue && (await tx.query(`SELECT FROM ${redemptions} WHERE tenant = $1 AND account_id = $2 ORDER BY key FOR UPDATE`, [tenant, accountId])).rowCount === 0) return [];
  const { rows } = await tx.query<{ redemption: RedemptionRow; coupon: ItemRow<CouponCreated> }>(
    `SELECT r.row AS redemption, c.row AS coupon FROM ${redemptions} r JOIN ${ident(tableOf(itemsModel))} c ON c.tenant = r.tenant AND c.key = 'coupon/' || r.coupon_key
     WHERE r.tenant = $1 AND r.account_id = $2 AND r.row->>'removedAt' IS NULL`, [tenant, accountId]);
  if (rows.length === 0) return [];
  const uses = await usesOf(tx, tenant, rows.map(({ redemption: { redemptionId } }) => redemptionId));
  return orderedDiscounts(rows.map(({ redemption: { redemptionId, redeemedAt }, coupon: { key, name, said } }) => ({ redemptionId, redeemedAt, couponKey: key, name, coupon: said, uses: uses.get(redemptionId) ?? 0 })), currency, at);
};

/** Notes that an invoice was lowered by these redemptions, those that took something, in the transaction that issues it. Said twice it counts once. */
export const useDiscounts = async (tx: Tx, tenant: string, invoiceId: string, redemptionIds: readonly string[]): Promise<void> => {
  if (redemptionIds.length === 0) return;
  await tx.query('INSERT INTO coupon_uses (tenant, redemption_id, invoice_id) SELECT $1, id, $2 FROM unnest($3::text[]) id ON CONFLICT DO NOTHING', [tenant, invoiceId, redemptionIds]);
};

/** The invoice is void: what had lowered it may lower another one. */
export const giveBackDiscounts = async (tx: Tx, tenant: string, invoiceId: string): Promise<void> => {
  await tx.query('DELETE FROM coupon_uses WHERE tenant = $1 AND invoice_id = $2', [tenant, invoiceId]);
};
