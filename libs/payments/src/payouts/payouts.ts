import type { PayoutRecorded } from '@valueverse/contracts';
import type { DeciderDefinition, ReadModel } from '@valueverse/event-log';
import { sortableInstant } from '../methods/methods';
import { payout, type PayoutState, type RecordPayout } from './domain/payout';

export type PayoutRow = Omit<PayoutRecorded, 'type' | 'payoutId'> & { readonly id: string };

/** A row per payout, with what it is made of: amounts are decimals, fees are what the provider kept. */
export const payoutView: ReadModel<PayoutRecorded, PayoutRow> = {
  table: 'payouts', version: 1, key: ({ payoutId }) => payoutId,
  initial: { id: '', provider: '', reference: '', amount: '', currency: '', status: 'pending', arrivesAt: '', charged: '', refunded: '', disputed: '', fees: '', other: '', lines: 0, createdAt: '', recordedAt: '' },
  on: { PayoutRecorded: ({ type: _type, payoutId, ...row }) => ({ id: payoutId, ...row }) },
  columns: { provider: ({ provider }) => provider, status: ({ status }) => status, reference: ({ reference }) => reference }, sortBy: ({ createdAt }) => sortableInstant(createdAt),
};

export const payoutDecider: DeciderDefinition<RecordPayout, PayoutRecorded, PayoutState> = { name: 'payout', decider: payout, stream: ({ payoutId }) => `payout-${payoutId}`, views: [payoutView] };
