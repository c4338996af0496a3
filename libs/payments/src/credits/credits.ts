import { Money } from '@valueverse/kernel';
import type { CreditRestored, CreditTakenBack, MoneyCredited } from '@valueverse/contracts';
import type { DeciderDefinition, ReadModel } from '@valueverse/event-log';
import { sortableInstant } from '../methods/methods';
import { credit, type CreditCommand, type CreditEvent, type CreditState } from './domain/credit';
import type { CreditRefundEvent } from './domain/credit-refunds';

export interface CreditRow { readonly id: string; readonly accountId: string; readonly amount: string; readonly currency: string; readonly paymentId: string | null; readonly reference: string | null; readonly receivedAt: string | null; readonly createdAt: string;
  /** What of it is gone since: a bank has it, it was given back at its provider's own page, or it bounced. */
  readonly takenBack: string;
}

/** A row per sum that was left to an account: what of a payment no invoice took, or what came for none. */
export const creditView: ReadModel<MoneyCredited | CreditTakenBack | CreditRestored, CreditRow> = {
  table: 'payment_credits', version: 2, key: (fact) => ('creditId' in fact ? fact.creditId : ''), initial: { id: '', accountId: '', amount: '', currency: '', paymentId: null, reference: null, receivedAt: null, createdAt: '', takenBack: '' },
  on: {
    MoneyCredited: ({ creditId, accountId, amount, currency, paymentId, reference, receivedAt, creditedAt }) =>
      ({ id: creditId, accountId, amount, currency, paymentId: paymentId ?? null, reference: reference ?? null, receivedAt: receivedAt ?? null, createdAt: creditedAt, takenBack: Money.zero(currency).toString() }),
    CreditTakenBack: ({ amount, currency }, row) => ({ ...row, takenBack: Money.parse(row.takenBack, currency).add(Money.parse(amount, currency)).toString() }),
    CreditRestored: ({ amount, currency }, row) => ({ ...row, takenBack: Money.parse(row.takenBack, currency).subtract(Money.parse(amount, currency)).toString() }),
  },
  columns: { account_id: ({ accountId }) => accountId, payment_id: ({ paymentId }) => paymentId }, sortBy: ({ createdAt }) => sortableInstant(createdAt),
};

/** `approved`: it was taken from the balance. How it went on stands with the refund of its payment, where it has one. */
export interface CreditRefundRow {
  readonly id: string; readonly creditId: string; readonly accountId: string; readonly paymentId: string | null; readonly amount: string; readonly currency: string; readonly status: 'pending' | 'approved' | 'refused'; readonly code: string | null;
  readonly reason: string; readonly createdAt: string; readonly endedAt: string | null;
}
/** A row per request to pay a credit out. */
export const creditRefundView: ReadModel<CreditRefundEvent, CreditRefundRow> = {
  table: 'credit_refunds', version: 1, key: ({ refundId }) => refundId,
  initial: { id: '', creditId: '', accountId: '', paymentId: null, amount: '', currency: '', status: 'pending', code: null, reason: '', createdAt: '', endedAt: null },
  on: {
    CreditRefundRequested: ({ type: _type, refundId: id, paymentId, requestedAt, ...row }) => ({ id, ...row, paymentId: paymentId ?? null, status: 'pending', code: null, createdAt: requestedAt, endedAt: null }),
    CreditRefundApproved: ({ approvedAt }, row) => ({ ...row, status: 'approved', endedAt: approvedAt }),
    CreditRefundRefused: ({ code, refusedAt }, row) => ({ ...row, status: 'refused', code, endedAt: refusedAt }),
  },
  columns: { credit_id: ({ creditId }) => creditId, account_id: ({ accountId }) => accountId }, sortBy: ({ createdAt }) => sortableInstant(createdAt),
};

export const creditDecider: DeciderDefinition<CreditCommand, CreditEvent, CreditState> = { name: 'credit', decider: credit, stream: ({ creditId }) => `credit-${creditId}`, views: [creditView, creditRefundView] };
