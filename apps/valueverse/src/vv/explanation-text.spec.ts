import { explanationText } from './explanation-text';

test('says the arithmetic of a graduated line in words', () => {
  const lines = explanationText({
    steps: [
      { kind: 'tier', from: '0', upTo: '10000000', quantity: '10000000', unitAmount: '0.0000025', amount: '25' },
      { kind: 'tier', from: '10000000', upTo: null as never, quantity: '30421844', unitAmount: '0.000002', amount: '60.843688' },
      { kind: 'rounding', rounding: 'half_up', amount: '-0.003688' },
    ],
    rules: { plan: 'payg', planVersion: 1 }, statement: { id: 'ust_1', quantity: '40421844', evidence: 'abc' },
  }, 'USD');
  expect(lines).toEqual([
    '0 to 10,000,000: 10,000,000 x 0.0000025 = 25 USD', 'above 10,000,000: 30,421,844 x 0.000002 = 60.843688 USD', 'rounded half_up at the line: -0.003688 USD',
    'by payg version 1', 'usage 40,421,844 by statement ust_1', 'evidence abc',
  ]);
});
