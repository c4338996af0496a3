import { CreditRefundRequested, CreditRestored, CreditTakenBack, DisputeClosed, DisputeOpened, MoneyCredited, PaymentDuplicated, PaymentSucceeded, RefundFailed, RefundSucceeded } from '@valueverse/contracts';
import { follow, type DomainEvent, type Reacting, type Reaction, type Reactor } from '@valueverse/event-log';
import { balanceDecider } from '../balances/balance.model';
import type { InvoiceCommand } from '../invoicing/domain/invoice.decider';
import { invoiceDecider } from '../invoicing/invoice.model';
import { DEFAULT_SETTINGS } from '../settings/domain/settings.decider';
import { settingsAt } from '../settings/settings.model';

const obey = (...commands: readonly InvoiceCommand[]): Reaction => ({ commands: commands.map((command) => follow(invoiceDecider, command)) });

/** What payments say that billing takes over. */
export const RECEIVED_EVENTS = [PaymentSucceeded, PaymentDuplicated, MoneyCredited, RefundSucceeded, RefundFailed, DisputeOpened, DisputeClosed, CreditRefundRequested, CreditTakenBack, CreditRestored] as const;

/** Money that was taken is applied to its invoice, and followed where it goes back; what is left to an account is its balance, which the next invoices take. */
export const applyPayments: Reactor = (() => {
  const on = <E extends DomainEvent>(type: E['type'], reacting: Reacting<E>) => ({ [type]: reacting });
  return {
    kind: 'reactor', name: 'apply-payments', topics: ['payments.payments'],
    on: {
      ...on<PaymentSucceeded>('PaymentSucceeded', ({ invoiceId, paymentId, accountId, amount, currency, succeededAt }) => obey({ type: 'ApplyPayment', invoiceId, paymentId, accountId, amount, currency, at: succeededAt })),
      // Of which invoice it is, is not said in facts before the first release: there was nobody then who asked.
      ...on<PaymentDuplicated>('PaymentDuplicated', ({ invoiceId, paymentId, attempt, amount, currency, foundAt }) => (invoiceId === undefined ? {} : obey({ type: 'RecordDuplicate', invoiceId, paymentId, attempt, amount, currency, at: foundAt }))),
      ...on<MoneyCredited>('MoneyCredited', ({ creditId, accountId, invoiceId, paymentId, amount, currency, creditedAt, refundId }) => ({
        commands: [
          follow(balanceDecider, { type: 'CreditBalance', accountId, currency, amount, source: 'payment', sourceId: creditId, at: creditedAt }),
          // The invoice has heard of what was the account's before.
          ...(invoiceId === undefined || paymentId === undefined || refundId !== undefined ? [] : [follow(invoiceDecider, { type: 'RecordCredited', invoiceId, paymentId, creditId, amount, currency, at: creditedAt })]),
        ],
      })),
      // What is to be paid out is taken from the balance before it goes, so that no invoice takes it too.
      ...on<CreditRefundRequested>('CreditRefundRequested', ({ accountId, currency, amount, refundId, requestedAt }) => ({ commands: [follow(balanceDecider, { type: 'ReturnBalance', accountId, currency, amount, refundId, at: requestedAt })] })),
      // What was the balance, and is gone, is gone from there too, also where it was used.
      ...on<CreditTakenBack>('CreditTakenBack', ({ accountId, currency, amount, takenBackId, takenBackAt }) => ({ commands: [follow(balanceDecider, { type: 'TakeBackBalance', accountId, currency, amount, takenBackId, at: takenBackAt })] })),
      ...on<CreditRestored>('CreditRestored', ({ accountId, currency, amount, restoredId, restoredAt }) => ({ commands: [follow(balanceDecider, { type: 'CreditBalance', accountId, currency, amount, source: 'payment', sourceId: restoredId, at: restoredAt })] })),
      ...on<RefundSucceeded>('RefundSucceeded', ({ invoiceId, paymentId, refundId, attempt, creditId, amount, currency, refundedAt }) => obey({ type: 'RecordRefund', invoiceId, paymentId, refundId, attempt, creditId, amount, currency, at: refundedAt })),
      ...on<RefundFailed>('RefundFailed', ({ invoiceId, paymentId, refundId, amount, currency, failedAt }) => (invoiceId === undefined ? {} : obey({ type: 'RecordRefundReturned', invoiceId, paymentId, refundId, amount, currency, at: failedAt }))),
      ...on<DisputeOpened>('DisputeOpened', ({ invoiceId, paymentId, disputeId, attempt, amount, currency, openedAt }) => obey({ type: 'OpenDispute', invoiceId, paymentId, disputeId, attempt, amount, currency, at: openedAt })),
      // What the tenant says at the moment of the loss holds for it.
      ...on<DisputeClosed>('DisputeClosed', async ({ invoiceId, paymentId, disputeId, amount, currency, outcome, closedAt }, { tenant }, tx) => {
        const { lostDisputes = DEFAULT_SETTINGS.lostDisputes } = await settingsAt(tx, tenant, closedAt);
        return obey({ type: 'CloseDispute', invoiceId, paymentId, disputeId, amount, currency, outcome, whenLost: lostDisputes, at: closedAt });
      }),
    },
  };
})();
