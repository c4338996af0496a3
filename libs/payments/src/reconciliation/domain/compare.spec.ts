import { compareBooks, type Movement, thingsOf } from './compare';

const there = (kind: Movement['kind'], reference: string, amountMinor: bigint, currency = 'USD'): Movement => ({ kind, thing: kind === 'fee' ? 'charge' : kind, reference, amountMinor, currency });
const here = (kind: Movement['kind'], reference: string, amountMinor: bigint): Movement => ({ ...there(kind, reference, amountMinor), paymentId: 'pay_1' });

test('books that say the same have no difference, in whatever order', () =>
  expect(compareBooks([here('charge', 'pi_1', 100n), here('fee', 'pi_1', 3n), here('refund', 're_1', -30n)], [there('refund', 're_1', -30n), there('charge', 'pi_1', 100n), there('fee', 'pi_1', 3n)])).toEqual([]));
test('each difference has its type, both amounts, who owns it and what to do', () => {
  expect(compareBooks([here('charge', 'pi_1', 100n), here('charge', 'pi_2', 100n)], [there('charge', 'pi_2', 90n), there('charge', 'pi_3', 5n), { ...there('charge', 'pi_4', 7n), paymentId: 'pay_4' }])).toMatchObject([
    { type: 'missing_there', reference: 'pi_1', paymentId: 'pay_1', here: '1.00', there: null, owner: 'provider' }, { type: 'amount_differs', reference: 'pi_2', here: '1.00', there: '0.90', owner: 'tenant' },
    { type: 'missing_here', reference: 'pi_3', paymentId: null, here: null, there: '0.05', owner: 'tenant', next: expect.stringMatching(/by hand there/) as string }, { type: 'missing_here', reference: 'pi_4', paymentId: 'pay_4', owner: 'valueverse' },
  ]);
});
test.each(['refund', 'dispute', 'payout'] as const)('a %s that only one side has is told, whichever that is', (kind) => {
  expect(compareBooks([here(kind, 'x_1', -100n)], [])).toMatchObject([{ type: 'missing_there', kind, here: '-1.00', there: null, owner: 'provider' }]);
  expect(compareBooks([], [{ ...there(kind, 'x_1', -100n), paymentId: 'pay_1' }])).toMatchObject([{ type: 'missing_here', kind, here: null, there: '-1.00', owner: 'valueverse' }]);
});
test('a fee is compared where both sides have what it is of, and said once where one has not', () => {
  const [own, other] = [here('charge', 'pi_1', 100n), there('charge', 'pi_1', 100n)];
  expect(compareBooks([own, here('fee', 'pi_1', 3n)], [other, there('fee', 'pi_1', 4n)])).toMatchObject([{ type: 'amount_differs', kind: 'fee', here: '0.03', there: '0.04' }]);
  expect(compareBooks([own], [other, there('fee', 'pi_1', 4n)])).toMatchObject([{ type: 'missing_here', kind: 'fee' }]);
  expect(compareBooks([own, here('fee', 'pi_1', 3n)], [other])).toMatchObject([{ type: 'missing_there', kind: 'fee' }]);
  expect(compareBooks([own, here('fee', 'pi_1', 3n)], []).map(({ kind }) => kind)).toEqual(['charge']);
  expect(compareBooks([], [other, there('fee', 'pi_1', 3n)]).map(({ kind }) => kind)).toEqual(['charge']);
});
test('a fee in another currency than what was paid is compared with nothing', () =>
  expect(compareBooks([here('charge', 'pi_1', 100n), here('fee', 'pi_1', 3n)], [there('charge', 'pi_1', 100n), there('fee', 'pi_1', 2n, 'EUR')])).toEqual([]));
test('another currency is another amount', () => expect(compareBooks([here('charge', 'pi_1', 100n)], [there('charge', 'pi_1', 100n, 'EUR')])).toMatchObject([{ type: 'amount_differs' }]));
test('what went and came back is nothing', () =>
  expect(compareBooks([], [there('dispute', 'dp_1', -100n), there('dispute', 'dp_1', 100n), there('refund', 're_1', -5n), there('refund', 're_1', 5n)])).toEqual([]));
test('what differences are about is each thing once, a fee with what it is of', () => {
  const [ours, theirs] = [[here('charge', 'pi_1', 100n), here('fee', 'pi_1', 3n)], [there('charge', 'pi_1', 90n), there('fee', 'pi_1', 4n)]];
  expect(thingsOf(compareBooks(ours, theirs), [...ours, ...theirs])).toEqual([{ thing: 'charge', reference: 'pi_1' }]);
});
