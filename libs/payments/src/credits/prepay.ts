import { derivedId, Money, Refused } from '@valueverse/kernel';
import { requestContext } from '@valueverse/platform';
import type { KnownAccount } from '../accounts/known-accounts';
import { methodFor, type Parts } from '../collection/by-hand';
import type { RequestPayment } from '../collection/domain/payment-command';
import { paymentDecider } from '../collection/payments';
import { lockAccount } from '../collection/waiting-invoices';

/** No more is paid ahead at once, in minor units of the currency: more is a slip of the keyboard. */
export const PREPAYMENT_MINOR_MAX = 99_999_999_999n;
/** What is paid ahead is sent within this time of its request, by the clock of the account, or not at all: whoever asked for it has seen no money go, and has paid in another way by then. */
export const PREPAYMENT_SENT_WITHIN = 'PT1H';

export interface Prepayment { readonly amount: string; readonly currency?: string; readonly methodId?: string }

/**
 * Charges an account for no invoice: a payment as any other, whose money is the account's balance once it is there. It is charged now or not at all: a card that is declined is not tried on another day, because whoever
 * asked for it may have paid in another way by then. Refuses with `currency_mismatch`, `amount_not_positive`, `amount_too_large`, `amount_too_fine`, `no_payment_method` and `payment_method_not_found`. Answers the id of the payment.
 */
export const prepay = async (parts: Parts, { accountId, currency, now, clockId }: KnownAccount, order: Prepayment): Promise<string> => {
  const { tx, service, ids, caller: { tenant, actor } } = parts;
  if (order.currency !== undefined && order.currency !== currency) throw new Refused('currency_mismatch', `the account is in ${currency}`, '/currency');
  const amount = Money.parse(order.amount, currency);
  if (!amount.isPositive()) throw new Refused('amount_not_positive', 'an amount above zero is expected', '/amount');
  if (amount.minor > PREPAYMENT_MINOR_MAX) throw new Refused('amount_too_large', `no more than ${Money.of(PREPAYMENT_MINOR_MAX, currency).toString()} ${currency} are paid ahead at once`, '/amount');
  await lockAccount(tx, tenant, accountId);
  const by = await methodFor(parts, accountId, amount, order.methodId);
  const paymentId = ids.next('pay');
  const creditId = derivedId('crd', tenant, paymentId);
  const command: RequestPayment = { type: 'RequestPayment', paymentId, invoiceId: creditId, creditId, accountId, amount: amount.toString(), currency, ...by, at: now };
  await service.log.execute(tx, [{ decider: paymentDecider, command, context: { tenant, actor, at: now, clockId, traceparent: requestContext()?.traceparent } }]);
  return paymentId;
};
