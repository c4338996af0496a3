import type { DeclinedTry } from './retries';
import { failover, routed, type RoutingRule } from './routing';

const VISA = { methodId: 'pm_1', provider: 'stripe', brand: 'visa' };
const AMEX = { methodId: 'pm_2', provider: 'stripe', brand: 'amex' };
const OTHER = { methodId: 'pm_3', provider: 'bank' };
const ALL = [VISA, AMEX, OTHER];
const names = (rules: readonly RoutingRule[], amount = '49.00', currency = 'USD') => routed(ALL, rules, { amount, currency }).map(({ methodId }) => methodId);

test('without a rule the default is charged, then the others from the oldest on', () => expect(names([])).toEqual(['pm_1', 'pm_2', 'pm_3']));
test('the first rule that fits decides: by currency, by network, by amount', () => {
  const rules: readonly RoutingRule[] = [{ provider: 'bank', currency: 'EUR' }, { provider: 'bank', amountFrom: '1000.00' }, { provider: 'stripe', brand: 'amex', amountTo: '10.00' }];
  expect(names(rules)).toEqual(['pm_1', 'pm_2', 'pm_3']);
  expect(names(rules, '49.00', 'EUR')).toEqual(['pm_3', 'pm_1', 'pm_2']);
  expect(names(rules, '1000.00')).toEqual(['pm_3', 'pm_1', 'pm_2']);
  expect(names(rules, '999.99')).toEqual(['pm_1', 'pm_2', 'pm_3']);
  expect(names(rules, '9.99')).toEqual(['pm_2', 'pm_1', 'pm_3']);
  expect(names(rules, '10.00')).toEqual(['pm_1', 'pm_2', 'pm_3']);
});
test('a rule for a provider at which the account has nothing says nothing', () => expect(names([{ provider: 'nobody' }])).toEqual(['pm_1', 'pm_2', 'pm_3']));

const tried = (methodId: string, declined: DeclinedTry['class']): DeclinedTry => ({ methodId, class: declined, at: '2026-03-01T00:00:00Z' });
test('in the place of a provider the next one is asked, once: when all of them have failed there is nobody', () => {
  expect(failover([], VISA, ALL)).toBe(OTHER);
  expect(failover([tried('pm_1', 'technical')], OTHER, ALL)).toBeUndefined();
  // What a bank said in between was an answer: the first provider was there again.
  expect(failover([tried('pm_1', 'technical'), tried('pm_3', 'soft')], OTHER, ALL)).toBe(VISA);
});
test('a card that is over is not asked in the place of another one', () => {
  expect(failover([tried('pm_1', 'hard')], OTHER, ALL)).toBe(AMEX);
  expect(failover([tried('pm_1', 'hard'), tried('pm_2', 'fraud')], OTHER, ALL)).toBeUndefined();
  expect(failover([], OTHER, [OTHER])).toBeUndefined();
});
