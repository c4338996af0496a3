import { type Decider, dispatch, type Process, Refused } from '@valueverse/kernel';
import { following, given } from './given';

type Command = { type: 'OpenDoor' } | { type: 'CloseDoor' };
type Event = { type: 'DoorOpened'; by: string } | { type: 'DoorClosed' };
const door: Decider<Command, Event, 'open' | 'closed'> = {
  initial: 'closed',
  decide: dispatch<Command, 'open' | 'closed', readonly Event[]>({
    OpenDoor: (_, state) => (state === 'open' ? [] : [{ type: 'DoorOpened', by: 'hand' }]),
    CloseDoor: (_, state) => {
      if (state === 'closed') throw new Refused('door_closed', 'it is closed');
      return [{ type: 'DoorClosed' }];
    },
  }),
  evolve: (event) => (event.type === 'DoorOpened' ? 'open' : 'closed'),
};
const opened: Event = { type: 'DoorOpened', by: 'hand' };

test('a decision is compared event by event', () => given(door).when({ type: 'OpenDoor' }).then(opened));
test('a repeat decides nothing', () => given(door, opened).when({ type: 'OpenDoor' }).then());
test('a refusal is named by its code', () => given(door).when({ type: 'CloseDoor' }).thenRefused('door_closed'));
test('a wrong expectation fails', () => {
  expect(() => given(door).when({ type: 'OpenDoor' }).then()).toThrow();
  expect(() => given(door).when({ type: 'OpenDoor' }).then({ type: 'DoorOpened', by: 'foot' })).toThrow();
  expect(() => given(door).when({ type: 'OpenDoor' }).thenRefused('door_closed')).toThrow(/DoorOpened/);
  expect(() => given(door).when({ type: 'CloseDoor' }).thenRefused('door_open')).toThrow();
});

const bell: Process<Event, { type: 'RingBell'; times: number }, number> = {
  name: 'bell', instance: () => 'front', initial: 0,
  evolve: (event, rung) => rung + (event.type === 'DoorOpened' ? 1 : 0),
  react: (event, times) => (event.type === 'DoorOpened' ? [{ type: 'RingBell', times }] : []),
};

test('a process remembers first and then reacts', () =>
  following(bell, opened, { type: 'DoorClosed' }, opened).then('RingBell', { type: 'RingBell', times: 2 }));
test('a missing or surplus reaction fails', () => {
  expect(() => following(bell, opened).then()).toThrow();
  expect(() => following(bell, opened).then('RingBell', 'RingBell')).toThrow();
});
