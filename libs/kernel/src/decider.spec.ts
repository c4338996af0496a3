import { type Decider, dispatch, type Handlers, type Projection, Refused } from './decider';

type Command = { type: 'Open' } | { type: 'Pay'; amount: bigint };
type Event = { type: 'Opened' } | { type: 'Paid'; amount: bigint };
interface Bill {
  readonly open: boolean;
  readonly paid: bigint;
}

const bill: Decider<Command, Event, Bill> = {
  initial: { open: false, paid: 0n },
  decide: dispatch<Command, Bill, readonly Event[]>({
    Open: (_, { open }) => (open ? [] : [{ type: 'Opened' }]),
    Pay: ({ amount }, { open }) => {
      if (!open) throw new Refused('bill_not_open', 'the bill is not open', '/amount');
      return [{ type: 'Paid', amount }];
    },
  }),
  evolve: dispatch<Event, Bill, Bill>({
    Opened: (_, state) => ({ ...state, open: true }),
    Paid: ({ amount }, state) => ({ ...state, paid: state.paid + amount }),
  }),
};

test('a table of handlers gives each message to the handler of its type', () => {
  const opened = bill.decide({ type: 'Open' }, bill.initial).reduce((state, event) => bill.evolve(event, state), bill.initial);
  expect(bill.decide({ type: 'Open' }, opened)).toEqual([]);
  expect(bill.decide({ type: 'Pay', amount: 5n }, opened)).toEqual([{ type: 'Paid', amount: 5n }]);
});

test('a refusal has a code for programs, a message for people and a pointer to the field', () => {
  expect(() => bill.decide({ type: 'Pay', amount: 5n }, bill.initial)).toThrow(
    expect.objectContaining({ name: 'Refused', code: 'bill_not_open', message: 'the bill is not open', pointer: '/amount' }),
  );
  expect(new Refused('code', 'message').pointer).toBeUndefined();
});

test('a missing, misspelt or surplus handler does not compile', () => {
  // @ts-expect-error: the handler of Paid is missing.
  const missing: Handlers<Event, Bill, Bill> = { Opened: (_, state) => state };
  // @ts-expect-error: nothing is called Payed.
  const surplus: Handlers<Event, Bill, Bill> = { Opened: (_, state) => state, Paid: (_, state) => state, Payed: (_: unknown, state: Bill) => state };
  const some: Projection<Event, bigint> = { table: 'paid', version: 1, key: () => '', initial: 0n, on: { Paid: ({ amount }, sum) => sum + amount } };
  expect([missing, surplus, some].map((table) => typeof table)).toEqual(['object', 'object', 'object']);
});
