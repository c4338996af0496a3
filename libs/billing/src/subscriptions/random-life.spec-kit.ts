import fc from 'fast-check';
import { addMicros, anchorAt, compareInstants, type Instant } from '@valueverse/kernel';
import type { AddOnCharge, Charge, SubscriptionTerms } from '@valueverse/contracts';
import { newTerms, periodEndAt, termsAt } from './domain/changes';
import type { SubscriptionCommand } from './domain/subscription.decider';
import { catalogue, Life, type UsageIn } from './life.spec-kit';

const HOUR = 3_600_000_000n;
export const START = '2024-01-03T10:00:00Z';
export const ZONES = ['UTC', 'Europe/Berlin', 'Australia/Lord_Howe', 'America/New_York'];
const fee = (key: string, amount: string, more: Partial<Charge> = {}): Charge => ({ key, name: key, type: 'recurring', timing: 'in_advance', price: { model: 'flat', amount }, ...more });
const seats = fee('seats', '', { price: { model: 'per_unit', unitAmount: '7.77' } });
const calls: Charge = { key: 'calls', name: 'Calls', type: 'usage', meterKey: 'calls', price: { model: 'per_unit', unitAmount: '0.01' } };
const setup: AddOnCharge = { key: 'setup', name: 'Set-up', type: 'one_off', price: { model: 'flat', amount: '5.00' } };

export const PLANS = ['fees', 'usage', 'both', 'arrears', 'ramp', 'whole', 'promised'] as const;
const ADD_ONS = ['daily', 'weekly', 'yearly', 'counted'] as const;
export const CATALOGUE = catalogue({
  fees: [{ charges: [fee('base', '31.00'), seats] }, { charges: [fee('base', '35.00'), seats] }], usage: { charges: [calls] }, both: { charges: [fee('base', '31.00'), seats, calls], proration: { granularity: 'second' } },
  arrears: { charges: [fee('base', '10.01', { timing: 'in_arrears' }), calls] }, whole: { charges: [fee('base', '31.00'), calls], proration: { granularity: 'none' } },
  ramp: { charges: [fee('base', '31.00'), calls], trialDays: 5, phases: [{ key: 'half', name: 'Half', duration: { unit: 'month', count: 2 }, prices: { base: { model: 'flat', amount: '15.50' } } }, { key: 'full', name: 'Full' }] },
  promised: { charges: [fee('base', '31.00'), calls], commitment: { amount: '100.00', overageFactor: '1.5' }, proration: { granularity: '30_360_strict' } },
}, {
  daily: { charges: [fee('day', '1.00')], interval: { unit: 'day', count: 1 } }, weekly: { charges: [fee('week', '7.00', { timing: 'in_arrears' })], interval: { unit: 'week', count: 1 } },
  yearly: { charges: [fee('year', '366.00'), setup], interval: { unit: 'year', count: 1 } }, counted: { charges: [{ ...calls, key: 'more' }] },
});

export interface Step {
  readonly hours: number; readonly op: 'run' | 'interim' | 'plan' | 'quantity' | 'addOns' | 'anchor' | 'zone' | 'cancel' | 'reactivate' | 'pause' | 'resume' | 'drop';
  /** In hours from the time of the step; below zero it is backdated. */
  readonly away: number; readonly atPeriodEnd: boolean; readonly plan: typeof PLANS[number]; readonly version: number; readonly quantity: number; readonly addOns: readonly typeof ADD_ONS[number][]; readonly zone: string; readonly gives: boolean;
  readonly until: number; readonly split: 'none' | 'second' | 'day' | '30_360_strict' | undefined;
}
export const step: fc.Arbitrary<Step> = fc.record({
  hours: fc.constantFrom(0, 0, 1, 14, 24, 72, 168, 336, 744), op: fc.constantFrom<Step['op'][]>('run', 'run', 'run', 'run', 'interim', 'plan', 'quantity', 'quantity', 'addOns', 'addOns', 'anchor', 'zone', 'cancel', 'reactivate', 'pause', 'resume', 'drop'),
  away: fc.constantFrom(0, 0, 0, 1, 24, 100, -1, -24, -100, -800), atPeriodEnd: fc.boolean(), plan: fc.constantFrom(...PLANS), version: fc.constantFrom(1, 2), quantity: fc.integer({ min: 0, max: 3 }), addOns: fc.subarray([...ADD_ONS]),
  zone: fc.constantFrom(...ZONES), gives: fc.boolean(), until: fc.constantFrom(0, 24, 500), split: fc.constantFrom('none', 'none', 'second', 'day', '30_360_strict', undefined, undefined),
});
export const later = (at: Instant, hours: number): Instant => addMicros(at, BigInt(hours) * HOUR);

/** What the API would make of a step that changes something. */
export const commandOf = (life: Life, { op, away, atPeriodEnd, plan, version, quantity, addOns, zone, gives, until, split }: Step, now: Instant, nth: number): SubscriptionCommand => {
  const current = termsAt(life.state, now);
  const at = atPeriodEnd && compareInstants(now, START) >= 0 ? periodEndAt(current, now) : later(now, away);
  const onto = (wanted: Parameters<typeof newTerms>[1]): SubscriptionCommand => {
    const terms: SubscriptionTerms = newTerms(termsAt(life.state, at), wanted, at);
    return { type: 'ChangeSubscription', subscriptionId: 'sub_1', changeId: `chg_${nth}`, effectiveAt: at, terms, at: now, ...(split === undefined ? {} : { proration: { granularity: split } }) };
  };
  switch (op) {
    case 'run': case 'interim': throw new Error(`${op} changes nothing`);
    case 'plan': return onto({ plan: { planKey: plan, planVersion: plan === 'fees' ? version : 1, interval: { unit: 'month', count: 1 } } });
    case 'quantity': return onto({ quantity: String(quantity) });
    case 'addOns': return onto({ addOns: addOns.map((key) => ({ key })) });
    case 'anchor': return onto({ anchor: 'reset' });
    case 'zone': return onto({ timezone: zone });
    case 'cancel': return { type: 'CancelSubscription', subscriptionId: 'sub_1', effectiveAt: at, credit: gives ? 'unused' : 'none', at: now };
    case 'reactivate': return { type: 'ReactivateSubscription', subscriptionId: 'sub_1', at: now };
    case 'pause': return { type: 'PauseSubscription', subscriptionId: 'sub_1', effectiveAt: at, billing: gives ? 'stop' : 'continue', at: now, ...(until === 0 ? {} : { until: later(at, until) }) };
    case 'resume': return { type: 'ResumeSubscription', subscriptionId: 'sub_1', effectiveAt: at, at: now };
    case 'drop': return { type: 'DropChange', subscriptionId: 'sub_1', changeId: life.state.changes.at(-1)?.changeId ?? '', at: now };
  }
};
/** The code where a step is refused. */
export const act = (life: Life, step_: Step, now: Instant, nth: number): string | undefined => {
  if (step_.op === 'run') life.run(now);
  else if (step_.op === 'interim') life.interim(now);
  else return life.do(commandOf(life, step_, now, nth));
  return undefined;
};
export const begin = (planKey: string, zone: string, usageIn?: UsageIn): Life => new Life(CATALOGUE, { planKey, startsAt: START, anchor: anchorAt(START, zone), quantity: '1' }, usageIn);
