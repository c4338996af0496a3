// Random lives of a subscription against the same life looked at once, at its end, when everything that ever happened to it is known.
import fc from 'fast-check';
import { Money, type Instant } from '@valueverse/kernel';
import { runs } from '@valueverse/testing';
import { termsAt } from './domain/changes';
import type { Life } from './life.spec-kit';
import { act, begin, later, PLANS, START, step, ZONES, type Step } from './random-life.spec-kit';

interface Lived { readonly life: Life; readonly end: Instant }
const lived = (planKey: string, zone: string, steps: readonly Step[]): Lived => {
  const life = begin(planKey, zone);
  let now = START;
  for (const [nth, one] of steps.entries()) {
    now = later(now, one.hours);
    act(life, one, now, nth);
  }
  const end = later(now, 3 * 744);
  life.run(end);
  return { life, end };
};
const life = fc.tuple(fc.constantFrom(...PLANS), fc.constantFrom(...ZONES), fc.array(step, { minLength: 1, maxLength: 12 }));
const feesOf = (of: Life): Record<string, string> => {
  const all = Map.groupBy(of.lines.filter(({ type }) => type === 'recurring' || type === 'proration_credit' || type === 'one_off'), ({ chargeKey }) => chargeKey);
  return Object.fromEntries([...all].map(([key, lines]): [string, string] => [key, Money.sum(lines.map(({ amount }) => Money.parse(amount, 'USD')), 'USD').toString()]).filter(([, amount]) => amount !== '0.00').sort());
};

test('whenever it is billed, what stays charged is what the whole life wants, once', () => fc.assert(fc.property(life, ([planKey, zone, steps]) => {
  const { life: own, end } = lived(planKey, zone, steps);
  const once = begin(planKey, zone);
  once.state = { ...once.state, changes: own.state.changes, ends: own.state.ends, pauses: own.state.pauses };
  once.run(end);
  const kept = [...own.once].filter((slot) => once.net[slot] === undefined);
  expect(Object.fromEntries(Object.entries(own.net).filter(([slot]) => !kept.includes(slot)))).toEqual(once.net);
  if (!own.hasForgottenSplit && kept.length === 0) expect(feesOf(own)).toEqual(feesOf(once));
  // A second run finds nothing.
  expect(own.dueAt(end)).toEqual([]);
}), runs(61, 80)));

test('nothing is given back that was not charged', () => fc.assert(fc.property(life, ([planKey, zone, steps]) => {
  const { life: own } = lived(planKey, zone, steps);
  for (const line of own.lines.filter(({ credits }) => credits === undefined)) {
    const back = own.lines.filter(({ credits }) => credits?.lineId === line.lineId);
    const left = Money.sum([line, ...back].map(({ amount }) => Money.parse(amount, 'USD')), 'USD');
    expect([line.lineId, left.isNegative()]).toEqual([line.lineId, false]);
  }
}), runs(62, 40)));

test('a change that is taken back in the same instant nets to zero, whether or not it was billed in between', () => fc.assert(fc.property(life, step, fc.boolean(), ([planKey, zone, steps], there, isBilledBetween) => {
  const [{ life: own, end: now }, { life: left }] = [lived(planKey, zone, steps), lived(planKey, zone, steps)];
  // What is billed once, when it is taken, is not given back.
  const wanted: Step = { ...there, op: there.op === 'addOns' || there.op === 'quantity' ? there.op : 'plan', away: 0, atPeriodEnd: false, addOns: there.addOns.filter((key) => key !== 'yearly') };
  const terms = termsAt(own.state, now);
  if (act(own, wanted, now, 100) !== undefined) return;
  if (isBilledBetween) own.run(now);
  expect(own.do({ type: 'ChangeSubscription', subscriptionId: 'sub_1', changeId: 'chg_back', effectiveAt: now, terms, at: now })).toBeUndefined();
  for (const one of [own, left]) one.run(now);
  if (!isBilledBetween) expect([own.net, own.lines.length]).toEqual([left.net, left.lines.length]);
  for (const one of [own, left]) one.run(later(now, 2 * 744));
  expect(feesOf(own)).toEqual(feesOf(left));
}), runs(63, 40)));

describe('found by the lives above', () => {
  const on = (of: Life, now: Instant, wanted: Partial<Step>): string | undefined =>
    act(of, { hours: 0, op: 'run', away: 0, atPeriodEnd: false, plan: 'fees', version: 1, quantity: 1, addOns: [], zone: 'UTC', gives: true, until: 0, split: undefined, ...wanted }, now, Number(now.replace(/\D/g, '')));
  test('a fee of a whole year that is taken in its midst charges no month again', () => {
    const whole = begin('whole', 'UTC');
    for (const at of ['2024-01-03T10:00:00Z', '2024-02-03T10:00:00Z', '2024-03-03T10:00:00Z']) whole.run(at);
    on(whole, '2024-03-05T10:00:00Z', { op: 'addOns', addOns: ['yearly'] });
    expect(whole.run('2024-03-05T10:00:00Z').map(({ chargeKey }) => chargeKey)).toEqual(['setup', 'year']);
    expect(whole.run('2024-03-05T10:00:00Z')).toEqual([]);
  });
  test('usage before a change is billed at the end of its period, whatever was billed in between', () => {
    const usage = begin('usage', 'UTC');
    on(usage, '2024-01-04T10:00:00Z', { op: 'addOns', addOns: ['daily'] });
    usage.run('2024-01-04T10:00:00Z');
    on(usage, '2024-01-06T10:00:00Z', { op: 'quantity', quantity: 2 });
    for (const day of ['06', '07', '08', '20']) usage.run(`2024-01-${day}T10:00:00Z`);
    // 31 days of 24 hours
    expect(usage.run('2024-02-03T10:00:00Z').find(({ chargeKey }) => chargeKey === 'calls')).toMatchObject({ quantity: '744', servicePeriod: { from: START, to: '2024-02-03T10:00:00Z' } });
  });
  test('a change that gives nothing back keeps what is paid, and asks for no phase that would have come later', () => {
    const kept = begin('ramp', 'UTC');
    on(kept, '2024-01-08T10:00:00Z', { op: 'addOns', addOns: ['yearly'] });
    // Until the phase ends on 3 March: 60 of 366 days, less the 5 of the trial.
    expect(kept.run('2024-01-08T10:00:00Z').map(({ chargeKey, amount }) => `${chargeKey} ${amount}`)).toEqual(['setup 5.00', 'base 13.00', 'year 55.00']);
    on(kept, '2024-01-20T10:00:00Z', { op: 'addOns', addOns: [], split: 'none' });
    expect(kept.run('2024-01-20T10:00:00Z').filter(({ type }) => type !== 'usage')).toEqual([]);
    expect(kept.run('2024-03-03T10:00:00Z').map(({ chargeKey }) => chargeKey)).not.toContain('year');
  });
  const fees = (lines: Life['lines']): string[] => lines.filter(({ type }) => type !== 'usage').map(({ chargeKey, amount }) => `${chargeKey} ${amount}`);
  test('how a change splits is of what it changes: what it leaves as it is comes to its whole', () => {
    const split = begin('fees', 'UTC');
    expect(fees(split.run(START))).toEqual(['base 31.00', 'seats 7.77']);
    on(split, '2024-01-16T22:00:00Z', { op: 'quantity', quantity: 2, split: 'second' });
    // 17.5 of 31 days: 15.54 - 6.77; 7.77 - 3.38
    expect(fees(split.run('2024-01-16T22:00:00Z'))).toEqual(['seats 8.77', 'seats -4.39']);
    on(split, '2024-01-20T04:00:00Z', { op: 'quantity', quantity: 3 });
    // 14 of 31 days, as the plan says: 23.31 - 12.78; 15.54 - 8.52
    expect(fees(split.run('2024-01-20T04:00:00Z'))).toEqual(['seats 10.53', 'seats -7.02']);
  });
  test('what waits for the next period goes on waiting when something else is changed, and what was left as it was paid comes back with the rest when it ends', () => {
    const waiting = begin('fees', 'UTC');
    waiting.run(START);
    on(waiting, '2024-01-10T10:00:00Z', { op: 'plan', plan: 'fees', version: 2, split: 'none' });
    expect(fees(waiting.run('2024-01-10T10:00:00Z'))).toEqual([]);
    on(waiting, '2024-01-13T10:00:00Z', { op: 'addOns', addOns: ['weekly'] });
    expect(fees(waiting.run('2024-01-13T10:00:00Z'))).toEqual([]);
    on(waiting, '2024-01-23T10:00:00Z', { op: 'cancel' });
    // 11 of 31 days of what was paid: 31.00 - 20.00, 7.77 - 5.01; and the week in arrears
    expect(fees(waiting.run('2024-01-23T10:00:00Z'))).toEqual(['week 4.00', 'week 6.00', 'base -11.00', 'seats -2.76']);
  });
  test('a change cannot be put into a period that is closed', () => {
    const fees = begin('fees', 'UTC');
    for (const at of ['2024-01-03T10:00:00Z', '2024-02-03T10:00:00Z', '2024-03-03T10:00:00Z']) fees.run(at);
    expect(on(fees, '2024-03-10T10:00:00Z', { op: 'quantity', quantity: 2, away: -1_500 })).toBe('period_closed');
    expect(on(fees, '2024-03-10T10:00:00Z', { op: 'quantity', quantity: 2, away: -100 })).toBeUndefined();
  });
});
