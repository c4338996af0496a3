import { type Decider, dispatch, Refused } from '@valueverse/kernel';
import type { RetentionChanged } from '@valueverse/contracts';

/** A day above the window in which duplicates are told apart: what can still be corrected has to be there. */
export const RETENTION_DAYS_MIN = 36;
/** A hundred years; more is for ever. */
export const RETENTION_DAYS_MAX = 36_525;

/** `days`: null keeps envelopes for ever. */
export interface ChangeRetention { readonly type: 'ChangeRetention'; readonly days: number | null; readonly at: string }
export interface RetentionState { readonly days: number | null }

/** How long a tenant keeps its envelopes: for ever until it says otherwise. The same again changes nothing. Refuses with `retention_too_short`, `retention_too_long`. */
export const retentionDecider: Decider<ChangeRetention, RetentionChanged, RetentionState> = {
  initial: { days: null },
  decide: dispatch<ChangeRetention, RetentionState, readonly RetentionChanged[]>({
    ChangeRetention: ({ days, at }, state) => {
      if (days !== null && days < RETENTION_DAYS_MIN) throw new Refused('retention_too_short', `envelopes are kept for ${RETENTION_DAYS_MIN} days at least, a day more than duplicates are looked for`, '/days');
      if (days !== null && days > RETENTION_DAYS_MAX) throw new Refused('retention_too_long', `at most ${RETENTION_DAYS_MAX} days; null keeps envelopes for ever`, '/days');
      return days === state.days ? [] : [{ type: 'RetentionChanged', ...(days === null ? {} : { days }), changedAt: at }];
    },
  }),
  evolve: dispatch<RetentionChanged, RetentionState, RetentionState>({ RetentionChanged: ({ days }) => ({ days: days ?? null }) }),
};
