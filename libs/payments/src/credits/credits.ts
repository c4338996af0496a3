import type { MoneyCredited } from '@valueverse/contracts';
import type { DeciderDefinition, ReadModel } from '@valueverse/event-log';
import { sortableInstant } from '../methods/methods';
import { credit, type CreditState, type ReceiveCredit } from './domain/credit';

export interface CreditRow { readonly id: string; readonly accountId: string; readonly amount: string; readonly currency: string; readonly paymentId: string | null; readonly reference: string | null; readonly receivedAt: string | null; readonly createdAt: string }

/** A row per sum that was left to an account: what of a payment no invoice took, or what came for none. */
export const creditView: ReadModel<MoneyCredited, CreditRow> = {
  table: 'payment_credits', version: 1, key: (fact) => ('creditId' in fact ? fact.creditId : ''), initial: { id: '', accountId: '', amount: '', currency: '', paymentId: null, reference: null, receivedAt: null, createdAt: '' },
  on: {
    MoneyCredited: ({ creditId, accountId, amount, currency, paymentId, reference, receivedAt, creditedAt }) =>
      ({ id: creditId, accountId, amount, currency, paymentId: paymentId ?? null, reference: reference ?? null, receivedAt: receivedAt ?? null, createdAt: creditedAt }),
  },
  columns: { account_id: ({ accountId }) => accountId, payment_id: ({ paymentId }) => paymentId }, sortBy: ({ createdAt }) => sortableInstant(createdAt),
};

export const creditDecider: DeciderDefinition<ReceiveCredit, MoneyCredited, CreditState> = { name: 'credit', decider: credit, stream: ({ creditId }) => `credit-${creditId}`, views: [creditView] };
