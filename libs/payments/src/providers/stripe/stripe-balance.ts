import type Stripe from 'stripe';
import { parseInstant } from '@valueverse/kernel';
import type { BalanceEntry, ThingOrder } from '../provider';
import { fromStripe } from './stripe-amounts';

const MILLISECONDS = 1_000;
export const secondsOf = (instant: string): number => Math.floor(Date.parse(instant) / MILLISECONDS);
export const instantOf = (seconds: number): string => parseInstant(new Date(seconds * MILLISECONDS).toISOString());
export const idOf = (one: string | { id: string } | null | undefined): string => (typeof one === 'string' ? one : one?.id ?? '');

const ENTRY_TYPE: Readonly<Record<string, BalanceEntry['type']>> = {
  charge: 'charge', payment: 'charge', payment_failure_refund: 'charge', refund: 'refund', payment_refund: 'refund', refund_failure: 'refund', payout: 'payout', payout_cancel: 'payout', payout_failure: 'payout', stripe_fee: 'fee',
};
/** A charge is known by its intent, everything else by itself. */
const sourceOf = (source: Stripe.BalanceTransaction['source']): string =>
  (typeof source === 'object' && source !== null && source.object === 'charge' ? idOf(source.payment_intent as string | null) : idOf(source as string | { id: string } | null));
/** A charge, a refund or a dispute has the amount that its customer sees; the sign is that of the line. */
const paidOf = ({ amount, currency, source }: Pick<Stripe.BalanceTransaction, 'amount' | 'currency' | 'source'>): Pick<BalanceEntry, 'paid'> => {
  if (typeof source !== 'object' || source === null || (source.object !== 'charge' && source.object !== 'refund' && source.object !== 'dispute') || source.currency === currency) return {};
  const paid = fromStripe(source.amount, source.currency);
  return { paid: { amountMinor: amount < 0 ? -paid : paid, currency: source.currency.toUpperCase() } };
};
/** What an adjustment is of: https://docs.stripe.com/reports/reporting-categories. */
const typeOf = (type: string, category: string): BalanceEntry['type'] => ENTRY_TYPE[type] ?? (category.startsWith('dispute') ? 'dispute' : category === 'refund_failure' ? 'refund' : 'other');
/** By which key of ours it was ordered, and of which charge it is. */
const ofOurs = (source: Stripe.BalanceTransaction['source']): Pick<BalanceEntry, 'key' | 'chargeReference'> => {
  if (typeof source !== 'object' || source === null || (source.object !== 'charge' && source.object !== 'refund' && source.object !== 'dispute')) return {};
  const key = source.object === 'dispute' ? undefined : source.metadata?.[source.object === 'charge' ? 'attempt' : 'key'];
  return { ...(key === undefined ? {} : { key }), ...(source.object === 'charge' ? {} : { chargeReference: idOf(source.payment_intent) }) };
};
export const entryOf = ({ id, type, amount, fee, currency, source, created, reporting_category: category }: Stripe.BalanceTransaction): BalanceEntry => ({
  reference: id, type: typeOf(type, category), amountMinor: fromStripe(amount, currency), feeMinor: fromStripe(fee, currency), currency: currency.toUpperCase(), source: sourceOf(source), at: instantOf(created),
  ...paidOf({ amount, currency, source }), ...ofOurs(source),
});

const BOTH_LINES = ['balance_transaction', 'failure_balance_transaction'];
type Client = InstanceType<typeof Stripe>;
type Line = string | Stripe.BalanceTransaction | null | undefined;
/** Lines that a thing names itself, with it as their source. */
const linesOf = (source: Stripe.BalanceTransaction['source'], ...lines: readonly Line[]): BalanceEntry[] => lines.flatMap((line) => (typeof line === 'object' && line !== null ? [entryOf({ ...line, source })] : []));
/** The lines of the balance that a thing names: its own, and what took it back. */
export const entriesOf = async (stripe: Client, type: ThingOrder['type'], reference: string, more: Stripe.RequestOptions): Promise<BalanceEntry[]> => {
  switch (type) {
    case 'charge': {
      const { latest_charge: charge } = await stripe.paymentIntents.retrieve(reference, { expand: BOTH_LINES.map((line) => `latest_charge.${line}`) }, more);
      return typeof charge === 'object' && charge !== null ? linesOf(charge, charge.balance_transaction, charge.failure_balance_transaction) : [];
    }
    case 'refund': {
      const refund = await stripe.refunds.retrieve(reference, { expand: BOTH_LINES }, more);
      return linesOf(refund, refund.balance_transaction, refund.failure_balance_transaction);
    }
    case 'dispute': {
      const dispute = await stripe.disputes.retrieve(reference, {}, more);
      return linesOf(dispute, ...dispute.balance_transactions);
    }
    case 'payout': {
      const payout = await stripe.payouts.retrieve(reference, { expand: BOTH_LINES }, more);
      return linesOf(payout, payout.balance_transaction, payout.failure_balance_transaction);
    }
  }
};
