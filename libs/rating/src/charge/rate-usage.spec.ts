import { Decimal, type Fraction, Money } from '@valueverse/kernel';
import type { Slice } from '../proration';
import { sumOfSteps } from '../step';
import { readChargeTerms } from './charge-terms';
import { rateCommitment } from './rate-commitment';
import { type RatedLine, rateUsage } from './rate-usage';
import type { UsageGroup } from './usage-groups';

const d = (text: string): Decimal => Decimal.parse(text);
const part = (numerator: number, denominator: number): Fraction => ({ numerator: BigInt(numerator), denominator: BigInt(denominator) });
const group = (quantity: string, more: Partial<UsageGroup> = {}): UsageGroup => ({ dimensions: {}, quantity: d(quantity), billed: d(quantity), ...more });
interface Given { readonly currency?: string; readonly slice?: Slice; readonly isAmountShared?: boolean }
const rate = (charge: unknown, groups: readonly (string | UsageGroup)[], { currency = 'USD', ...more }: Given = {}): readonly RatedLine[] => {
  const read = readChargeTerms(charge, '', currency);
  if ('errors' in read) throw new Error(JSON.stringify(read.errors));
  const lines = rateUsage({ charge: read.terms, groups: groups.map((one) => (typeof one === 'string' ? group(one) : one)), currency, rounding: 'half_up', ...more });
  for (const { steps, amount } of lines) expect(sumOfSteps(steps)).toEqual(amount.toDecimal());
  return lines;
};
const shown = (lines: readonly RatedLine[]): string[] => lines.map(({ type, window, dimensions, amount }) => [type === 'usage' ? '' : type, window, ...Object.values(dimensions), amount.toString()].filter(Boolean).join(' '));
const ONE = { model: 'per_unit', unitAmount: '1' };
const HALF: Slice = { elapsedAtStart: part(0, 2), elapsedAtEnd: part(1, 2) };

test('free units are taken first, and tiers count from the rest', () => {
  const price = { model: 'graduated', tiers: [{ upTo: '10', unitAmount: '2' }, { unitAmount: '1' }] };
  // 25 less 5 free: 10 x 2 + 10 x 1.
  const [line] = rate({ price, freeUnits: '5' }, ['25']);
  expect([line!.amount.toString(), line!.quantity.toString(), line!.billedQuantity.toString()]).toEqual(['30.00', '25', '20']);
  expect(line!.steps[0]).toEqual({ kind: 'free_units', freeUnits: '5', quantity: '5', amount: '0' });
  expect(shown(rate({ price, freeUnits: '5' }, ['3']))).toEqual(['0.00']);
  expect(shown(rate({ price, freeUnits: '5' }, ['-3']))).toEqual(['-6.00']);
});

test('usage that came in pieces or in another order is the same usage', () => {
  const price = { model: 'graduated', tiers: [{ upTo: '10', unitAmount: '2' }, { unitAmount: '1' }] };
  expect(rate({ price, freeUnits: '5' }, ['20', '5'])).toEqual(rate({ price, freeUnits: '5' }, ['25']));
});

const MATRIX = {
  model: 'matrix', dimensions: ['region'],
  cells: [{ match: { region: 'us' }, price: { model: 'per_unit', unitAmount: '2' } }, { match: { region: 'eu' }, price: ONE }],
  default: { model: 'per_unit', unitAmount: '5' },
};
const of = (region: string, quantity: string): UsageGroup => group(quantity, { dimensions: { region } });

test('a matrix has a line per cell that has usage, in the order of the cells, and free units are taken in that order', () => {
  expect(shown(rate({ price: MATRIX }, [of('zz', '1'), of('eu', '10'), of('aa', '2'), of('us', '3')]))).toEqual(['us 6.00', 'eu 10.00', 'aa 10.00', 'zz 5.00']);
  expect(shown(rate({ price: MATRIX }, [of('eu', '0')]))).toEqual([]);
  const lines = rate({ price: MATRIX, freeUnits: '5' }, [of('eu', '10'), of('us', '3')]);
  expect(lines.map(({ billedQuantity }) => billedQuantity.toString())).toEqual(['0', '8']);
  expect(shown(lines)).toEqual(['us 0.00', 'eu 8.00']);
});

test('a combination without a price costs nothing, and its line says so', () => {
  const { default: _, ...price } = MATRIX;
  expect(rate({ price }, [of('fr', '4')])).toMatchObject([{ dimensions: { region: 'fr' }, steps: [{ kind: 'unpriced', quantity: '4' }] }]);
});

test('what is missing to a minimum is a line of its own', () => {
  const lines = rate({ price: ONE, minimumAmount: '50' }, ['30']);
  expect(shown(lines)).toEqual(['30.00', 'true_up 20.00']);
  expect(lines[1]!.steps).toEqual([{ kind: 'minimum', full: '50', amount: '50' }, { kind: 'spent', amount: '-30' }]);
  expect(shown(rate({ price: ONE, minimumAmount: '50' }, []))).toEqual(['true_up 50.00']);
  expect(shown(rate({ price: ONE, minimumAmount: '50' }, ['50']))).toEqual(['50.00']);
});

test('the greater of a minimum and a commitment is due, once', () => {
  expect(shown(rate({ price: ONE, minimumAmount: '50', commitment: { amount: '60' } }, ['30']))).toEqual(['30.00', 'true_up 30.00']);
  expect(shown(rate({ price: ONE, minimumAmount: '50', commitment: { amount: '60', trueUp: false } }, ['30']))).toEqual(['30.00', 'true_up 20.00']);
});

test('a maximum is a step of the lines that go over it', () => {
  const [line] = rate({ price: ONE, maximumAmount: '25' }, ['30']);
  expect(line).toMatchObject({ steps: [{ kind: 'unit', amount: '30' }, { kind: 'maximum', full: '25', maximum: '25', amount: '-5' }] });
  // us 6 stays, eu 10 is cut to 4, the others get nothing more.
  expect(shown(rate({ price: MATRIX, maximumAmount: '10' }, [of('us', '3'), of('eu', '10'), of('fr', '1')]))).toEqual(['us 6.00', 'eu 4.00', 'fr 0.00']);
});

test('what is above a commitment costs its factor, in the order of the lines', () => {
  const [line] = rate({ price: ONE, commitment: { amount: '20', overageFactor: '1.5' } }, ['30']);
  // 20 + 10 x 1.5
  expect(line).toMatchObject({ steps: [{ kind: 'unit' }, { kind: 'overage', full: '20', committed: '20', above: '10', factor: '1.5', amount: '5' }] });
  expect(line!.amount.toString()).toBe('35.00');
  // us 6 fill 6 of 10; eu 10: 4 fill the rest, 6 cost double.
  expect(shown(rate({ price: MATRIX, commitment: { amount: '10', overageFactor: '2' } }, [of('us', '3'), of('eu', '10')]))).toEqual(['us 6.00', 'eu 16.00']);
  expect(shown(rate({ price: ONE, commitment: { amount: '20', overageFactor: '2' } }, ['12']))).toEqual(['12.00', 'true_up 8.00']);
});

test('each window has its price and its commitment', () => {
  const schedule = {
    windows: [{ name: 'night', from: '00:00', to: '06:00', price: { model: 'per_unit', unitAmount: '1', commitment: { amount: '4', overageFactor: '2' } } }],
    otherwise: { model: 'per_unit', unitAmount: '3' },
  };
  const night = (quantity: string) => group(quantity, { window: 'night' });
  expect(shown(rate({ schedule }, ['5', night('10')]))).toEqual(['night 16.00', '15.00']);
  expect(shown(rate({ schedule }, ['5', night('1')]))).toEqual(['night 1.00', '15.00', 'true_up night 3.00']);
  expect(shown(rate({ schedule, freeUnits: '12' }, ['5', night('10')]))).toEqual(['night 0.00', '9.00', 'true_up night 4.00']);
  expect(shown(rate({ schedule, minimumAmount: '40' }, ['5', night('10')]))).toEqual(['night 16.00', '15.00', 'true_up 9.00']);
  expect(() => rate({ schedule }, [group('1', { window: 'noon' })])).toThrow(RangeError);
});

test('a commitment beside a percentage does not make it look at single events', () => {
  const schedule = { windows: [{ name: 'night', from: '00:00', to: '06:00', price: { model: 'percentage', rate: '10', commitment: { amount: '4', overageFactor: '2' } } }], otherwise: ONE };
  // 10 % of 100 is 10: 4, and 6 twice.
  expect(shown(rate({ schedule, freeUnits: '50' }, [group('150', { window: 'night' })]))).toEqual(['night 16.00']);
});

test('what single events cost is added up over the groups of a line', () => {
  const terms = { kind: 'dynamic', amountProperty: '$.cost' };
  const priced = (amount: string, unpriced?: number) => ({ amount, paidValue: '2', freeEvents: 1, paidEvents: 3, unpriced });
  const [line] = rate({ price: { model: 'dynamic', amountProperty: '$.cost' } }, [group('2', { priced: priced('1.25') }), group('2', { priced: priced('0.5', 4) })]);
  expect(line!.steps).toEqual([{ kind: 'events', terms, freeEvents: 2, paidEvents: 6, unpriced: 4, paidValue: '4', amount: '1.75' }]);
});

test('usage of single events is not billed as nothing because nobody asked what they cost', () => {
  const charge = { price: { model: 'dynamic', amountProperty: '$.cost' } };
  expect(() => rate(charge, ['5'])).toThrow('ask metering with eventTermsOf(price) as terms');
  expect(shown(rate(charge, ['0', group('5', { events: 0 })]))).toEqual(['0.00']);
});

test('in a part of a period minimum, maximum and commitment are those of the part, bounds and free units only where wanted', () => {
  const slice = HALF;
  expect(shown(rate({ price: ONE, minimumAmount: '50' }, ['10'], { slice }))).toEqual(['10.00', 'true_up 15.00']);
  expect(shown(rate({ price: ONE, minimumAmount: '50', proration: { prorateAmounts: false } }, ['10'], { slice }))).toEqual(['10.00', 'true_up 40.00']);
  expect(shown(rate({ price: ONE, maximumAmount: '25' }, ['20'], { slice }))).toEqual(['12.50']);
  expect(shown(rate({ price: ONE, commitment: { amount: '20', overageFactor: '2' } }, ['11'], { slice }))).toEqual(['12.00']);
  expect(shown(rate({ price: ONE, freeUnits: '8' }, ['10'], { slice }))).toEqual(['2.00']);
  expect(shown(rate({ price: ONE, freeUnits: '8', proration: { prorateBounds: true } }, ['10'], { slice }))).toEqual(['6.00']);
});

test('the minimum of the parts of a period adds up to the minimum', () => {
  const thirds = [0, 1, 2].map((nth) => rate({ price: ONE, minimumAmount: '100' }, [], { slice: { elapsedAtStart: part(nth, 3), elapsedAtEnd: part(nth + 1, 3) } }));
  expect(thirds.map((lines) => shown(lines).join())).toEqual(['true_up 33.33', 'true_up 33.34', 'true_up 33.33']);
  expect(thirds[1]![0]!.steps).toEqual([{
    kind: 'minimum', full: '100', part: { start: { numerator: '1', denominator: '3' }, end: { numerator: '2', denominator: '3' } }, amount: '33.34',
  }]);
});

test('the amount of a part is its share of the period where the aggregation is no sum', () => {
  // A peak of 10 x 1 for 10 of 31 days: 3.2258.
  const slice = { elapsedAtStart: part(21, 31), elapsedAtEnd: part(31, 31) };
  const [line] = rate({ price: ONE }, ['10'], { slice, isAmountShared: true });
  expect(line).toMatchObject({ steps: [{ kind: 'unit', amount: '10' }, { kind: 'share', full: '10', numerator: '10', denominator: '31', amount: '-6.77' }] });
  expect(line!.amount.toString()).toBe('3.23');
  expect(shown(rate({ price: ONE }, ['10'], { isAmountShared: true }))).toEqual(['10.00']);
});

test('a peak that lasts costs the same in one part or in two, also where bounds are prorated', () => {
  const charge = { price: { model: 'graduated', tiers: [{ upTo: '6', unitAmount: '1' }, { unitAmount: '3' }] }, freeUnits: '2', proration: { prorateBounds: true } };
  const halves = [HALF, { elapsedAtStart: part(1, 2), elapsedAtEnd: part(2, 2) }].map((slice) => shown(rate(charge, ['10'], { slice, isAmountShared: true })));
  expect([shown(rate(charge, ['10'], { isAmountShared: true })), ...halves]).toEqual([['12.00'], ['6.00'], ['6.00']]);
});

test('every line of a charge has a key of its own, whoever it is of', () => {
  const commitment = { amount: '100' };
  const schedule = { windows: [{ name: 'night', from: '00:00', to: '06:00', price: { ...MATRIX, commitment } }], otherwise: { ...ONE, commitment } };
  const lines = rate({ schedule, minimumAmount: '500' }, [{ ...of('us', '1'), window: 'night' }, { ...of('eu', '1'), window: 'night' }, group('1')]);
  expect(lines.map(({ key }) => key)).toEqual(['["usage","night","us"]', '["usage","night","eu"]', '["usage",null]', '["true_up","night"]', '["true_up",null]', '["true_up"]']);
});

test('a commitment of a plan is over the lines of all its charges', () => {
  const usd = (text: string): Money => Money.parse(text, 'USD');
  const measured = { currency: 'USD', rounding: 'half_up' } as const;
  const { added, trueUp } = rateCommitment([usd('60.00'), usd('70.00'), usd('0.05')], { amount: '100', overageFactor: '1.5' }, measured);
  // 30 of the second line are above, all of the third: 15.00 and 0.025, which is 0.03 as 15.025 is rounded.
  expect(added.map((one) => one?.amount.toString())).toEqual([undefined, '15.00', '0.03']);
  for (const one of added) if (one !== undefined) expect(sumOfSteps(one.steps)).toEqual(one.amount.toDecimal());
  expect(trueUp).toBeUndefined();
  expect(rateCommitment([usd('60.00')], { amount: '100' }, measured)).toMatchObject({ added: [undefined], trueUp: { type: 'true_up', amount: usd('40.00') } });
  expect(rateCommitment([usd('60.00')], { amount: '100' }, { ...measured, slice: HALF }).trueUp).toBeUndefined();
});
