import type { Charge } from '@valueverse/contracts';
import { yearlyPrice } from './changes';

const MONTH = { unit: 'month', count: 1 } as const;
const seats: Charge = { key: 'seats', name: 'Seats', type: 'recurring', price: { model: 'per_unit', unitAmount: '10' } };

test('what fees come to in a year looks at seats that cost nothing, and at the interval of an add-on', () => {
  const of = (charge: Charge, quantity: string): string => yearlyPrice([{ charge, quantity }], MONTH, 'USD').toString();
  expect(of(seats, '7')).toBe('840');
  expect(of({ ...seats, freeUnits: '5' }, '7')).toBe('240');
  expect(of({ ...seats, freeUnits: '5' }, '3')).toBe('0');
  expect(yearlyPrice([{ charge: seats, quantity: '1' }, { charge: seats, quantity: '1', interval: { unit: 'week', count: 2 } }], MONTH, 'USD').toString()).toBe('380.714285714286'); // 120 + 10 x 365/14
});
