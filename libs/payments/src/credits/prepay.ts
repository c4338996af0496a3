import { derivedId, Money, Refused } from '@valueverse/kernel';
import { requestContext } from '@valueverse/platform';
import type { KnownAccount } from '../accounts/known-accounts';
import { methodFor, type Parts } from '../collection/by-hand';
import type { RequestPayment } from '../collection/domain/payment-command';
import { paymentDecider } from '../collection/payments';
import { lockAccount } from '../collection/waiting-invoices';

export interface Prepayment { readonly amount: string; readonly currency?: string; readonly methodId?: string }

/**
 * Charges an account for no invoice: a payment as any other, whose money is the account's balance once it is there. It is charged now or not at all: a card that is declined is not tried on another day, because whoever
 * asked for it may have paid in another way by then. Refuses with `currency_mismatch`, `amount_not_positive`, `no_payment_method` and `payment_method_not_found`. Answers the id of the payment.
 */
export const prepay = async ({ tx, service, ids, caller: { tenant, actor } }: Parts, { accountId, currency, now, clockId }: KnownAccount, order: Prepayment): Promise<string> => {
  if (order.currency !== undefined && order.currency !== currency) throw new Refused('currency_mismatch', `the account is in ${currency}`, '/currency');
  const amount = Money.parse(order.amount, currency);
  if (!amount.isPositive()) throw new Refused('amount_not_positive', 'an amount above zero is expected', '/amount');
  await lockAccount(tx, tenant, accountId);
  const by = await methodFor(tx, tenant, accountId, amount, order.methodId);
  const paymentId = ids.next('pay');
  const creditId = derivedId('crd', tenant, paymentId);
  const command: RequestPayment = { type: 'RequestPayment', paymentId, invoiceId: creditId, creditId, accountId, amount: amount.toString(), currency, ...by, at: now };
  await service.log.execute(tx, [{ decider: paymentDecider, command, context: { tenant, actor, at: now, clockId, traceparent: requestContext()?.traceparent } }]);
  return paymentId;
};
