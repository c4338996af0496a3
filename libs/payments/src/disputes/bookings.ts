import type { DisputeRow } from '../collection/payments';

/** One line of a journal: what is on the left of one account is on the right of the other, so that the books are balanced after each line. Amounts are decimals above zero. */
export interface Booking { readonly at: string; readonly debit: 'disputes' | 'dispute_losses' | 'provider_fees' | 'provider_balance'; readonly credit: 'provider_balance' | 'disputes'; readonly amount: string; readonly currency: string }

/** How a dispute is booked: the bank takes the money and a fee from the balance at once; won, the money comes back; lost, it is a loss. The fee stays. An inquiry moves no money. */
export const bookingsOf = ({ amount, fee, currency, status, openedAt, closedAt }: DisputeRow): Booking[] => (status === 'inquiry' || status === 'inquiry_closed' ? [] : [
  { at: openedAt, debit: 'disputes', credit: 'provider_balance', amount, currency },
  ...(fee === null || /^0*\.?0*$/.test(fee) ? [] : [{ at: openedAt, debit: 'provider_fees', credit: 'provider_balance', amount: fee, currency } as const]),
  ...(status === 'open' || closedAt === null ? [] : [{ at: closedAt, debit: status === 'won' ? 'provider_balance' : 'dispute_losses', credit: 'disputes', amount, currency } as const]),
]);
