import * as fc from 'fast-check';
import { Decimal } from '@valueverse/kernel';
import { looksAtEvents, type OracleCharge, type OracleEvent, type OracleGroup, type OraclePrice } from '@valueverse/testing';

/** A currency of each number of digits that there is. */
export const DIGITS = { JPY: 0, USD: 2, KWD: 3, CLF: 4 } as const;
export const currencies = fc.constantFrom(...(Object.keys(DIGITS) as (keyof typeof DIGITS)[]));
export const roundings = fc.constantFrom('half_up' as const, 'half_even' as const);

const REGIONS = ['eu', 'us', '', 'ap'];
const SIZES = ['small', 'large'];
const WINDOWS = ['night', 'noon'];

/** Decimal texts between two whole numbers, with so many digits after the point at most. */
export const decimals = (from: number, to: number, scale: number): fc.Arbitrary<string> =>
  fc.integer({ min: 0, max: scale }).chain((digits) => fc.bigInt({ min: BigInt(from) * 10n ** BigInt(digits), max: BigInt(to) * 10n ** BigInt(digits) }).map((value) => Decimal.scaled(value, digits).toString()));

const unitAmounts = decimals(0, 20, 8);
/** It, or nothing. */
export const maybe = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(arbitrary, { nil: undefined, freq: 2 });
const present = <T extends object>(fields: T): T => Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as T;

/** Tiers whose bounds go up, the last one open. Amounts that are due once have the digits of the currency. */
const tiered = (model: string, terms: Record<string, fc.Arbitrary<string | undefined>>): fc.Arbitrary<OraclePrice> =>
  fc.array(fc.record({ width: decimals(1, 300, 2), terms: fc.record(terms) }), { minLength: 1, maxLength: 4 }).map((parts) => {
    let bound = Decimal.zero;
    return { model, tiers: parts.map(({ width, terms: own }, nth) => {
      bound = bound.plus(Decimal.parse(width));
      return { upTo: nth === parts.length - 1 ? null : bound.toString(), ...present(own) };
    }) };
  });

/** Prices that need a quantity alone. */
const plainPrices = (digits: number): fc.Arbitrary<OraclePrice> => {
  const due = decimals(0, 50, digits);
  return fc.oneof(
    due.map((amount) => ({ model: 'flat', amount })),
    unitAmounts.map((unitAmount) => ({ model: 'per_unit', unitAmount })),
    tiered('graduated', { unitAmount: unitAmounts, flatAmount: maybe(due) }),
    tiered('volume', { unitAmount: unitAmounts, flatAmount: maybe(due) }),
    tiered('stairstep', { flatAmount: due }),
    fc.record({ model: fc.constant('package'), packageSize: decimals(1, 100, 2), packageAmount: decimals(0, 20, 4) }),
    decimals(0, 40, 3).map((rate) => ({ model: 'percentage', rate })),
    tiered('graduated_percentage', { rate: decimals(0, 40, 3), flatAmount: maybe(due) }),
  );
};

const eventPrices: fc.Arbitrary<OraclePrice> = fc.oneof(
  fc.record({ rate: decimals(0, 20, 2), fixedAmount: maybe(decimals(0, 2, 3)), freeEvents: maybe(fc.nat(4)), freeAmount: maybe(fc.oneof(decimals(0, 200, 2), fc.constantFrom('20', '40'))), minAmountPerEvent: maybe(decimals(0, 3, 2)), above: maybe(decimals(0, 5, 2)) })
    .map(({ above, ...terms }) => present({ model: 'percentage', ...terms, maxAmountPerEvent: above === undefined ? undefined : Decimal.parse(above).plus(Decimal.parse(terms.minAmountPerEvent ?? '0')).toString() })),
  maybe(decimals(0, 3, 5)).map((multiplier) => present({ model: 'dynamic', amountProperty: '$.cost', multiplier })),
);

const matrixPrices = (digits: number): fc.Arbitrary<OraclePrice> => {
  const matches = REGIONS.flatMap((region) => SIZES.map((size) => ({ region, size })));
  return fc.record({
    cells: fc.tuple(fc.shuffledSubarray(matches, { minLength: 1, maxLength: 5 }), fc.array(plainPrices(digits), { minLength: 5, maxLength: 5 })).map(([chosen, prices]) => chosen.map((match, nth) => ({ match, price: prices[nth]! }))),
    default: maybe(plainPrices(digits)),
  }).map((price) => present({ model: 'matrix', dimensions: ['region', 'size'], ...price }));
};

const usagePrices = (digits: number): fc.Arbitrary<OraclePrice> =>
  fc.oneof({ weight: 8, arbitrary: plainPrices(digits) }, { weight: 2, arbitrary: eventPrices }, { weight: 3, arbitrary: matrixPrices(digits) });

/** Prices of fees: of a number of things. */
export const feePrices = (digits: number): fc.Arbitrary<OraclePrice> => plainPrices(digits).filter(({ model }) => !model.endsWith('percentage'));

const commitments = (digits: number) => fc.record({ amount: decimals(0, 300, digits), overageFactor: maybe(decimals(0, 3, 3)), trueUp: maybe(fc.boolean()) }).map(present);

const schedules = (digits: number): fc.Arbitrary<NonNullable<OracleCharge['schedule']>> => {
  const priced = fc.tuple(usagePrices(digits), maybe(commitments(digits))).map(([price, commitment]) => present({ ...price, commitment }));
  return fc.tuple(priced, priced, priced).map(([night, noon, otherwise]) => ({
    windows: [{ name: 'night', from: '22:00', to: '06:00', price: night }, { name: 'noon', from: '12:00', to: '13:30', days: ['mon', 'fri'], price: noon }], otherwise,
  })) as fc.Arbitrary<NonNullable<OracleCharge['schedule']>>;
};

const pricesOf = ({ price, schedule }: OracleCharge): readonly OraclePrice[] => (schedule === undefined ? [price] : [...schedule.windows.map((window) => window.price), schedule.otherwise]);

/** Charges that `readChargeTerms` accepts: terms that contradict each other are put right. */
const charges = (digits: number): fc.Arbitrary<OracleCharge> => fc.record({
  price: usagePrices(digits), chargeFlatAtZero: maybe(fc.boolean()), freeUnits: maybe(decimals(0, 100, 3)), minimumAmount: maybe(decimals(0, 200, digits)), maximumAmount: maybe(decimals(0, 200, digits)),
  commitment: maybe(commitments(digits)), schedule: fc.option(schedules(digits), { nil: undefined, freq: 3 }),
  proration: maybe(fc.record({ prorateBounds: maybe(fc.boolean()), prorateAmounts: maybe(fc.boolean()) }).map(present)),
}).map((terms) => {
  const floor = Decimal.max(...[terms.minimumAmount, terms.commitment?.amount, '0'].filter((text) => text !== undefined).map((text) => Decimal.parse(text)) as [Decimal]);
  const maximumAmount = terms.maximumAmount === undefined ? undefined : floor.plus(Decimal.parse(terms.maximumAmount)).toString();
  const freeUnits = pricesOf(terms as OracleCharge).some(looksAtEvents) ? undefined : terms.freeUnits;
  return present({ ...terms, maximumAmount, freeUnits }) as OracleCharge;
});

/** Round values as well, so that some come to a free amount exactly. */
const events: fc.Arbitrary<readonly OracleEvent[]> = fc.array(fc.record({ value: fc.oneof(decimals(0, 150, 2), fc.constantFrom('10', '20', '30')), cost: fc.option(decimals(0, 9, 4), { nil: undefined }) }), { maxLength: 8 });

/** Quantities that end a tier exactly, once the free units are taken. */
const boundsOf = (charge: OracleCharge): readonly string[] => JSON.stringify(pricesOf(charge)).match(/(?<="upTo":")[0-9.]+/g)?.map((bound) => Decimal.parse(bound).plus(Decimal.parse(charge.freeUnits ?? '0')).toString()) ?? [];

/** Usage of a charge: groups in any order, some of them of the same line. What single events are priced from is of one group. */
const groupsFor = (charge: OracleCharge): fc.Arbitrary<readonly OracleGroup[]> => {
  const windows = charge.schedule === undefined ? [undefined] : [undefined, ...WINDOWS];
  const quantities = fc.oneof({ weight: 7, arbitrary: decimals(0, 600, 4) }, { weight: 1, arbitrary: decimals(-300, 0, 2) }, { weight: 3, arbitrary: fc.constantFrom('0', ...boundsOf(charge)) });
  const groupOf = (window: string | undefined) => {
    const price = pricesOf(charge)[window === undefined ? windows.length - 1 : WINDOWS.indexOf(window)]!;
    const matrix = price.model === 'matrix';
    if (looksAtEvents(price)) return events.map((all): readonly OracleGroup[] => [{ dimensions: {}, window, events: all, quantity: Decimal.sum(all.map(({ value }) => Decimal.parse(value))).toString() }]);
    const dimensions = matrix ? fc.record({ region: fc.constantFrom(...REGIONS), size: fc.constantFrom(...SIZES) }) : fc.constant({});
    return fc.array(fc.record({ dimensions, quantity: quantities }), { maxLength: matrix ? 6 : 3 }).map((all): readonly OracleGroup[] => all.map((one) => ({ ...one, window })));
  };
  return fc.tuple(...windows.map(groupOf)).chain((all) => fc.shuffledSubarray(all.flat(), { minLength: all.flat().length }));
};

/** What was over of the aligned period at the start and the end of the part that is billed; in lowest terms or not. */
export const slices = fc.tuple(fc.oneof(fc.nat(31), fc.constant(0)), fc.oneof(fc.nat(31), fc.constant(31)), fc.constantFrom(1n, 77_777n), fc.constantFrom(1n, 3n)).map(([one, other, times, before]) => ({
  start: { numerator: BigInt(Math.min(one, other)) * before, denominator: 31n * before }, end: { numerator: BigInt(Math.max(one, other)) * times, denominator: 31n * times },
}));

/** A plan's charge and its usage, with all that they are rated by. */
export const ratings = currencies.chain((currency) => charges(DIGITS[currency]).chain((charge) => fc.record({
  currency: fc.constant(currency), charge: fc.constant(charge), groups: groupsFor(charge), rounding: roundings, slice: fc.option(slices, { nil: undefined }), isAmountShared: fc.boolean(),
})));

const RATES = [{ key: 'vat', rate: '19' }, { key: 'city', rate: '2.5' }, { key: 'tiny', rate: '0.125' }, { key: 'wine', rate: '60' }, { key: 'zero', rate: '0' }];
/** The most lines that coupons of lines name. */
export const LINES_MAX = 10;

/** How a line is taxed. */
export const taxes = fc.record({ taxBehavior: fc.constantFrom('exclusive' as const, 'inclusive' as const), taxRates: fc.subarray(RATES) });

/** Coupons of lines and of the invoice, those that go with others and those that do not. */
export const coupons = (digits: number) => fc.array(fc.record({
  discount: fc.oneof(fc.record({ type: fc.constant('percent' as const), value: decimals(0, 100, 2) }), fc.record({ type: fc.constant('amount' as const), value: decimals(0, 200, digits) })),
  lineIds: maybe(fc.subarray(Array.from({ length: LINES_MAX }, (_, nth) => `line_${nth}`))), stackable: fc.boolean(),
}), { maxLength: 4 }).map((all) => all.map((coupon, nth) => ({ key: `coupon_${nth}`, ...coupon })));

/** How an invoice is rounded. */
export const roundingRules = { rounding: roundings, taxRounding: fc.constantFrom('invoice' as const, 'line' as const), inclusiveRounding: fc.constantFrom('net' as const, 'tax' as const) };

/** A whole plan with all of its usage, its taxes and coupons. */
export const plans = currencies.chain((currency) => {
  const digits = DIGITS[currency];
  const used = charges(digits).chain((charge) => fc.record({ charge: fc.constant(charge), groups: groupsFor(charge), isAmountShared: fc.boolean() }));
  return fc.record({
    currency: fc.constant(currency), fees: fc.array(fc.record({ price: feePrices(digits), quantity: decimals(0, 400, 2), freeUnits: maybe(decimals(0, 50, 1)), chargeFlatAtZero: fc.boolean() }), { maxLength: 2 }), usage: fc.array(used, { minLength: 1, maxLength: 2 }),
    commitment: maybe(commitments(digits)), slice: fc.option(slices, { nil: undefined }), taxes: fc.array(taxes, { minLength: 1, maxLength: 4 }), coupons: coupons(digits), credits: fc.array(decimals(0, 400, digits), { maxLength: 2 }), ...roundingRules,
  });
});
