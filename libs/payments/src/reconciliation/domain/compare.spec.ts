import { compareBooks, type Movement, type OwnMovement } from './compare';

const there = (kind: Movement['kind'], reference: string, amountMinor: bigint, currency = 'USD'): Movement => ({ kind, reference, amountMinor, currency });
const here = (kind: Movement['kind'], reference: string, amountMinor: bigint): OwnMovement => ({ ...there(kind, reference, amountMinor), paymentId: 'pay_1', subject: 'x' });

test('books that say the same have no difference, in whatever order', () =>
  expect(compareBooks([here('charge', 'pi_1', 100n), here('refund', 're_1', -30n)], [there('refund', 're_1', -30n), there('charge', 'pi_1', 100n)])).toEqual([]));
test('each difference has its type, both amounts and what to do', () => {
  expect(compareBooks([here('charge', 'pi_1', 100n), here('charge', 'pi_2', 100n)], [there('charge', 'pi_2', 90n), there('charge', 'pi_3', 5n)])).toMatchObject([
    { type: 'missing_there', reference: 'pi_1', paymentId: 'pay_1', here: '1.00', there: null }, { type: 'amount_differs', reference: 'pi_2', here: '1.00', there: '0.90' }, { type: 'missing_here', reference: 'pi_3', paymentId: null, here: null, there: '0.05' },
  ]);
});
test('another currency is another amount', () => expect(compareBooks([here('charge', 'pi_1', 100n)], [there('charge', 'pi_1', 100n, 'EUR')])).toMatchObject([{ type: 'amount_differs' }]));
test('what went and came back is nothing', () =>
  expect(compareBooks([], [there('dispute', 'dp_1', -100n), there('dispute', 'dp_1', 100n), there('refund', 're_1', -5n), there('refund', 're_1', 5n)])).toEqual([]));
