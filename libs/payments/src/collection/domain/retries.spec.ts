import { type DeclinedTry, nextTry, RETRY_DAYS } from './retries';

const CARD = { methodId: 'pm_1', provider: 'sandbox' };
const OTHER = { methodId: 'pm_2', provider: 'sandbox' };
const tried = (at: string, more: Partial<DeclinedTry> = {}): DeclinedTry => ({ methodId: 'pm_1', class: 'soft', at, ...more });
const RULES = { days: RETRY_DAYS, zone: 'UTC' };

test('a soft decline is tried again 1, 3, 5 and 7 days after the first one, and then no more', () => {
  const tries = [tried('2024-01-01T10:00:00Z')];
  const days: string[] = [];
  for (let next = nextTry(tries, [CARD], RULES); next !== undefined; next = nextTry(tries, [CARD], RULES)) {
    days.push(next.retryAt);
    tries.push(tried(next.retryAt));
  }
  expect(days).toEqual(['02', '04', '06', '08'].map((day) => `2024-01-${day}T10:00:00Z`));
});
test('days are those of the customer: the wall shows the same time, also over a change of the clocks', () => {
  // Berlin goes to summer time on 31 March 2024: 10:00 there is 09:00 UTC before, and 08:00 UTC after.
  expect(nextTry([tried('2024-03-30T09:00:00Z')], [CARD], { ...RULES, zone: 'Europe/Berlin' })).toEqual({ ...CARD, retryAt: '2024-03-31T08:00:00Z' });
});
test('a slot that went by while the provider was away is not made up for', () =>
  expect(nextTry([tried('2024-01-01T10:00:00Z'), tried('2024-01-05T10:00:00Z')], [CARD], RULES)?.retryAt).toBe('2024-01-06T10:00:00Z'));
test.each(['hard', 'fraud'] as const)('after a decline that is %s the card is not tried again: another one is, at once, or nothing', (declined) => {
  const first = tried('2024-01-01T10:00:00Z', { class: declined });
  expect(nextTry([first], [CARD, OTHER], RULES)).toEqual({ ...OTHER, retryAt: '2024-01-01T10:00:00Z' });
  expect(nextTry([first], [CARD], RULES)).toBeUndefined();
  expect(nextTry([first, { ...first, methodId: 'pm_2' }], [CARD, OTHER], RULES)).toBeUndefined();
});
test('what is not the fault of the card is tried again after an hour, three times, and is no soft decline meanwhile', () => {
  const technical = (hour: string) => tried(`2024-01-01T${hour}:00:00Z`, { class: 'technical' });
  const tries = [technical('10'), technical('11'), technical('12')];
  expect(nextTry(tries, [CARD], RULES)?.retryAt).toBe('2024-01-01T13:00:00Z');
  expect(nextTry([...tries, technical('13')], [CARD], RULES)?.retryAt).toBe('2024-01-02T10:00:00Z');
});
test('a card that is gone is not tried: the next one is', () => expect(nextTry([tried('2024-01-01T10:00:00Z')], [OTHER], RULES)).toEqual({ ...OTHER, retryAt: '2024-01-01T10:00:00Z' }));
