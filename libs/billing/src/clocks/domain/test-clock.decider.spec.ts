import fc from 'fast-check';
import { compareInstants, Refused } from '@valueverse/kernel';
import type { ClockEvent } from '@valueverse/contracts';
import { given, runs } from '@valueverse/testing';
import { testClock, type ClockCommand } from './test-clock.decider';

const clockId = 'clk_1';
const [FIRST, SECOND, THIRD] = ['2023-11-01T00:00:00Z', '2023-12-01T00:00:00Z', '2024-01-01T00:00:00Z'] as const;
const create = (now: string): ClockCommand => ({ type: 'CreateClock', clockId, name: 'tour', now });
const request = (to: string): ClockCommand => ({ type: 'RequestAdvance', clockId, to });
const step = (now: string): ClockCommand => ({ type: 'StepClock', clockId, now });
const complete: ClockCommand = { type: 'CompleteAdvance', clockId };
const created: ClockEvent = { type: 'ClockCreated', clockId, name: 'tour', now: FIRST };
const requested = (to: string): ClockEvent => ({ type: 'ClockAdvanceRequested', clockId, to });
const stepped = (now: string): ClockEvent => ({ type: 'ClockStepped', clockId, now });
const advanced = (now: string): ClockEvent => ({ type: 'ClockAdvanced', clockId, now });

test('it is made once, and stands', () => {
  given(testClock).when(create(FIRST)).then(created);
  given(testClock, created).when(create(SECOND)).then();
});
test('it moves when it is asked to', () => given(testClock, created).when(request(SECOND)).then(requested(SECOND)));
test('it may be asked to stay where it is', () => given(testClock, created).when(request(FIRST)).then(requested(FIRST)));
test('an unknown one is not moved', () => given(testClock).when(request(SECOND)).thenRefused('clock_not_found'));
test('it does not go back', () => {
  given(testClock, created).when(request('2023-10-31T23:59:59.999999Z')).thenRefused('clock_goes_forward');
  given(testClock, created, requested(SECOND), stepped(SECOND), advanced(SECOND)).when(request(FIRST)).thenRefused('clock_goes_forward');
});
test('on its way it takes the same request again and no other', () => {
  given(testClock, created, requested(SECOND)).when(request(SECOND)).then();
  given(testClock, created, requested(SECOND)).when(request(THIRD)).thenRefused('clock_is_advancing');
});
test('it steps forward only, and only on its way', () => {
  given(testClock, created).when(step(SECOND)).then();
  given(testClock, created, requested(THIRD)).when(step(SECOND)).then(stepped(SECOND));
  given(testClock, created, requested(THIRD), stepped(SECOND)).when(step(SECOND)).then();
  given(testClock, created, requested(THIRD), stepped(SECOND)).when(step(FIRST)).then();
});
test('it arrives once', () => {
  given(testClock, created, requested(SECOND), stepped(SECOND)).when(complete).then(advanced(SECOND));
  given(testClock, created, requested(SECOND), stepped(SECOND), advanced(SECOND)).when(complete).then();
  given(testClock).when(complete).then();
});
test('it never arrives before its target, nor steps over it', () => {
  given(testClock, created, requested(SECOND)).when(complete).then();
  given(testClock, created, requested(SECOND)).when(step(THIRD)).then();
});

test('in any order of commands its time only grows, and it rests at what was asked for', () => {
  const commands = [FIRST, SECOND, THIRD].flatMap((at) => [create(at), request(at), step(at)]).concat(complete);
  fc.assert(fc.property(fc.array(fc.constantFrom(...commands), { maxLength: 40 }), (given_) => {
    let state = testClock.initial;
    for (const command of given_) {
      let events: readonly ClockEvent[] = [];
      try { events = testClock.decide(command, state); } catch (error) { if (!(error instanceof Refused)) throw error; }
      const before = state;
      state = events.reduce((current, event) => testClock.evolve(event, current), state);
      if (before.status !== 'absent') expect(compareInstants(state.now, before.now)).toBeGreaterThanOrEqual(0);
      if (state.status === 'ready') expect(state.now).toBe(state.target);
    }
  }), runs(7, 500));
});
