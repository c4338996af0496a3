import fc from 'fast-check';
import { anchorAt, Money } from '@valueverse/kernel';
import type { Charge } from '@valueverse/contracts';
import { runs } from '@valueverse/testing';
import { catalogue, Life } from './life.spec-kit';
import { act, begin, later, PLANS, START, step, ZONES, type Step } from './random-life.spec-kit';

const amountsOf = ({ lines }: Pick<Life, 'lines'>): unknown[] => lines.map(({ chargeKey, amount }) => [chargeKey, amount]);
const NO_STEP: Step = { hours: 0, op: 'run', away: 0, atPeriodEnd: false, plan: 'both', version: 1, quantity: 1, addOns: [], zone: 'UTC', gives: true, until: 0, split: undefined };

test('a change cannot be put where the usage begins that an interim invoice has billed, and may be put behind it', () => {
  const life = begin('usage', 'UTC');
  life.run(START);
  // Seven days of 24 hours.
  life.interim('2024-01-10T10:00:00Z');
  const now = '2024-01-11T10:00:00Z';
  expect(act(life, { ...NO_STEP, op: 'plan', away: -8 * 24 }, now, 1)).toBe('usage_billed');
  expect(act(life, { ...NO_STEP, op: 'cancel', away: -8 * 24 }, now, 2)).toBe('usage_billed');
  expect(act(life, { ...NO_STEP, op: 'plan', away: -8 * 24 + 1 }, now, 3)).toBeUndefined();
  life.run(now);
  life.run('2024-02-03T10:00:00Z');
  // The first hour less the seven days, and the others: 0.01 + 7.43 = 7.44 in all.
  expect(amountsOf(life).filter((line) => (line as string[])[0] === 'calls')).toEqual([['calls', '1.68'], ['calls', '-1.67'], ['calls', '7.43']]);
});

test('what an interim invoice has charged of a plan and of an add-on that name their charges alike is taken off each by itself', () => {
  const calls: Charge = { key: 'calls', name: 'Calls', type: 'usage', meterKey: 'calls', price: { model: 'per_unit', unitAmount: '0.01' } };
  const dear: Charge = { ...calls, price: { model: 'per_unit', unitAmount: '0.03' } };
  const life = new Life(catalogue({ small: { charges: [calls] } }, { more: { charges: [dear] } }), { planKey: 'small', startsAt: START, anchor: anchorAt(START, 'UTC'), addOns: [{ key: 'more' }] });
  life.run(START);
  life.interim('2024-01-10T10:00:00Z');
  life.run('2024-02-03T10:00:00Z');
  // 744 hours at 0.01 and at 0.03: 7.44 - 1.68 and 22.32 - 5.04.
  expect(amountsOf(life)).toEqual([['calls', '1.68'], ['calls', '5.04'], ['calls', '5.76'], ['calls', '17.28']]);
});

test('usage that was billed where a pause began is not billed in between again when that pause never was', () => {
  const life = begin('usage', 'UTC');
  life.run(START);
  const [paused, resumed] = [later(START, 168), later(START, 169)];
  expect(act(life, { ...NO_STEP, op: 'pause' }, paused, 1)).toBeUndefined();
  expect(amountsOf({ lines: life.run(resumed) })).toEqual([['calls', '1.68']]);
  expect(act(life, { ...NO_STEP, op: 'resume', away: -1 }, resumed, 2)).toBeUndefined();
  expect(amountsOf({ lines: life.interim(resumed) })).toEqual([['calls', '0.01']]);
});

test('a pause is not taken back whose period is billed and closed, be it of a subscription that has ended', () => {
  const life = begin('usage', 'UTC');
  expect(act(life, { ...NO_STEP, op: 'pause', until: 500 }, START, 0)).toBeUndefined();
  const end = later(START, 744);
  expect(act(life, { ...NO_STEP, op: 'cancel' }, end, 1)).toBeUndefined();
  const now = later(end, 72);
  // 744 - 500 hours.
  expect(amountsOf({ lines: life.run(now) })).toEqual([['calls', '2.44']]);
  expect(act(life, { ...NO_STEP, op: 'resume', away: -816 }, now, 2)).toBe('period_closed');
});

test('what several interim invoices have charged too much is given back to each of them, the latest first', () => {
  const life = begin('usage', 'UTC');
  life.run(START);
  // 168 hours, 24 more, and none.
  for (const hours of [168, 192, 192]) life.interim(later(START, hours));
  const now = later(START, 193);
  // From the hundredth hour on another plan: 1.00 of it stays, and 0.92 go back, of which the last one that charged anything has taken 0.24.
  expect(act(life, { ...NO_STEP, op: 'plan', away: -93 }, now, 1)).toBeUndefined();
  const lines = life.run(now).filter(({ type }) => type === 'usage');
  const [first, second] = life.lines.filter(({ amount }) => amount === '1.68' || amount === '0.24');
  expect(lines.map(({ quantity, amount, credits, steps }) => [quantity, amount, credits?.lineId, steps.at(-1)])).toEqual([
    ['100', '-0.24', second!.lineId, { kind: 'interim', invoiceId: 'inv_1', amount: '-0.24' }], ['0', '-0.68', first!.lineId, { kind: 'interim', invoiceId: 'inv_0', amount: '-0.68' }],
  ]);
});

const usageOf = ({ lines }: Life): string => Money.sum(lines.filter(({ type, chargeKey }) => type === 'usage' || type === 'true_up' || chargeKey === 'calls').map(({ amount }) => Money.parse(amount, 'USD')), 'USD').toString();

test('whatever is billed in between, usage comes to what it comes to as a whole', () => fc.assert(fc.property(fc.constantFrom(...PLANS), fc.constantFrom(...ZONES), fc.array(step, { minLength: 1, maxLength: 12 }), (planKey, zone, steps) => {
  const life = begin(planKey, zone);
  let now = START;
  let sinceStart = 0;
  for (const [nth, one] of steps.entries()) {
    now = later(now, one.hours);
    sinceStart += one.hours;
    // What would be at the end of a period is put at the very beginning, if that is taken.
    act(life, one.atPeriodEnd ? { ...one, atPeriodEnd: false, away: -sinceStart } : one, now, nth);
    if (nth % 2 === 0) life.interim(now);
  }
  const end = later(now, 3 * 744);
  life.run(end);
  const once = begin(planKey, zone);
  once.state = { ...once.state, changes: life.state.changes, ends: life.state.ends, pauses: life.state.pauses };
  once.run(end);
  expect(usageOf(life)).toBe(usageOf(once));
  for (const line of life.lines.filter(({ credits }) => credits === undefined)) {
    const left = [line, ...life.lines.filter(({ credits }) => credits?.lineId === line.lineId)].map(({ amount }) => Money.parse(amount, 'USD'));
    expect([line.lineId, Money.sum(left, 'USD').isNegative()]).toEqual([line.lineId, false]);
  }
}), runs(64, 80)));
