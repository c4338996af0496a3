// Published examples of other systems as lives of subscriptions, each with the engine set to the rule of its source. docs/rating.md has the settings as a table; what prices alone decide is in libs/rating.
import { anchorAt, calendarAnchor, Money, type Instant, type Interval, type IntervalUnit } from '@valueverse/kernel';
import type { AddOnCharge, Charge, InvoiceItem } from '@valueverse/contracts';
import { issueInvoice, servicePeriodOf, type IssueTerms } from '../invoicing/domain/issue-invoice';
import type { PricedLine } from '../invoicing/domain/lines';
import { defaultInstant, resolveChange, type WantedChange } from './domain/changes';
import { nextDueAfter, type DueItem } from './domain/due-items';
import { catalogue, Life, type PlanSpec, type UsageIn } from './life.spec-kit';

const MONTH: Interval = { unit: 'month', count: 1 };
const YEAR: Interval = { unit: 'year', count: 1 };
const midnight = (date: string): Instant => `${date}T00:00:00Z`;
const fee = (key: string, amount: string, more: Partial<Charge> = {}): Charge => ({ key, name: key, type: 'recurring', timing: 'in_advance', price: { model: 'flat', amount }, ...more });
const seats = (unitAmount: string): Charge => fee('seats', '', { price: { model: 'per_unit', unitAmount } });
const usage = (price: Charge['price'], more: Partial<Charge> = {}): Charge => ({ key: 'usage', name: 'usage', type: 'usage', meterKey: 'usage', price, ...more });
const tiers = (model: string, ...rows: readonly (readonly [upTo: string | null, unitAmount: string, flatAmount?: string])[]): Charge['price'] =>
  ({ model, tiers: rows.map(([upTo, unitAmount, flatAmount]) => ({ upTo, unitAmount, ...(flatAmount === undefined ? {} : { flatAmount }) })) });
const BY_SECOND = { proration: { granularity: 'second' } } as const;
const STRICT = { proration: { granularity: '30_360_strict' } } as const;

interface Setting { readonly plans: Readonly<Record<string, PlanSpec>>; readonly addOns?: Readonly<Record<string, { readonly charges: readonly AddOnCharge[] }>>; readonly start: string; readonly zone?: string; readonly usageIn?: UsageIn }
/** A subscription on the first of the plans. Its periods are counted from its start where no anchor is given. */
const begin = ({ plans, addOns = {}, start, zone = 'UTC', usageIn }: Setting, more: Partial<ConstructorParameters<typeof Life>[1]> = {}): Life => {
  const [[planKey, { interval = MONTH }]] = Object.entries(plans) as [[string, PlanSpec]];
  const startsAt = start.includes('T') ? start : midnight(start);
  return new Life(catalogue(plans, addOns), { planKey, interval, startsAt, anchor: anchorAt(startsAt, zone), ...more }, usageIn);
};
const anchored = (date: string): Partial<ConstructorParameters<typeof Life>[1]> => ({ anchor: { local: `${date}T00:00:00`, zone: 'UTC' } });
const calendar = (unit: IntervalUnit, start: Instant, zone: string): Partial<ConstructorParameters<typeof Life>[1]> => ({ anchor: calendarAnchor(unit, start, zone) });
const onPlan = (planKey: string, interval = MONTH): WantedChange => ({ plan: { planKey, planVersion: 1, interval } });
const move = (life: Life, wanted: WantedChange, date: string): void => {
  const at = midnight(date);
  const { effectiveAt, terms } = resolveChange(life.state, life.catalogue, { at, ...wanted }, at);
  expect(life.do({ type: 'ChangeSubscription', subscriptionId: 'sub_1', changeId: `chg_${date}`, effectiveAt, terms, at })).toBeUndefined();
};
const end = (life: Life, date: string): void => expect(life.do({ type: 'CancelSubscription', subscriptionId: 'sub_1', effectiveAt: midnight(date), credit: 'unused', at: midnight(date) })).toBeUndefined();
const amounts = (lines: readonly PricedLine[]): string[] => lines.map(({ amount }) => amount);
const sum = (lines: readonly PricedLine[]): string => Money.sum(lines.map(({ amount }) => Money.parse(amount, 'USD')), 'USD').toString();
const run = (life: Life, date: string): PricedLine[] => life.run(date.includes('T') ? date : midnight(date));
const periods = (lines: readonly PricedLine[]): string[] => lines.map(({ servicePeriod: { from, to } }) => `${from.slice(0, 10)} ${to.slice(0, 10)}`);

/** What an invoice over items comes to at one rate: as the invoice, or as the credit notes that it becomes where everything is given back. */
const taxed = (items: readonly InvoiceItem[], rate: string, credited: readonly PricedLine[] = []): string[] => {
  const taxes = [{ key: 'tax', name: 'Tax', rate }];
  const drafted = { invoiceId: 'inv_taxed', kind: 'cycle', currency: 'USD', rounding: 'half_up', items } as const;
  const terms: IssueTerms = {
    taxRounding: 'invoice', inclusiveRounding: 'net', coupons: [], interim: [],
    lineTaxes: new Proxy({}, { get: () => taxes }), credited: Object.fromEntries(credited.map(({ lineId, amount, servicePeriod }) => [lineId, { amount, paid: amount, servicePeriod, taxes }])),
  };
  const { invoiceWith, notes } = issueInvoice(drafted, new Map(), terms);
  const money = invoiceWith(Money.zero('USD'));
  if (money !== undefined) return [money.subtotal, money.taxTotal, money.total];
  const { netAmount, taxAmount } = notes[0]!.lines[0]!.line;
  return [netAmount, taxAmount, Money.parse(netAmount, 'USD').add(Money.parse(taxAmount, 'USD')).toString()];
};
const itemsOf = (due: readonly DueItem[]): InvoiceItem[] => due.map(({ item }) => item);

test('P1: from 10 to 20 exactly half way, by second', () => {
  const life = begin({ plans: { ten: { charges: [fee('base', '10')], ...BY_SECOND }, twenty: { charges: [fee('base', '20')], ...BY_SECOND } }, start: '2024-04-01' });
  run(life, '2024-04-01');
  move(life, onPlan('twenty'), '2024-04-16');
  expect(amounts(run(life, '2024-04-16'))).toEqual(['10.00', '-5.00']);
});

test('P4: from 129.00 a month to 1188.00 a year is a downgrade, at the end of the month; the year counts from the anchor, 243 of 366 days are left', () => {
  const life = begin({ plans: { monthly: { charges: [fee('base', '129.00')] }, yearly: { charges: [fee('base', '1188.00')], interval: YEAR } }, start: '2023-07-19' });
  for (const month of ['07', '08', '09', '10']) run(life, `2023-${month}-19`);
  expect(defaultInstant(life.state, life.catalogue, onPlan('yearly', YEAR), '2023-11-02T12:00:00Z')).toBe('period_end');
  expect(resolveChange(life.state, life.catalogue, onPlan('yearly', YEAR), '2023-11-02T12:00:00Z').effectiveAt).toBe('2023-11-19T00:00:00Z');
  move(life, onPlan('yearly', YEAR), '2023-11-19');
  expect(amounts(run(life, '2023-11-19'))).toEqual(['788.75']);
});

test('P6: a first month of 24 of 31 days, with tax', () => {
  const life = begin({ plans: { base: { charges: [fee('base', '50.00')] } }, start: '2023-01-08' }, calendar('month', '2023-01-08T00:00:00Z', 'UTC'));
  expect(taxed(itemsOf(life.dueAt('2023-01-08T00:00:00Z')), '20')).toEqual(['38.71', '7.74', '46.45']);
});

test('P9, P10: terminated on the first day, which is billed: what is left of the month or week comes back with its tax, as a credit note', () => {
  const back = (amount: string, rate: string, interval: Interval, start: string, over: string): string[] => {
    const life = begin({ plans: { base: { charges: [fee('base', amount)], interval } }, start });
    const billed = run(life, start);
    end(life, over);
    return taxed(itemsOf(life.dueAt(midnight(over))), rate, billed);
  };
  expect(back('200.00', '25', MONTH, '2023-04-01', '2023-04-02')).toEqual(['193.33', '48.33', '241.66']);
  expect(back('160.00', '25', MONTH, '2023-04-01', '2023-04-02')).toEqual(['154.67', '38.67', '193.34']);
  expect(back('29.99', '23.33', { unit: 'week', count: 1 }, '2023-04-03', '2023-04-04')).toEqual(['25.71', '6.00', '31.71']);
});

test('P11: a trial of ten days from 5 March, then 17 of 31 days; an upgrade in it to a plan with thirteen, then 14 of 31', () => {
  const plans = { base: { charges: [fee('base', '50000.00')], trialDays: 10 }, more: { charges: [fee('base', '100000.00')], trialDays: 13 } };
  const life = begin({ plans, start: '2024-03-05' }, calendar('month', '2024-03-05T00:00:00Z', 'UTC'));
  expect(run(life, '2024-03-14')).toEqual([]);
  expect(amounts(run(life, '2024-03-15'))).toEqual(['27419.35']);
  const upgraded = begin({ plans, start: '2024-03-05' }, calendar('month', '2024-03-05T00:00:00Z', 'UTC'));
  move(upgraded, onPlan('more'), '2024-03-10');
  expect(run(upgraded, '2024-03-17')).toEqual([]);
  expect(amounts(run(upgraded, '2024-03-18'))).toEqual(['45161.29']);
});

test('P14: usage of 200.00 that an interim invoice has billed, and a fee in arrears until the day of termination, which an upgrade on that day takes', () => {
  const plans = { base: { charges: [fee('base', '31.00', { timing: 'in_arrears' }), usage({ model: 'per_unit', unitAmount: '1' })] }, other: { charges: [fee('base', '62.00')] } };
  const at = '2022-12-10T00:00:00Z';
  const begun = (): Life => {
    const life = begin({ plans, start: '2022-12-01', usageIn: ({ from, to }) => (from < at && at <= to ? '200' : '0') });
    expect(amounts(life.interim(at))).toEqual(['200.00']);
    return life;
  };
  const life = begun();
  end(life, '2022-12-19');
  // 18 of 31 days; 200.00 - 200.00
  expect(run(life, '2022-12-19').map(({ type, amount }) => `${type} ${amount}`)).toEqual(['recurring 18.00', 'usage 0.00']);
  const upgraded = begun();
  move(upgraded, onPlan('other'), '2022-12-18');
  expect(run(upgraded, '2022-12-18').map(({ type, amount }) => `${type} ${amount}`).slice(0, 2)).toEqual(['recurring 17.00', 'usage 0.00']);
});

test('P15: months of 30 days', () => {
  const first = (start: string, day: string): string[] => amounts(run(begin({ plans: { base: { charges: [fee('base', '19.95')], ...STRICT } }, start }, anchored(day)), start));
  expect([first('2023-05-15', '2023-04-23'), first('2023-06-15', '2023-04-23'), first('2023-05-23', '2023-05-15')]).toEqual([['5.32'], ['5.32'], ['14.63']]);
});

test('P17: parts of months', () => {
  const lived = (amount: string, from: string, to: string, day: string): string => {
    const life = begin({ plans: { base: { charges: [fee('base', amount, { timing: 'in_arrears' })] } }, start: from }, anchored(day));
    end(life, to);
    return sum(run(life, to));
  };
  expect(lived('28.00', '2011-02-01', '2011-02-14', '2011-02-01')).toBe('13.00');
  expect(lived('29.00', '2012-02-01', '2012-02-15', '2012-02-01')).toBe('14.00');
  // 3 months and 2 of 31 days
  expect(lived('31.00', '2010-12-15', '2011-03-17', '2010-12-15')).toBe('95.00');
});

test('P19: a phase of 14 days in January', () => {
  const phases = [{ key: 'first', name: 'First', duration: { unit: 'day', count: 14 } }, { key: 'then', name: 'Then', prices: { base: { model: 'flat', amount: '0' } } }] as const;
  const life = begin({ plans: { base: { charges: [fee('base', '5')], phases, ...BY_SECOND } }, start: '2024-01-01' });
  expect(amounts(run(life, '2024-01-01'))).toEqual(['2.26']);
});

test('P21: a flat fee goes, another and five seats come, for 16 of 31 days', () => {
  const life = begin({ plans: { flat: { charges: [fee('base', '35')] }, team: { charges: [fee('base', '29'), { ...seats('10'), quantity: '5' }] } }, start: '2024-01-01' });
  run(life, '2024-01-01');
  move(life, onPlan('team'), '2024-01-16');
  const lines = run(life, '2024-01-16');
  expect([...amounts(lines), sum(lines)]).toEqual(['14.97', '25.81', '-18.06', '22.72']);
});

test('P24: 17 of 31 days for a change of price, something more, something less, and five units more', () => {
  const plans = { ten: { charges: [fee('base', '10'), seats('10')] }, twenty: { charges: [fee('base', '20'), seats('10')] } };
  const addOns = { more: { charges: [fee('more', '25')] }, less: { charges: [fee('less', '40')] } };
  const changed = (wanted: WantedChange): string[] => {
    const life = begin({ plans, addOns, start: '2024-03-01' }, { quantity: '5', addOns: [{ key: 'less', quantity: '1' }] });
    run(life, '2024-03-01');
    move(life, wanted, '2024-03-15');
    const lines = run(life, '2024-03-15');
    return [...amounts(lines), sum(lines)];
  };
  expect(changed(onPlan('twenty'))).toEqual(['10.97', '-5.48', '5.49']);
  expect(changed({ addOns: [{ key: 'less' }, { key: 'more' }].map(({ key }) => ({ key, quantity: '1' })) })).toEqual(['13.71', '13.71']);
  expect(changed({ addOns: [] })).toEqual(['-21.94', '-21.94']);
  // 54.84 - 27.42
  expect(changed({ quantity: '10' })).toEqual(['54.84', '-27.42', '27.42']);
});

test('P26, C15, C18, C21: what is billed before the end of a period is taken off its whole, tiers, packages and free units counted once', () => {
  const halves = (charge: Charge, first: string, whole: string): string[] => {
    const life = begin({ plans: { base: { charges: [charge] } }, start: '2024-01-01', usageIn: ({ to }) => (to < '2024-02-01T00:00:00Z' ? first : whole) });
    return [...amounts(life.interim('2024-01-16T00:00:00Z')), ...amounts(run(life, '2024-02-01'))];
  };
  expect(halves(usage(tiers('volume', ['15', '10'], [null, '5'])), '15', '16')).toEqual(['150.00', '-70.00']);
  expect(halves(usage(tiers('graduated', ['5', '0', '100'], ['10', '0', '50'], ['15', '5'], [null, '1'])), '12', '22')).toEqual(['160.00', '22.00']);
  expect(halves(usage({ model: 'package', packageSize: '10', packageAmount: '15' }), '17', '22')).toEqual(['30.00', '15.00']);
  expect(halves(usage({ model: 'per_unit', unitAmount: '1' }, { freeUnits: '10' }), '5', '20')).toEqual(['0.00', '10.00']);
});

test('C10: what is billed of a graduated percentage each time that something came', () => {
  let used = 0;
  const price = { model: 'graduated_percentage', tiers: [{ upTo: '1000', rate: '1', flatAmount: '200' }, { upTo: '10000', rate: '2', flatAmount: '300' }, { upTo: null, rate: '3', flatAmount: '400' }] };
  const life = begin({ plans: { base: { charges: [usage(price)] } }, start: '2024-01-01', usageIn: () => String(used) });
  const more = (amount: number, day: string): string[] => { used += amount; return amounts(life.interim(midnight(`2024-01-${day}`))); };
  // 205.00, 511.00 and 591.00 in all
  expect([more(500, '10'), more(550, '11'), more(4000, '12'), amounts(run(life, '2024-02-01'))]).toEqual([['205.00'], ['306.00'], ['80.00'], ['0.00']]);
});

test('C17: a minimum of a period whose first tier an interim invoice has billed', () => {
  const charge = usage(tiers('graduated', ['5', '0', '100'], ['10', '0', '50'], ['15', '5'], [null, '1']), { minimumAmount: '1000', chargeFlatAtZero: true });
  const life = begin({ plans: { base: { charges: [charge] } }, start: '2024-01-01', usageIn: () => '0' });
  expect(life.interim('2024-01-16T00:00:00Z').map(({ type, amount }) => `${type} ${amount}`)).toEqual(['usage 100.00']);
  expect(run(life, '2024-02-01').map(({ type, amount }) => `${type} ${amount}`)).toEqual(['usage 0.00', 'true_up 900.00']);
});

test('C23: 30 in advance, and thirteen videos at the end', () => {
  const life = begin({ plans: { base: { charges: [fee('base', '30'), usage(tiers('graduated', ['5', '2'], [null, '1']))] } }, start: '2024-01-01', usageIn: () => '13' });
  expect([amounts(run(life, '2024-01-01')), amounts(run(life, '2024-02-01'))]).toEqual([['30.00'], ['18.00', '30.00']]);
});

test('P27: short first periods of a quarter and of a year', () => {
  const first = (amount: string, unit: IntervalUnit, day: string, start: string): string[] => amounts(run(begin({ plans: { base: { charges: [fee('base', amount)], interval: { unit, count: 1 } } }, start }, anchored(day)), start));
  expect([first('92.00', 'quarter', '2025-10-01', '2025-10-08'), first('365.00', 'year', '2025-04-01', '2025-04-15')]).toEqual([['85.00'], ['351.00']]);
});

test('T2: months from 31 January', () => {
  const life = begin({ plans: { base: { charges: [fee('base', '1')] } }, start: '2024-01-31T01:00:00Z' }, anchored('2024-01-31'));
  expect(['2024-01-31T01:00:00Z', '2024-02-29', '2024-03-31', '2024-04-30'].flatMap((at) => periods(run(life, at)))).toEqual(['2024-01-31 2024-02-29', '2024-02-29 2024-03-31', '2024-03-31 2024-04-30', '2024-04-30 2024-05-31']);
});

test('T3, T4: weeks and months of the calendar begin at local midnight', () => {
  const base = { charges: [fee('base', '1')] };
  const kolkata = begin({ plans: { base: { ...base, interval: { unit: 'week', count: 1 } } }, start: '2023-02-02T00:00:00Z', zone: 'Asia/Kolkata' }, calendar('week', '2023-02-02T00:00:00Z', 'Asia/Kolkata'));
  for (const at of ['2023-02-02', '2023-02-05T18:30:00Z']) expect(run(kolkata, at)).toHaveLength(1);
  expect([run(kolkata, '2023-02-12T18:00:00Z').length, nextDueAfter(kolkata.state, kolkata.catalogue, '2023-02-12T18:00:00Z'), run(kolkata, '2023-02-12T19:00:00Z').length]).toEqual([0, '2023-02-12T18:30:00Z', 1]);
  const bogota = begin({ plans: { base }, start: '2023-02-02T19:00:00Z', zone: 'America/Bogota' }, calendar('month', '2023-02-02T19:00:00Z', 'America/Bogota'));
  expect(run(bogota, '2023-02-02T19:00:00Z')).toHaveLength(1);
  expect([run(bogota, '2023-03-01T00:00:00Z').length, run(bogota, '2023-03-01T05:00:00Z').length]).toEqual([0, 1]);
});

test('T7: a trial of 14 days from 1 January, then every 15th, or the rest of January and every first', () => {
  const plans = { base: { charges: [fee('base', '31.00')], trialDays: 14 } };
  const anniversary = begin({ plans, start: '2024-01-01' }, anchored('2024-01-15'));
  expect(['2024-01-01', '2024-01-15', '2024-02-15'].map((at) => run(anniversary, at).map(({ amount, servicePeriod: { from } }) => `${amount} ${from.slice(0, 10)}`))).toEqual([[], ['31.00 2024-01-15'], ['31.00 2024-02-15']]);
  const first = begin({ plans, start: '2024-01-01' }, calendar('month', '2024-01-01T00:00:00Z', 'UTC'));
  expect(['2024-01-01', '2024-01-15', '2024-02-01', '2024-03-01'].map((at) => run(first, at).map(({ amount, servicePeriod: { from } }) => `${amount} ${from.slice(0, 10)}`)))
    .toEqual([[], ['17.00 2024-01-15'], ['31.00 2024-02-01'], ['31.00 2024-03-01']]);
});

test('T8: a start on 15 March billed in March, or together with April', () => {
  const plans = { base: { charges: [fee('base', '31.00')] } };
  const early = begin({ plans, start: '2024-03-15' }, anchored('2024-03-01'));
  expect([periods(run(early, '2024-03-20')), periods(run(early, '2024-04-01'))]).toEqual([['2024-03-15 2024-04-01'], ['2024-04-01 2024-05-01']]);
  const late = begin({ plans, start: '2024-03-15' }, anchored('2024-03-01'));
  const due = itemsOf(late.dueAt('2024-04-10T00:00:00Z'));
  expect([periods(run(late, '2024-04-10')), servicePeriodOf(due, '2024-04-10T00:00:00Z')]).toEqual([['2024-03-15 2024-04-01', '2024-04-01 2024-05-01'], { from: '2024-03-15T00:00:00Z', to: '2024-05-01T00:00:00Z' }]);
});
