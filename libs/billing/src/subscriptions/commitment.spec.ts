import { anchorAt, Decimal, type Instant } from '@valueverse/kernel';
import type { Charge, Commitment } from '@valueverse/contracts';
import { catalogue, Life, type PlanSpec } from './life.spec-kit';

// A unit of usage is an hour: a day has 24. January has 744, its half until the 16th 360.
const CALLS: Charge = { key: 'calls', name: 'Calls', type: 'usage', meterKey: 'calls', price: { model: 'per_unit', unitAmount: '0.10' } };
const BASE: Charge = { key: 'base', name: 'Base', type: 'recurring', timing: 'in_advance', price: { model: 'flat', amount: '31.00' } };
const from = (plan: Partial<PlanSpec>, commitment: Commitment, startsAt: Instant = '2024-01-01T00:00:00Z'): Life =>
  new Life(catalogue({ promised: { charges: [BASE, CALLS], commitment, ...plan }, other: { charges: [BASE, CALLS] } }), { planKey: 'promised', startsAt, anchor: { local: '2024-01-01T00:00:00', zone: 'UTC' } });
const shown = (lines: Life['lines']): string[] => lines.map(({ type, chargeKey, amount }) => `${type} ${chargeKey} ${amount}`);
const isExplained = (lines: Life['lines']): boolean => lines.every(({ amount, steps }) => Decimal.sum((steps as { amount: string }[]).map((step) => Decimal.parse(step.amount))).equals(Decimal.parse(amount)));

test('what is missing to the commitment of a plan is a line of the plan: the fee of the period fills it, whichever invoice had that, and then usage', () => {
  const life = from({}, { amount: '150.00' });
  expect(shown(life.run('2024-01-01T00:00:00Z'))).toEqual(['recurring base 31.00']);
  // 150.00 - 31.00 - 74.40
  expect(shown(life.run('2024-02-01T00:00:00Z'))).toEqual(['usage calls 74.40', 'true_up promised 44.60', 'recurring base 31.00']);
  expect(life.run('2024-02-01T00:00:00Z')).toEqual([]);
  // February: 29 days, 69.60
  expect(shown(life.run('2024-03-01T00:00:00Z'))).toEqual(['usage calls 69.60', 'true_up promised 49.40', 'recurring base 31.00']);
  expect(isExplained(life.lines)).toBe(true);
});
test('usage above it costs the factor; a fee never does', () => {
  const life = from({}, { amount: '50.00', overageFactor: '1.5' });
  life.run('2024-01-01T00:00:00Z');
  // 31.00 of 50.00 are filled by the fee: 74.40 - 19.00 = 55.40 of usage are above, and cost 27.70 more.
  expect(shown(life.run('2024-02-01T00:00:00Z'))).toEqual(['usage calls 102.10', 'recurring base 31.00']);
  const dear = from({}, { amount: '20.00', overageFactor: '2' });
  dear.run('2024-01-01T00:00:00Z');
  expect(shown(dear.run('2024-02-01T00:00:00Z'))).toEqual(['usage calls 148.80', 'recurring base 31.00']);
  expect(isExplained([...life.lines, ...dear.lines])).toBe(true);
});
test('in a part of a period it is that part of the commitment, and the parts add up to the whole', () => {
  const life = from({}, { amount: '310.00' }, '2024-01-11T00:00:00Z');
  // 21 of 31 days: 31.00 - 10.00
  expect(shown(life.run('2024-01-11T00:00:00Z'))).toEqual(['recurring base 21.00']);
  // 210.00 - 21.00 - 50.40
  expect(shown(life.run('2024-02-01T00:00:00Z'))).toEqual(['usage calls 50.40', 'true_up promised 138.60', 'recurring base 31.00']);
});
test('a change to another plan in mid-period ends it there: the fee of the rest, which goes on, fills nothing of it', () => {
  const life = from({}, { amount: '310.00' });
  life.run('2024-01-01T00:00:00Z');
  const { planKey: _, ...terms } = life.state.started!;
  life.do({ type: 'ChangeSubscription', subscriptionId: 'sub_1', changeId: 'c1', effectiveAt: '2024-01-11T00:00:00Z', terms: { planKey: 'other', planVersion: 1, currency: 'USD', interval: terms.interval, anchor: terms.anchor }, at: '2024-01-11T00:00:00Z' });
  // 10 of 31 days: 100.00 - 10.00 - 24.00
  expect(shown(life.run('2024-01-11T00:00:00Z'))).toEqual(['usage calls 24.00', 'true_up promised 66.00']);
  expect(shown(life.run('2024-02-01T00:00:00Z'))).toEqual(['usage calls 50.40', 'recurring base 31.00']);
});
test('fees in arrears and a change of seats fill it with what they cost; a plan of fees alone has it too', () => {
  const seats: Charge = { key: 'seats', name: 'Seats', type: 'recurring', timing: 'in_arrears', price: { model: 'per_unit', unitAmount: '31.00' } };
  const life = new Life(catalogue({ promised: { charges: [seats], commitment: { amount: '100.00' } } }), { planKey: 'promised', startsAt: '2024-01-01T00:00:00Z', anchor: anchorAt('2024-01-01T00:00:00Z', 'UTC'), quantity: '1' });
  const { planVersion, currency, interval, anchor } = life.state.started!;
  life.do({ type: 'ChangeSubscription', subscriptionId: 'sub_1', changeId: 'c1', effectiveAt: '2024-01-11T00:00:00Z', terms: { planKey: 'promised', planVersion, currency, interval, anchor, quantity: '2' }, at: '2024-01-11T00:00:00Z' });
  expect(shown(life.run('2024-01-11T00:00:00Z'))).toEqual(['recurring seats 10.00']);
  expect(shown(life.run('2024-02-01T00:00:00Z'))).toEqual(['recurring seats 42.00', 'true_up promised 48.00']);
});
test('an interim invoice knows nothing of it, and what that has charged is taken off the line that fills it', () => {
  const life = from({}, { amount: '50.00', overageFactor: '1.5' });
  life.run('2024-01-01T00:00:00Z');
  expect(shown(life.interim('2024-01-16T00:00:00Z'))).toEqual(['usage calls 36.00']);
  // 102.10 - 36.00
  expect(shown(life.run('2024-02-01T00:00:00Z'))).toEqual(['usage calls 66.10', 'recurring base 31.00']);
});
test('a trial has none, and without true-up nothing is missing', () => {
  const life = from({ trialDays: 10 }, { amount: '310.00', trueUp: false });
  expect(shown(life.run('2024-02-01T00:00:00Z'))).toEqual(['recurring base 21.00', 'usage calls 50.40', 'recurring base 31.00']);
});
