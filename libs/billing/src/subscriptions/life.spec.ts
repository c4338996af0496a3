// Random lives of a subscription against the same life looked at once, at its end, when everything that ever happened to it is known.
import fc from 'fast-check';
import { addMicros, anchorAt, compareInstants, Money, type Instant } from '@valueverse/kernel';
import type { AddOnCharge, Charge, SubscriptionTerms } from '@valueverse/contracts';
import { runs } from '@valueverse/testing';
import { newTerms, periodEndAt, termsAt } from './domain/changes';
import { catalogue, Life } from './life.spec-kit';

const HOUR = 3_600_000_000n;
const START = '2024-01-03T10:00:00Z';
const ZONES = ['UTC', 'Europe/Berlin', 'Australia/Lord_Howe', 'America/New_York'];
const fee = (key: string, amount: string, more: Partial<Charge> = {}): Charge => ({ key, name: key, type: 'recurring', timing: 'in_advance', price: { model: 'flat', amount }, ...more });
const seats = fee('seats', '', { price: { model: 'per_unit', unitAmount: '7.77' } });
const calls: Charge = { key: 'calls', name: 'Calls', type: 'usage', meterKey: 'calls', price: { model: 'per_unit', unitAmount: '0.01' } };
const setup: AddOnCharge = { key: 'setup', name: 'Set-up', type: 'one_off', price: { model: 'flat', amount: '5.00' } };

const PLANS = ['fees', 'usage', 'both', 'arrears', 'ramp', 'whole', 'promised'] as const;
const ADD_ONS = ['daily', 'weekly', 'yearly', 'counted'] as const;
const CATALOGUE = catalogue({
  fees: [{ charges: [fee('base', '31.00'), seats] }, { charges: [fee('base', '35.00'), seats] }], usage: { charges: [calls] }, both: { charges: [fee('base', '31.00'), seats, calls], proration: { granularity: 'second' } },
  arrears: { charges: [fee('base', '10.01', { timing: 'in_arrears' }), calls] }, whole: { charges: [fee('base', '31.00'), calls], proration: { granularity: 'none' } },
  ramp: { charges: [fee('base', '31.00'), calls], trialDays: 5, phases: [{ key: 'half', name: 'Half', duration: { unit: 'month', count: 2 }, prices: { base: { model: 'flat', amount: '15.50' } } }, { key: 'full', name: 'Full' }] },
  promised: { charges: [fee('base', '31.00'), calls], commitment: { amount: '100.00', overageFactor: '1.5' }, proration: { granularity: '30_360_strict' } },
}, {
  daily: { charges: [fee('day', '1.00')], interval: { unit: 'day', count: 1 } }, weekly: { charges: [fee('week', '7.00', { timing: 'in_arrears' })], interval: { unit: 'week', count: 1 } },
  yearly: { charges: [fee('year', '366.00'), setup], interval: { unit: 'year', count: 1 } }, counted: { charges: [{ ...calls, key: 'more' }] },
});

interface Step {
  readonly hours: number; readonly op: 'run' | 'interim' | 'plan' | 'quantity' | 'addOns' | 'anchor' | 'zone' | 'cancel' | 'reactivate' | 'pause' | 'resume' | 'drop';
  /** In hours from the time of the step; below zero it is backdated. */
  readonly away: number; readonly atPeriodEnd: boolean; readonly plan: typeof PLANS[number]; readonly version: number; readonly quantity: number; readonly addOns: readonly typeof ADD_ONS[number][]; readonly zone: string; readonly gives: boolean;
  readonly until: number; readonly none: boolean;
}
const step: fc.Arbitrary<Step> = fc.record({
  hours: fc.constantFrom(0, 0, 1, 14, 24, 72, 168, 336, 744), op: fc.constantFrom<Step['op'][]>('run', 'run', 'run', 'run', 'interim', 'plan', 'quantity', 'quantity', 'addOns', 'addOns', 'anchor', 'zone', 'cancel', 'reactivate', 'pause', 'resume', 'drop'),
  away: fc.constantFrom(0, 0, 0, 1, 24, 100, -1, -24, -100, -800), atPeriodEnd: fc.boolean(), plan: fc.constantFrom(...PLANS), version: fc.constantFrom(1, 2), quantity: fc.integer({ min: 0, max: 3 }), addOns: fc.subarray([...ADD_ONS]),
  zone: fc.constantFrom(...ZONES), gives: fc.boolean(), until: fc.constantFrom(0, 24, 500), none: fc.boolean(),
});
const later = (at: Instant, hours: number): Instant => addMicros(at, BigInt(hours) * HOUR);

/** What the API would make of a step; the code where it is refused. */
const act = (life: Life, { op, away, atPeriodEnd, plan, version, quantity, addOns, zone, gives, until, none }: Step, now: Instant, nth: number): string | undefined => {
  const current = termsAt(life.state, now);
  const at = atPeriodEnd && compareInstants(now, START) >= 0 ? periodEndAt(current, now) : later(now, away);
  const onto = (wanted: Parameters<typeof newTerms>[1]): string | undefined => {
    const terms: SubscriptionTerms = newTerms(termsAt(life.state, at), wanted, at);
    return life.do({ type: 'ChangeSubscription', subscriptionId: 'sub_1', changeId: `chg_${nth}`, effectiveAt: at, terms, at: now, ...(none ? { proration: { granularity: 'none' } } : {}) });
  };
  switch (op) {
    case 'run': life.run(now); return undefined;
    case 'interim': life.interim(now); return undefined;
    case 'plan': return onto({ plan: { planKey: plan, planVersion: plan === 'fees' ? version : 1, interval: { unit: 'month', count: 1 } } });
    case 'quantity': return onto({ quantity: String(quantity) });
    case 'addOns': return onto({ addOns: addOns.map((key) => ({ key })) });
    case 'anchor': return onto({ anchor: 'reset' });
    case 'zone': return onto({ timezone: zone });
    case 'cancel': return life.do({ type: 'CancelSubscription', subscriptionId: 'sub_1', effectiveAt: at, credit: gives ? 'unused' : 'none', at: now });
    case 'reactivate': return life.do({ type: 'ReactivateSubscription', subscriptionId: 'sub_1', at: now });
    case 'pause': return life.do({ type: 'PauseSubscription', subscriptionId: 'sub_1', effectiveAt: at, billing: gives ? 'stop' : 'continue', at: now, ...(until === 0 ? {} : { until: later(at, until) }) });
    case 'resume': return life.do({ type: 'ResumeSubscription', subscriptionId: 'sub_1', effectiveAt: at, at: now });
    case 'drop': return life.do({ type: 'DropChange', subscriptionId: 'sub_1', changeId: life.state.changes.at(-1)?.changeId ?? '', at: now });
  }
};

const begin = (planKey: string, zone: string): Life => new Life(CATALOGUE, { planKey, startsAt: START, anchor: anchorAt(START, zone), quantity: '1' });
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
  expect(own.net).toEqual(once.net);
  expect(feesOf(own)).toEqual(feesOf(once));
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

describe('found by the lives above', () => {
  const on = (of: Life, now: Instant, wanted: Partial<Step>): string | undefined =>
    act(of, { hours: 0, op: 'run', away: 0, atPeriodEnd: false, plan: 'fees', version: 1, quantity: 1, addOns: [], zone: 'UTC', gives: true, until: 0, none: false, ...wanted }, now, Number(now.replace(/\D/g, '')));
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
  test('a change cannot be put into a period that is closed', () => {
    const fees = begin('fees', 'UTC');
    for (const at of ['2024-01-03T10:00:00Z', '2024-02-03T10:00:00Z', '2024-03-03T10:00:00Z']) fees.run(at);
    expect(on(fees, '2024-03-10T10:00:00Z', { op: 'quantity', quantity: 2, away: -1_500 })).toBe('period_closed');
    expect(on(fees, '2024-03-10T10:00:00Z', { op: 'quantity', quantity: 2, away: -100 })).toBeUndefined();
  });
});
