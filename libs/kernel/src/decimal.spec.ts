import OracleDecimal from 'decimal.js';
import * as fc from 'fast-check';
import { runs } from '@valueverse/testing';
import { Decimal, DECIMAL_DIGITS_MAX } from './decimal';
import { type Rounding, ROUNDINGS } from './rounding';

const Oracle = OracleDecimal.clone({ precision: 200, toExpNeg: -400, toExpPos: 400 });
const ORACLE_ROUNDING: Record<Rounding, OracleDecimal.Rounding> = {
  up: Oracle.ROUND_UP, down: Oracle.ROUND_DOWN, ceiling: Oracle.ROUND_CEIL, floor: Oracle.ROUND_FLOOR,
  half_up: Oracle.ROUND_HALF_UP, half_even: Oracle.ROUND_HALF_EVEN,
};
const decimalText = fc
  .tuple(fc.bigInt({ min: -(10n ** 24n), max: 10n ** 24n }), fc.integer({ min: 0, max: 18 }))
  .map(([coefficient, scale]) => Decimal.scaled(coefficient, scale).toString());
const seeded = runs(20240131, 400);
const codeOf = (act: () => unknown): string => {
  try {
    act();
  } catch (error) {
    return (error as { code: string }).code;
  }
  return 'nothing was refused';
};

test('a decimal is read from its text and written in its one canonical form', () => {
  const cases = [['0', '0'], ['-0', '0'], ['-0.00', '0'], ['+5', '5'], ['007', '7'], ['1.50', '1.5'], ['-0.05', '-0.05'], ['100', '100'], ['0.0000025', '0.0000025']];
  for (const [text, canonical] of cases) expect(Decimal.parse(text!).toString()).toBe(canonical);
});

test('what is not a plain decimal is refused', () => {
  for (const text of ['', '-', '+', '.', '.5', '5.', '1e3', '1E3', ' 1', '1 ', '1,5', '1_000', '0x10', 'NaN', 'Infinity', '--1', '1.2.3', '１', '٣'])
    expect(codeOf(() => Decimal.parse(text))).toBe('invalid_decimal');
  expect(codeOf(() => Decimal.parse(12 as unknown as string))).toBe('invalid_decimal');
});

test('the limit of digits holds before and after the point together', () => {
  const longest = `-${'9'.repeat(DECIMAL_DIGITS_MAX - 1)}.7`;
  expect(Decimal.parse(longest).toString()).toBe(longest);
  expect(codeOf(() => Decimal.parse('9'.repeat(DECIMAL_DIGITS_MAX + 1)))).toBe('invalid_decimal');
  expect(codeOf(() => Decimal.parse('9'.repeat(1_000_000)))).toBe('invalid_decimal');
});

test('sums, differences, products and order agree with decimal.js', () =>
  fc.assert(
    fc.property(decimalText, decimalText, (left, right) => {
      const [a, b, x, y] = [Decimal.parse(left), Decimal.parse(right), new Oracle(left), new Oracle(right)];
      expect(a.plus(b).toString()).toBe(x.plus(y).toString());
      expect(a.minus(b).toString()).toBe(x.minus(y).toString().replace(/^-0$/, '0'));
      expect(a.times(b).toString()).toBe(x.times(y).toString().replace(/^-0$/, '0'));
      expect(a.compare(b)).toBe(x.comparedTo(y));
      expect(a.equals(b)).toBe(x.equals(y));
    }),
    seeded,
  ));

test('quotients and rounding agree with decimal.js under every rule', () =>
  fc.assert(
    fc.property(decimalText, decimalText, fc.integer({ min: 0, max: 14 }), fc.constantFrom(...ROUNDINGS), (left, right, scale, rounding) => {
      const [a, x] = [Decimal.parse(left), new Oracle(left)];
      expect(a.toFixed(scale, rounding)).toBe(x.toFixed(scale, ORACLE_ROUNDING[rounding]).replace(/^-(0(?:\.0+)?)$/, '$1'));
      const [b, y] = [Decimal.parse(right), new Oracle(right)];
      if (b.isZero()) return;
      const quotient = a.dividedBy(b, scale, rounding);
      // The quotient of 24 by 42 digits, written with 200, is never so close to a tie that the oracle is wrong.
      expect(quotient.toFixed(scale)).toBe(x.div(y).toFixed(scale, ORACLE_ROUNDING[rounding]).replace(/^-(0(?:\.0+)?)$/, '$1'));
    }),
    seeded,
  ));

test('a tie goes away from zero by half_up and to the even digit by half_even, for credits as well', () => {
  const rounded = (text: string, rounding: Rounding) => Decimal.parse(text).toFixed(2, rounding);
  expect([rounded('1.005', 'half_up'), rounded('-1.005', 'half_up')]).toEqual(['1.01', '-1.01']);
  expect([rounded('1.005', 'half_even'), rounded('1.015', 'half_even'), rounded('-1.005', 'half_even')]).toEqual(['1.00', '1.02', '-1.00']);
  expect([rounded('-1.001', 'floor'), rounded('-1.009', 'ceiling'), rounded('-1.001', 'up'), rounded('-1.009', 'down')])
    .toEqual(['-1.01', '-1.00', '-1.01', '-1.00']);
  expect(Decimal.parse('-0.004').toFixed(2)).toBe('0.00');
});

test('a number of JSON counts as its shortest decimal form', () => {
  const cases: readonly (readonly [number, string])[] = [
    [0, '0'], [-0, '0'], [0.1, '0.1'], [374, '374'], [1.5e-7, '0.00000015'], [-2.5e-9, '-0.0000000025'],
    [1e21, '1000000000000000000000'], [1.5e22, '15000000000000000000000'], [5e-324, `0.${'0'.repeat(323)}5`], [999999999999999, '999999999999999'],
    [0.30000000000000004 - 0.00000000000000004, '0.3'], [-12.34, '-12.34'], [1e15, '1000000000000000'],
  ];
  for (const [value, text] of cases) expect(Decimal.fromNumberShortest(value).toString()).toBe(text);
});

test('a number of 16 digits may have been another one and is refused', () => {
  for (const value of [0.1 + 0.2, 9007199254740991, 1234567890123456, 1 / 3, 1.234567890123456e-20])
    expect(codeOf(() => Decimal.fromNumberShortest(value))).toBe('unsafe_number');
  for (const value of [NaN, Infinity, -Infinity]) expect(codeOf(() => Decimal.fromNumberShortest(value))).toBe('invalid_decimal');
});

test('every double of up to 15 digits comes back as the text it was written as', () =>
  fc.assert(
    fc.property(fc.bigInt({ min: -(10n ** 15n) + 1n, max: 10n ** 15n - 1n }), fc.integer({ min: 0, max: 12 }), (coefficient, scale) => {
      const text = Decimal.scaled(coefficient, scale).toString();
      expect(Decimal.fromNumberShortest(Number(text)).toString()).toBe(text);
    }),
    seeded,
  ));

test('mistakes of the caller are errors, not refusals', () => {
  expect(() => Decimal.one.dividedBy(Decimal.zero, 2, 'half_up')).toThrow(RangeError);
  expect(() => Decimal.of(0.5)).toThrow(RangeError);
  expect(() => Decimal.of(2 ** 53)).toThrow(RangeError);
  expect(() => Decimal.one.round(-1, 'up')).toThrow(RangeError);
});

test('JSON carries a decimal as a string', () => expect(JSON.stringify({ amount: Decimal.of('12.340') })).toBe('{"amount":"12.34"}'));

test('least, greatest and sum of several', () => {
  const [one, two, three] = [Decimal.of(1), Decimal.of('2.5'), Decimal.of(-3n)];
  expect([Decimal.min(one, two, three), Decimal.max(one, two, three), Decimal.sum([one, two, three])].map(String)).toEqual(['-3', '2.5', '0.5']);
});
