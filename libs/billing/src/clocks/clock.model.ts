import type { ClockEvent } from '@valueverse/contracts';
import type { DeciderDefinition, ReadModel } from '@valueverse/event-log';
import { testClock, type ClockCommand, type TestClock } from './domain/test-clock.decider';

export interface ClockRow { readonly clockId: string; readonly name: string; readonly status: 'ready' | 'advancing'; readonly now: string; readonly target: string; readonly createdAt: string }

export const clocksModel: ReadModel<ClockEvent, ClockRow> = {
  table: 'test_clocks', version: 1, key: ({ clockId }) => clockId, initial: {} as ClockRow,
  on: {
    ClockCreated: ({ clockId, name, now }) => ({ clockId, name, status: 'ready', now, target: now, createdAt: now }),
    ClockAdvanceRequested: ({ to }, row) => ({ ...row, status: 'advancing', target: to }),
    ClockStepped: ({ now }, row) => ({ ...row, now }),
    ClockAdvanced: (_, row) => ({ ...row, status: 'ready' }),
  },
  sortBy: ({ clockId }) => clockId,
};

export const clockStream = (clockId: string): string => `clock-${clockId}`;
export const clockDecider: DeciderDefinition<ClockCommand, ClockEvent, TestClock> = {
  name: 'test-clock', decider: testClock, stream: ({ clockId }) => clockStream(clockId), views: [clocksModel],
};
