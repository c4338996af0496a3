// Random lives of two years, billed run by run, against an oracle that looks at each of them once, as a whole, and knows nothing of invoices.
import fc from 'fast-check';
import { addMicros, anchorAt, isBefore, Money, periodAt, type BillingAnchor, type Instant, type Interval, type Period } from '@valueverse/kernel';
import type { AddOnCharge, Charge } from '@valueverse/contracts';
import { oracleLife, type OracleLifePlan, type OracleState, runs } from '@valueverse/testing';
import { newTerms, periodEndAt, termsAt, type WantedChange } from './domain/changes';
import { nextDueAfter } from './domain/due-items';
import { catalogue, Life, type PlanSpec } from './life.spec-kit';

const HOUR = 3_600_000_000n;
const MONTH: Interval = { unit: 'month', count: 1 };
const INTERVALS: Readonly<Record<string, Interval>> = { month: MONTH, quarter: { unit: 'quarter', count: 1 }, days: { unit: 'day', count: 10 } };
const fee = (key: string, price: Charge['price'], more: Partial<Charge> = {}): Charge => ({ key, name: key, type: 'recurring', timing: 'in_advance', price, ...more });
const flat = (amount: string): Charge['price'] => ({ model: 'flat', amount });
const seats = fee('seats', { model: 'per_unit', unitAmount: '7.77' });
const calls = (price: Charge['price']): Charge => ({ key: 'calls', name: 'calls', type: 'usage', meterKey: 'calls', price });

/** The same plans twice: as the catalogue has them, and as the oracle is told of them. */
const PLANS: Readonly<Record<string, { readonly spec: PlanSpec; readonly oracle: OracleLifePlan }>> = {
  small: {
    spec: { charges: [fee('base', flat('31.00')), seats, calls({ model: 'graduated', tiers: [{ upTo: '3', unitAmount: '1' }, { upTo: null, unitAmount: '0.5' }] })] },
    oracle: { interval: 'month', fees: [{ key: 'base', cents: 3_100, isPerSeat: false }, { key: 'seats', cents: 777, isPerSeat: true }], usage: (count) => 100 * Math.min(count, 3) + 50 * Math.max(count - 3, 0) },
  },
  large: {
    spec: { charges: [fee('base', flat('49.99')), seats, fee('support', flat('12.34'), { timing: 'in_arrears' }), calls({ model: 'per_unit', unitAmount: '0.03' })] },
    oracle: { interval: 'month', fees: [{ key: 'base', cents: 4_999, isPerSeat: false }, { key: 'seats', cents: 777, isPerSeat: true }, { key: 'support', cents: 1_234, isPerSeat: false }], usage: (count) => 3 * count },
  },
  quarterly: {
    spec: { interval: INTERVALS['quarter']!, charges: [fee('base', flat('80.01')), calls({ model: 'package', packageSize: '4', packageAmount: '1.11' })] },
    oracle: { interval: 'quarter', fees: [{ key: 'base', cents: 8_001, isPerSeat: false }], usage: (count) => 111 * Math.ceil(count / 4) },
  },
  tenDays: { spec: { interval: INTERVALS['days']!, charges: [fee('base', flat('3.33')), seats] }, oracle: { interval: 'days', fees: [{ key: 'base', cents: 333, isPerSeat: false }, { key: 'seats', cents: 777, isPerSeat: true }], usage: () => 0 } },
};
const EXTRAS = { backup: 999, phone: 501 } as const;
type Extra = keyof typeof EXTRAS;
const CATALOGUE = catalogue(Object.fromEntries(Object.entries(PLANS).map(([key, { spec }]) => [key, spec])),
  Object.fromEntries(Object.entries(EXTRAS).map(([key, cents]) => [key, { charges: [fee(key, flat((cents / 100).toFixed(2))) as AddOnCharge] }])));

interface Step { readonly hours: number; readonly op: 'seats' | 'plan' | 'extras' | 'later' | 'pause' | 'end' | 'calls'; readonly plan: string; readonly seats: number; readonly extras: readonly Extra[]; readonly by: 'day' | 'second'; readonly count: number }
const step: fc.Arbitrary<Step> = fc.record({
  hours: fc.integer({ min: 1, max: 1_500 }), op: fc.constantFrom('seats', 'seats', 'plan', 'plan', 'extras', 'later', 'pause', 'end', 'calls', 'calls'), plan: fc.constantFrom(...Object.keys(PLANS)), seats: fc.integer({ min: 0, max: 6 }),
  extras: fc.subarray(Object.keys(EXTRAS) as Extra[]), by: fc.constantFrom('day', 'day', 'second'), count: fc.integer({ min: 1, max: 6 }),
});

/** A life, and beside it how it has to be. */
class TwoYears {
  readonly states: OracleState[];
  readonly used: Instant[] = [];
  readonly life: Life;
  private later: { readonly at: Instant; readonly plan: string } | undefined;
  private isPaused = false;
  private nth = 0;

  constructor(readonly anchor: BillingAnchor, private now: Instant, plan: string) {
    this.states = [{ at: now, isOn: true, plan, seats: 1, extras: [], by: 'day' }];
    this.life = new Life(CATALOGUE, { planKey: plan, interval: PLANS[plan]!.spec.interval ?? MONTH, startsAt: now, anchor, quantity: '1' }, ({ from, to }) => String(this.used.filter((at) => !isBefore(at, from) && isBefore(at, to)).length));
    this.life.run(now);
  }
  private get state(): OracleState { return this.states.at(-1)!; }
  private put(next: Partial<OracleState>): void { this.states.push({ ...this.state, by: 'day', ...next, at: this.now }); }

  /** Runs on to an instant as the jobs do, that instant among them. */
  goTo(to: Instant): void {
    for (let at = nextDueAfter(this.life.state, CATALOGUE, this.now); at !== undefined && isBefore(at, to); at = nextDueAfter(this.life.state, CATALOGUE, at)) this.life.run(at);
    if (this.later !== undefined && !isBefore(to, this.later.at)) { this.states.push({ ...this.state, by: 'day', ...this.later }); this.later = undefined; }
    this.now = to;
    this.life.run(to);
  }

  private change(wanted: WantedChange, next: Partial<OracleState>, by: OracleState['by']): void {
    const terms = newTerms(termsAt(this.life.state, this.now), wanted, this.now);
    const code = this.life.do({ type: 'ChangeSubscription', subscriptionId: 'sub_1', changeId: `chg_${this.nth++}`, effectiveAt: this.now, terms, at: this.now, ...(by === 'day' ? {} : { proration: { granularity: by } }) });
    if (code !== undefined) return;
    this.later = undefined;
    this.put({ ...next, by });
  }

  /** Usage of the seconds before an instant, which has come by then: what a period that ends there has used is known when it closes. */
  use(to: Instant, count: number): void { for (let nth = 0; nth < count; nth++) this.used.push(addMicros(to, BigInt(nth) * -1_000_000n)); }

  do({ op, plan, seats: count, extras, by }: Step): void {
    const { now, life, state: { isOn } } = this;
    const at = { subscriptionId: 'sub_1', effectiveAt: now, at: now };
    const wanted = { planKey: plan, planVersion: 1, interval: PLANS[plan]!.spec.interval ?? MONTH };
    switch (op) {
      case 'calls': return;
      case 'seats': this.change({ quantity: String(count) }, { seats: count }, by); break;
      case 'plan': this.change({ plan: wanted }, { plan }, by); break;
      case 'extras': this.change({ addOns: extras.map((key) => ({ key })) }, { extras }, by); break;
      case 'later': {
        const current = termsAt(life.state, now);
        const effectiveAt = periodEndAt(current, now);
        if (life.do({ type: 'ChangeSubscription', subscriptionId: 'sub_1', changeId: `chg_${this.nth++}`, effectiveAt, terms: newTerms(current, { plan: wanted }, effectiveAt), at: now }) === undefined) this.later = { at: effectiveAt, plan };
        break;
      }
      case 'pause': if (this.isPaused ? life.do({ type: 'ResumeSubscription', ...at }) === undefined : isOn && life.do({ type: 'PauseSubscription', billing: 'stop', ...at }) === undefined) {
        this.put({ isOn: this.isPaused });
        this.isPaused = !this.isPaused;
      } break;
      case 'end': if (!this.isPaused && this.later === undefined && (isOn ? life.do({ type: 'CancelSubscription', credit: 'unused', ...at }) : life.do({ type: 'ReactivateSubscription', subscriptionId: 'sub_1', at: now })) === undefined) this.put({ isOn: !isOn }); break;
    }
    life.run(now);
  }

  end(): void {
    const nothing = { hours: 0, plan: 'small', seats: 0, extras: [], by: 'day', count: 0 } as const;
    if (this.later !== undefined) this.goTo(addMicros(this.later.at, HOUR));
    if (this.isPaused) this.do({ ...nothing, op: 'pause' });
    if (this.state.isOn) this.do({ ...nothing, op: 'end' });
    expect(this.state.isOn).toBe(false);
  }
  get billed(): Record<string, number> {
    const all = Map.groupBy(this.life.lines, ({ chargeKey }) => chargeKey);
    return Object.fromEntries([...all].map(([key, lines]): [string, number] => [key, Number(Money.sum(lines.map(({ amount }) => Money.parse(amount, 'USD')), 'USD').minor)]).filter(([, cents]) => cents !== 0).sort());
  }
  get expected(): Record<string, number> {
    const periodsOf = (interval: Interval): Period[] => {
      const all: Period[] = [];
      for (let nth = 0; all.at(-1) === undefined || isBefore(all.at(-1)!.to, this.now); nth++) all.push(periodAt(this.anchor, interval, nth));
      return all;
    };
    const periods = Object.fromEntries(Object.entries(INTERVALS).map(([name, interval]) => [name, periodsOf(interval).map((period) => ({ ...period, months: 0 }))]));
    return oracleLife({ zone: this.anchor.zone, states: this.states, calls: this.used, plans: Object.fromEntries(Object.entries(PLANS).map(([key, { oracle }]) => [key, oracle])), extras: EXTRAS, periods });
  }
}

test('what is billed of a life, less what is given back, is what the whole of it costs', () => {
  let changes = 0;
  fc.assert(fc.property(fc.constantFrom('Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe', 'Asia/Kolkata'), fc.integer({ min: 0, max: 800 }), fc.constantFrom(...Object.keys(PLANS)), fc.array(step, { minLength: 5, maxLength: 24 }), (zone, hours, plan, steps) => {
    const start = addMicros('2024-01-01T00:07:33Z', BigInt(hours) * HOUR);
    const years = new TwoYears(anchorAt(start, zone), start, plan);
    let at = start;
    for (const one of steps) {
      at = addMicros(at, BigInt(one.hours) * HOUR);
      if (one.op === 'calls') years.use(at, one.count);
      years.goTo(at);
      years.do(one);
    }
    years.end();
    expect(years.billed).toEqual(years.expected);
    changes += years.states.length;
  }), runs(91, 15));
  expect(changes).toBeGreaterThan(80);
});
