import fc from 'fast-check';
import { runs } from '@valueverse/testing';
import { claimedOfAccount, coveredUsage, type Covering } from './covered-usage';

const day = (nth: number): string => new Date(Date.UTC(2024, 0, 1 + nth)).toISOString().replace('.000', '');
const ALWAYS = { from: day(0), to: day(100) };

/** Subscriptions of an account with the subject `shared`, in the order in which they were made. */
const made = (starts: readonly { now: number; from: number }[]): Covering[] => starts.reduce<Covering[]>((earlier, { now, from }, nth) => [
  ...earlier, { subscriptionId: `sub_${nth}`, subjects: [`own-${nth}`], startsAt: day(from), ofAccount: claimedOfAccount(['shared'], ['calls', 'calls'], day(from), day(now), earlier) },
], []);
const daysOf = (subscription: Covering, siblings: readonly Covering[]): number[] => coveredUsage(subscription, siblings, 'calls', ALWAYS).filter(({ subject }) => subject === 'shared')
  .flatMap(({ from, to }) => Array.from({ length: 100 }, (_, nth) => nth).filter((nth) => day(nth) >= from && day(nth) < to));

test('one subscription has all of it from where it begins, a meter of no plan has nothing of the account', () => {
  const [only] = made([{ now: 50, from: 10 }]);
  expect(coveredUsage(only!, [only!], 'calls', ALWAYS)).toEqual([{ subject: 'own-0', ...ALWAYS }, { subject: 'shared', from: day(10), to: ALWAYS.to }]);
  expect(coveredUsage(only!, [only!], 'bytes', ALWAYS)).toEqual([{ subject: 'own-0', ...ALWAYS }]);
});

test('a later one that begins earlier takes nothing of what is over; one that is still to begin takes nothing yet', () => {
  const both = made([{ now: 50, from: 10 }, { now: 60, from: 5 }]);
  expect(both.map((one) => daysOf(one, both).length)).toEqual([50, 0]);
  const [later, now] = made([{ now: 50, from: 80 }, { now: 60, from: 5 }]);
  expect([daysOf(later!, [later!, now!]), daysOf(now!, [later!, now!])]).toEqual([[], Array.from({ length: 75 }, (_, nth) => nth + 5)]);
});

test('whatever was made when: no day is billed by two, and what is over when another one is made stays as it was', () => {
  const steps = fc.array(fc.record({ after: fc.nat(15), from: fc.nat(99) }), { minLength: 1, maxLength: 6 });
  fc.assert(fc.property(steps, (given) => {
    let now = 0;
    const starts = given.map(({ after, from }) => ({ now: (now += after), from }));
    const all = made(starts);
    for (let known = 1; known <= all.length; known++) {
      const siblings = all.slice(0, known);
      const days = siblings.flatMap((one) => daysOf(one, siblings));
      expect(new Set(days).size).toBe(days.length);
      if (known < all.length) for (const one of siblings) expect(daysOf(one, all.slice(0, known + 1)).filter((nth) => nth < starts[known]!.now)).toEqual(daysOf(one, siblings).filter((nth) => nth < starts[known]!.now));
    }
  }), runs(51, 200));
});

test('who follows one that has ended has the usage from there on; reactivated beside it, nobody has it', () => {
  const [first] = made([{ now: 10, from: 10 }]) as [Covering];
  const ended: Covering = { ...first, lives: [{ from: day(10), to: day(40) }] };
  const second = (from: number, now: number): Covering => ({ ...first, subscriptionId: 'sub_1', startsAt: day(from), ofAccount: claimedOfAccount(['shared'], ['calls'], day(from), day(now), [ended]) });
  const both = [ended, second(45, 45)];
  expect(both.map((one) => daysOf(one, both).length)).toEqual([30, 55]);
  // Backdated behind the end it has all since then; before the end, from the end.
  expect([daysOf(second(45, 60), [ended, second(45, 60)]).length, daysOf(second(20, 60), [ended, second(20, 60)]).length]).toEqual([55, 60]);
  const again: Covering = { ...first, lives: [{ from: day(10), to: day(40) }, { from: day(70), to: undefined }] };
  expect([again, both[1]!].map((one) => daysOf(one, [again, both[1]!]).length)).toEqual([30, 25]);
});
test('a meter that a change has dropped is free for others', () => {
  const [first] = made([{ now: 10, from: 10 }]) as [Covering];
  const dropped: Covering = { ...first, ofAccount: { subjects: ['shared'], meters: [{ meterKey: 'calls', from: day(10), to: day(40) }] } };
  const other: Covering = { ...first, subscriptionId: 'sub_1', ofAccount: claimedOfAccount(['shared'], ['calls'], day(30), day(30), [dropped]) };
  expect([dropped, other].map((one) => daysOf(one, [dropped, other]).length)).toEqual([20, 60]);
});
