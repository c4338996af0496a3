import type { Step } from '@valueverse/rating';
import { type ExplainedStep, stepText } from './step-text';

const part = { start: { numerator: '10', denominator: '31' }, end: { numerator: '31', denominator: '31' } };
const terms = { kind: 'percentage', rate: '2.9', fixedAmount: '0.30', minAmountPerEvent: '0.50' } as const;

test.each<[ExplainedStep, string]>([
  [{ kind: 'flat', amount: '49' }, 'a fee of 49 USD'],
  [{ kind: 'unit', quantity: '1200', unitAmount: '0.5', amount: '600' }, '1,200 x 0.5 = 600 USD'],
  [{ kind: 'tier', from: '0', upTo: '10', quantity: '10', unitAmount: '2', flatAmount: '5', amount: '25' }, '0 to 10: 10 x 2 + 5 = 25 USD'],
  [{ kind: 'volume', from: '10', upTo: null, quantity: '12', unitAmount: '1', amount: '12' }, 'all 12 at the price of above 10: 12 x 1 = 12 USD'],
  [{ kind: 'stair', from: '100', upTo: '200', quantity: '150', amount: '18' }, '150, which is in 100 to 200 = 18 USD'],
  [{ kind: 'package', quantity: '250', packageSize: '100', packages: '3', packageAmount: '1.25', amount: '3.75' }, '250 in packages of 100: 3 x 1.25 = 3.75 USD'],
  [{ kind: 'percent', value: '1234.5', rate: '2', amount: '24.69' }, '2% of 1,234.5 = 24.69 USD'],
  [{ kind: 'percent_tier', from: '0', upTo: null, value: '500', rate: '0.5', amount: '2.5' }, 'above 0: 0.5% of 500 = 2.5 USD'],
  [{ kind: 'events', terms, freeEvents: 2, paidEvents: 1, paidValue: '400', amount: '11.9' }, '1 event of 400 together: 2.9% + 0.30 each, at least 0.50, 2 free = 11.9 USD'],
  [{ kind: 'events', terms: { kind: 'dynamic', amountProperty: '$.cost', multiplier: '1.2' }, freeEvents: 0, paidEvents: 3, unpriced: 1, paidValue: '3', amount: '12' }, 'what 3 events say for themselves, x 1.2, 1 without an amount = 12 USD'],
  [{ kind: 'unpriced', quantity: '4', amount: '0' }, '4 that have no price = 0 USD'],
  [{ kind: 'free_units', freeUnits: '10', quantity: '3', amount: '0' }, '3 free, of 10 = 0 USD'],
  [{ kind: 'share', full: '10', numerator: '21', denominator: '31', amount: '-3.23' }, 'of 10 only 21/31 of the period = -3.23 USD'],
  [{ kind: 'overage', full: '20', committed: '20', above: '10', factor: '1.5', amount: '5' }, '10 above the commitment of 20, at 1.5 times the price = 5 USD'],
  [{ kind: 'maximum', full: '25', part, maximum: '16.94', amount: '-5' }, 'no more than 16.94 (25 x (31/31 - 10/31) of the period) = -5 USD'],
  [{ kind: 'minimum', full: '50', amount: '50' }, 'the minimum: 50 = 50 USD'],
  [{ kind: 'commitment', full: '100', part, amount: '67.74' }, 'the commitment: 100 x (31/31 - 10/31) of the period = 67.74 USD'],
  [{ kind: 'spent', amount: '-30' }, 'less what was spent = -30 USD'],
  [{ kind: 'whole_fee', amount: '-70' }, 'a part of that only = -70 USD'],
  [{ kind: 'proration', full: '49', numerator: '15', denominator: '30', amount: '-24.5' }, '49 x 15/30 of the period = -24.5 USD'],
  [{ kind: 'discount', amount: '3' }, 'less the discount that it had = 3 USD'],
  [{ kind: 'given_back_before', amount: '3' }, 'less what was given back of it before = 3 USD'],
  [{ kind: 'interim', invoiceId: 'inv_1', amount: '-20' }, 'charged before, by invoice inv_1: -20 USD'],
  [{ kind: 'rounding', rounding: 'half_up', amount: '-0.003' }, 'rounded half_up at the line: -0.003 USD'],
])('%j', (step, text) => expect(stepText(step, 'USD')).toBe(text));

test('a kind that came later is shown as it is', () => {
  expect(stepText({ kind: 'later', amount: '1' } as unknown as Step, 'USD')).toContain('"kind":"later"');
});
