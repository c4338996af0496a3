import { Decimal } from '@valueverse/kernel';
import type { Charge } from '@valueverse/contracts';
import { priceItems, totalOf, type PricedLine, type Pricing } from './lines';
import { DECEMBER, draft, NOVEMBER, platform, prompt, statement, usageCharge } from './invoice.spec-kit';

const pricing = (currency: string, more: Partial<Pricing> = {}): Pricing => ({ invoiceId: 'inv_1', kind: 'cycle', currency, rounding: 'half_up', statements: new Map(), credited: {}, interim: [], ...more });
const usageLine = (charge: Charge, quantity: readonly string[], currency = 'USD'): PricedLine => priceItems(draft([charge], [], currency).items, pricing(currency, { statements: new Map([[`req_${charge.key}`, statement(...quantity)]]) }))[0]!;
/** The fee of a first period that begins at `from`, in a whole period from `aligned`. */
const feeLine = (amount: string, { from, aligned = NOVEMBER, currency = 'USD', zone = 'UTC' }: { from: string; aligned?: { from: string; to: string }; currency?: string; zone?: string }): PricedLine =>
  priceItems([{ itemId: 'item_1', kind: 'fee', charge: { ...platform, price: { model: 'flat', amount } }, aligned, served: { from, to: aligned.to }, zone }], pricing(currency))[0]!;
const sumOf = ({ steps }: PricedLine): string => Decimal.sum(steps.map((step) => Decimal.parse((step as { amount: string }).amount))).toString();

test('graduated prices: each part at its own tier', () => {
  const line = usageLine(prompt, ['40421844']);
  // 10,000,000 x 0.0000025 + 30,421,844 x 0.000002 = 25 + 60.843688 = 85.84
  expect(line).toMatchObject({ quantity: '40421844', amount: '85.84', servicePeriod: NOVEMBER });
  expect(line.steps).toMatchObject([{ kind: 'tier', quantity: '10000000', amount: '25' }, { kind: 'tier', quantity: '30421844', amount: '60.843688' }, { kind: 'rounding', amount: '-0.003688' }]);
});
test('the groups of a statement are one quantity, and the tiers count it once', () => {
  expect(usageLine(prompt, ['30000000', '10421844'])).toMatchObject({ quantity: '40421844', amount: '85.84' });
  expect(totalOf([]).toString()).toBe('0');
});
test('the bound of a tier belongs to it', () => {
  expect(usageLine(prompt, ['10000000']).amount).toBe('25.00');
  expect(usageLine(prompt, ['10000001']).amount).toBe('25.00'); // 25.000002
});
test('usage of nothing is a line over nothing; its flat part is due only where the charge says so', () => {
  const charge: Charge = { ...prompt, price: { model: 'graduated', tiers: [{ upTo: null, unitAmount: '1', flatAmount: '5.00' }] } };
  expect(usageLine(charge, [])).toMatchObject({ quantity: '0', amount: '0.00', steps: [] });
  expect(usageLine({ ...charge, chargeFlatAtZero: true }, [])).toMatchObject({ quantity: '0', amount: '5.00' });
  expect(usageLine(charge, ['2']).amount).toBe('7.00');
});
test.each([
  ['USD', '0.125', '1', '0.13'], ['USD', '0.125', '-1', '-0.13'], ['JPY', '0.5', '1', '1'], ['JPY', '0.5', '-1', '-1'], ['JPY', '0.49', '1', '0'], ['KWD', '0.0005', '1', '0.001'], ['KWD', '0.0004', '1', '0.000'],
])('a line in %s is rounded once, half away from zero: %s x %s = %s', (currency, unitAmount, quantity, amount) => {
  const line = usageLine(usageCharge('calls', unitAmount), [quantity], currency);
  expect(line).toMatchObject({ amount });
  expect(Decimal.parse(sumOf(line)).equals(Decimal.parse(amount))).toBe(true);
});
test('many digits stay exact', () => {
  const line = usageLine(usageCharge('bytes', '0.000000000000000001'), ['123456789012345678901234567890']);
  expect(line.amount).toBe('123456789012.35');
});

describe('a fee', () => {
  test('of a whole period is the fee', () => expect(feeLine('49.00', { from: NOVEMBER.from })).toMatchObject({ quantity: '1', amount: '49.00', steps: [{ kind: 'flat' }] }));
  test.each([
    // 30 days: from the 16th on 15 are served. 49.00 - round(49.00 x 15/30 = 24.50)
    ['2023-11-16T00:00:00Z', '24.50'],
    // The day of the start is served, whatever the hour.
    ['2023-11-16T10:07:33Z', '24.50'], ['2023-11-16T23:59:59.999999Z', '24.50'], ['2023-11-30T23:00:00Z', '1.63'],
    // The first day has begun and is served: the whole fee.
    ['2023-11-01T15:00:00Z', '49.00'],
  ])('from %s on is %s', (from, amount) => {
    const line = feeLine('49.00', { from });
    expect(line.amount).toBe(amount);
  });
  test('days are those of the zone', () => {
    const aligned = { from: '2023-11-01T04:00:00Z', to: '2023-12-01T05:00:00Z' }; // November in New York, with an hour more on the 5th
    // 03:30 UTC on the 16th is the evening of the 15th: 16 of 30 days.
    expect(feeLine('30.00', { from: '2023-11-16T03:30:00Z', aligned, zone: 'America/New_York' }).amount).toBe('16.00');
    expect(feeLine('30.00', { from: '2023-11-16T05:00:00Z', aligned, zone: 'America/New_York' }).amount).toBe('15.00');
  });
  test.each([['JPY', '1000', '333'], ['KWD', '10.000', '3.333'], ['USD', '10.00', '3.33']])('of a third of a month in %s: %s gives %s', (currency, full, amount) =>
    // 10 of 30 days: full - round(full x 20/30)
    expect(feeLine(full, { from: '2023-11-21T00:00:00Z', currency }).amount).toBe(amount));
  test('explains itself: its steps add up to what it costs', () => {
    const line = feeLine('49.00', { from: '2023-11-16T00:00:00Z' });
    expect(sumOf(line)).toBe('24.5');
    expect(line.steps).toMatchObject([{ kind: 'proration', numerator: '30', denominator: '30', amount: '49' }, { kind: 'proration', numerator: '15', denominator: '30', amount: '-24.5' }]);
  });
});

test('lines stand in the order of the plan, what was used before what is due', () => {
  const lines = priceItems(draft([{ ...platform, key: 'support', timing: 'in_arrears' }, prompt]).items, pricing('USD', { statements: new Map([['req_prompt', statement('1')]]) }));
  expect(lines.map(({ chargeKey, servicePeriod }) => [chargeKey, servicePeriod.from])).toEqual([['support', NOVEMBER.from], ['prompt', NOVEMBER.from], ['platform', DECEMBER.from]]);
  expect(new Set(lines.map(({ lineId }) => lineId)).size).toBe(3);
});

describe('a line that is given back', () => {
  const lineId = 'line_paid';
  const back = (from: string, to: string, left?: string): PricedLine[] => {
    const credited = { [lineId]: { amount: '30.00', paid: '30.00', servicePeriod: NOVEMBER, taxes: [], ...(left === undefined ? {} : { left }) } };
    const item = { kind: 'credit' as const, charge: { ...platform, price: { model: 'flat', amount: '30.00' } }, aligned: NOVEMBER, zone: 'UTC', credits: { invoiceId: 'inv_0', lineId } };
    return priceItems([{ ...item, itemId: 'i1', served: { from, to: '2023-11-26T00:00:00Z' } }, { ...item, itemId: 'i2', served: { from: '2023-11-26T00:00:00Z', to } }], pricing('USD', { credited }));
  };
  const whole = ['2023-11-16T00:00:00Z', NOVEMBER.to] as const;
  test('gives back what is unused', () => expect(back(...whole).map(({ amount }) => amount)).toEqual(['-10.00', '-5.00']));
  test.each([['30.00', ['-10.00', '-5.00']], ['12.00', ['-10.00', '-2.00']], ['4.00', ['-4.00']], ['0.00', []]])('and no more than is left of it, which is %s after a note by hand', (left, amounts) => {
    const lines = back(...whole, left);
    expect(lines.map(({ amount }) => amount)).toEqual(amounts);
    for (const line of lines) expect(Decimal.parse(sumOf(line)).equals(Decimal.parse(line.amount))).toBe(true);
  });
});

test('what an interim invoice has charged of usage that was taken back is given back, also where no line of that usage is left', () => {
  const price = { model: 'matrix', dimensions: ['region'], cells: [{ match: { region: 'eu' }, price: { model: 'per_unit', unitAmount: '1' } }, { match: { region: 'us' }, price: { model: 'per_unit', unitAmount: '2' } }] };
  const charge: Charge = { ...prompt, price };
  const items = draft([charge]).items.filter(({ kind }) => kind === 'usage');
  const of = (region: string, amount: string) => ({ itemId: items[0]!.itemId, invoiceId: 'inv_0', lineId: `line_${region}`, dimensions: { region }, amount });
  const statements = new Map([['req_prompt', { ...statement(), quantities: [{ group: { region: 'eu' }, value: '3', events: 3 }] }]]);
  const lines = priceItems(items, pricing('USD', { statements, interim: [of('eu', '2.00'), of('us', '8.00')] }));
  expect(lines.map(({ description, quantity, amount, credits }) => [description, quantity, amount, credits?.lineId])).toEqual([['Prompt tokens (eu)', '3', '1.00', undefined], ['Prompt tokens (us)', '0', '-8.00', 'line_us']]);
  expect(new Set(lines.map(({ lineId }) => lineId)).size).toBe(2);
  // Before metering has answered nothing is known to be gone.
  expect(priceItems(items, pricing('USD', { interim: [of('us', '8.00')] }))).toEqual([]);
});

test('what an interim invoice has charged with a discount is given back less that, in pieces as in one', () => {
  const items = draft([prompt]).items.filter(({ kind }) => kind === 'usage');
  const charged = { itemId: items[0]!.itemId, invoiceId: 'inv_0', lineId: 'line_0', dimensions: {}, amount: '10.00' };
  // A third was taken off: 10.00 - 3.33.
  const credited = { line_0: { amount: '10.00', paid: '6.67', left: '6.67', servicePeriod: NOVEMBER, taxes: [] } };
  const back = (interim: Pricing['interim'], tokens: string): readonly string[] => priceItems(items, pricing('USD', { statements: new Map([['req_prompt', statement(tokens)]]), credited, interim }))
    .map((line) => { expect(sumOf(line)).toBe(Decimal.parse(line.amount).toString()); return `${line.amount} of ${line.credits?.lineId}`; });
  // 2,000,000 tokens are 5.00: 5.00 back, less 1.67 (3.33 x 5 / 10 = 1.665).
  expect(back([charged], '2000000')).toEqual(['-3.33 of line_0']);
  // Where 5.00 of it were given back before, the other half is 5.00 less 1.66: 6.67 in all.
  const before = { itemId: items[0]!.itemId, invoiceId: 'inv_1', lineId: 'line_1', dimensions: {}, amount: '-5', creditsLineId: 'line_0' };
  expect(back([charged, before], '0')).toEqual(['-3.34 of line_0']);
});

test('of usage that is below zero itself only what was charged goes back to what took it', () => {
  const charge: Charge = { ...prompt, price: { model: 'per_unit', unitAmount: '1' } };
  const items = draft([charge]).items.filter(({ kind }) => kind === 'usage');
  const charged = { itemId: items[0]!.itemId, invoiceId: 'inv_0', lineId: 'line_0', dimensions: {}, amount: '5.00' };
  const lines = priceItems(items, pricing('USD', { statements: new Map([['req_prompt', statement('-2')]]), interim: [charged] }));
  // -2.00 of the whole, and 5.00 back.
  expect(lines.map(({ amount, credits }) => [amount, credits?.lineId])).toEqual([['-2.00', undefined], ['-5.00', 'line_0']]);
});
