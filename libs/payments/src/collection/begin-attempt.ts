import { Money } from '@valueverse/kernel';
import type { Tx } from '@valueverse/event-log';
import { type Job, type JobHandler, rowOf } from '@valueverse/platform';
import { invoiceIn } from '../accounts/known-invoices';
import type { PaymentCommand } from './domain/payment-command';
import { paymentDecider, type PaymentRow, paymentView } from './payments';
import { lockAccount } from './waiting-invoices';

export const BEGIN_ATTEMPT = 'payments.begin-attempt';
export interface BeginPayload { readonly paymentId: string; readonly attempt: number; readonly methodId: string; readonly provider: string }

/**
 * Begins the attempt that was scheduled, with what is left of the invoice by now; where nothing is, the payment is given up. An attempt that has begun already, or whose payment is over, is not begun again: the decider
 * knows.
 */
export const beginAttempt: JobHandler = {
  kind: BEGIN_ATTEMPT,
  run: (job: Job<BeginPayload>) => Promise.resolve({ outcome: 'done', write: async (tx) => ({ commands: [{ decider: paymentDecider, command: await commandOf(tx, job) }] }) }),
};

const commandOf = async (tx: Tx, { tenant, payload, now }: Job<BeginPayload>): Promise<PaymentCommand> => {
  const start: PaymentCommand = { type: 'StartAttempt', ...payload, at: now };
  const payment = await rowOf<PaymentRow>({ ...tx, tenant }, paymentView, payload.paymentId);
  // What is paid ahead is for no invoice.
  if (payment === undefined || payment.creditId !== undefined) return start;
  // Money that somebody records at this moment is seen: who pays by hand holds the account too.
  await lockAccount(tx, tenant, payment.accountId);
  const left = (await invoiceIn(tx, tenant, payment.invoiceId))?.left;
  if (left === undefined) return start;
  if (left.isZero()) return { type: 'CancelPayment', paymentId: payload.paymentId, reason: 'nothing is due of the invoice any more', at: now };
  return { ...start, amount: left.min(Money.parse(payment.amount, payment.currency)).toString() };
};
