import { compareInstants, dispatch, Refused, type Decider } from '@valueverse/kernel';
import type { ClockEvent } from '@valueverse/contracts';

export type ClockCommand =
  | { readonly type: 'CreateClock'; readonly clockId: string; readonly name: string; readonly now: string }
  | { readonly type: 'RequestAdvance'; readonly clockId: string; readonly to: string }
  | { readonly type: 'StepClock'; readonly clockId: string; readonly now: string }
  | { readonly type: 'CompleteAdvance'; readonly clockId: string };

export interface TestClock { readonly status: 'absent' | 'ready' | 'advancing'; readonly now: string; readonly target: string }

/**
 * A clock that moves only when it is told to, and forward only.
 * Refuses with `clock_not_found`, `clock_is_advancing`, `clock_goes_forward`.
 */
export const testClock: Decider<ClockCommand, ClockEvent, TestClock> = {
  initial: { status: 'absent', now: '', target: '' },
  decide: dispatch<ClockCommand, TestClock, readonly ClockEvent[]>({
    CreateClock: ({ clockId, name, now }, { status }) => (status === 'absent' ? [{ type: 'ClockCreated', clockId, name, now }] : []),
    RequestAdvance: ({ clockId, to }, { status, now, target }) => {
      if (status === 'absent') throw new Refused('clock_not_found', `there is no clock ${clockId}`);
      if (status === 'advancing') {
        if (to === target) return []; // The same request again.
        throw new Refused('clock_is_advancing', `the clock is on its way to ${target}`, '/to');
      }
      if (compareInstants(to, now) < 0) throw new Refused('clock_goes_forward', `the clock stands at ${now}`, '/to');
      return [{ type: 'ClockAdvanceRequested', clockId, to }];
    },
    // A runner that was held up may come with a step or an end of an advance that is over: it means another one.
    StepClock: ({ clockId, now }, state) =>
      (state.status === 'advancing' && compareInstants(now, state.now) > 0 && compareInstants(now, state.target) <= 0 ? [{ type: 'ClockStepped', clockId, now }] : []),
    CompleteAdvance: ({ clockId }, { status, now, target }) => (status === 'advancing' && compareInstants(now, target) >= 0 ? [{ type: 'ClockAdvanced', clockId, now }] : []),
  }),
  evolve: dispatch<ClockEvent, TestClock, TestClock>({
    ClockCreated: ({ now }) => ({ status: 'ready', now, target: now }),
    ClockAdvanceRequested: ({ to }, state) => ({ ...state, status: 'advancing', target: to }),
    ClockStepped: ({ now }, state) => ({ ...state, now }),
    ClockAdvanced: (_, state) => ({ ...state, status: 'ready' }),
  }),
};
