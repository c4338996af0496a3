import { dispatch, type Decider } from '@valueverse/kernel';
import type { PayoutRecorded } from '@valueverse/contracts';

/** What a provider says of a payout now. */
export type RecordPayout = Omit<PayoutRecorded, 'type' | 'recordedAt'> & { readonly type: 'RecordPayout'; readonly at: string };
export interface PayoutState { readonly last: string }

const said = ({ type: _type, recordedAt: _at, ...payout }: PayoutRecorded): string => JSON.stringify(Object.entries(payout).sort(([a], [b]) => (a < b ? -1 : 1)));

/** A payout as its provider says it: recorded when it says something new. */
export const payout: Decider<RecordPayout, PayoutRecorded, PayoutState> = {
  initial: { last: '' },
  decide: dispatch<RecordPayout, PayoutState, readonly PayoutRecorded[]>({
    RecordPayout: ({ at, ...command }, { last }) => {
      const fact: PayoutRecorded = { ...command, type: 'PayoutRecorded', recordedAt: at };
      return said(fact) === last ? [] : [fact];
    },
  }),
  evolve: dispatch<PayoutRecorded, PayoutState, PayoutState>({ PayoutRecorded: (fact) => ({ last: said(fact) }) }),
};
