import { explanationText, type Explanation } from './explanation-text';

const PERIOD = { from: '2024-01-01T00:00:00Z', to: '2024-02-01T00:00:00Z' };
const LINE: Explanation = {
  description: 'Prompt tokens', type: 'usage', quantity: '40421844', billedQuantity: '40421844', amount: '85.84', netAmount: '85.84', taxAmount: '0.00', servicePeriod: PERIOD, discounts: [], taxes: [],
  steps: [
    { kind: 'tier', from: '0', upTo: '10000000', quantity: '10000000', unitAmount: '0.0000025', amount: '25' }, { kind: 'tier', from: '10000000', upTo: null, quantity: '30421844', unitAmount: '0.000002', amount: '60.843688' },
    { kind: 'rounding', rounding: 'half_up', amount: '-0.003688' },
  ],
  rules: { plan: 'payg', planVersion: 1, chargeKey: 'prompt', zone: 'UTC', taxBehavior: 'exclusive' },
  proration: { granularity: 'day', from: PERIOD.from, to: PERIOD.to, wholeFrom: PERIOD.from, wholeTo: PERIOD.to, isWhole: true },
  statement: { id: 'ust_1', quantity: '40421844', events: '/api/v1/usage/statements/ust_1/events', evidence: 'abc' },
};
const FEE: Explanation = (({ statement: _, ...line }) => ({ ...line, description: 'Platform', type: 'recurring', quantity: '1', billedQuantity: '1', steps: [{ kind: 'flat', amount: '49' }], amount: '49.00', netAmount: '49.00' }))(LINE);

test('a usage line: what was used, its arithmetic, the rules, and how to see its events', () => {
  expect(explanationText(LINE, 'USD')).toEqual([
    'used 40,421,844', '0 to 10,000,000: 10,000,000 x 0.0000025 = 25 USD', 'above 10,000,000: 30,421,844 x 0.000002 = 60.843688 USD', 'rounded half_up at the line: -0.003688 USD', 'together 85.84 USD',
    'by payg version 1, charge prompt', 'usage 40,421,844 by statement ust_1', 'its events: GET /api/v1/usage/statements/ust_1/events', 'evidence abc',
  ]);
});

test('a part of a fee: both instants, what was over of the period at each, and the running totals', () => {
  const steps: Explanation['steps'] = [{ kind: 'proration', full: '49', numerator: '31', denominator: '31', amount: '49' }, { kind: 'proration', full: '49', numerator: '15', denominator: '31', amount: '-23.71' }];
  const from = '2024-01-16T09:30:00Z';
  expect(explanationText({ ...FEE, amount: '25.29', steps, proration: { ...LINE.proration!, from, isWhole: false, elapsedAtStart: '15/31', elapsedAtEnd: '31/31' } }, 'USD')).toEqual([
    'quantity 1', `a part of the period ${PERIOD.from} to ${PERIOD.to}: from ${from} to ${PERIOD.to}, by local days`, '  15/31 of the period were over at its start, 31/31 at its end',
    '49 x 31/31 of the period = 49 USD', '49 x 15/31 of the period = -23.71 USD', 'together 25.29 USD', 'by payg version 1, charge prompt',
  ]);
});

test('free units, discounts, tax inside the price, a phase and an add-on', () => {
  const text = explanationText({
    ...FEE, quantity: '12', billedQuantity: '2', amount: '119.00', netAmount: '90.00', taxAmount: '17.10', discounts: [{ couponKey: 'SPRING', amount: '10.00' }], taxes: [{ name: 'VAT', rate: '19', base: '90.00', amount: '17.10' }],
    rules: { ...FEE.rules, phase: 'ramp', addOn: 'seats', taxBehavior: 'inclusive' },
  }, 'EUR');
  expect(text).toEqual(['quantity 12, of which 2 are billed', 'a fee of 49 EUR', 'discount SPRING, without tax: -10.00 EUR', 'in it VAT, 19% of 90.00: 17.10 EUR', 'without tax 90.00 EUR, tax 17.10 EUR', 'by payg version 1, phase ramp, add-on seats, charge prompt']);
});

test('what is given back names what took it; a line by hand has no plan, and what fills a promise no quantity', () => {
  expect(explanationText({ ...FEE, type: 'proration_credit', credits: { invoiceId: 'inv_1', lineId: 'line_1' } }, 'USD').at(-1)).toBe('gives back a part of line line_1 of invoice inv_1');
  expect(explanationText({ ...FEE, type: 'one_off', rules: { ...FEE.rules, plan: null, planVersion: null } }, 'USD')).toEqual(['quantity 1', 'a fee of 49 USD', 'added by hand']);
  expect(explanationText({ ...FEE, type: 'true_up' }, 'USD')[0]).toBe('a fee of 49 USD');
});
