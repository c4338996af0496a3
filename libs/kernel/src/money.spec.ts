import * as fc from 'fast-check';
import { runs } from '@valueverse/testing';
import { currencies, currency, isCurrencyInUse } from './currency';
import { Decimal } from './decimal';
import { Refused } from './decider';
import { Money } from './money';

const seeded = runs(49, 400);
const refused = (code: string) => expect.objectContaining({ code, name: 'Refused' });
const usd = (text: string): Money => Money.parse(text, 'USD');

test('an amount is written with exactly the digits of its currency', () => {
  expect(Money.of(4900n, 'USD').toString()).toBe('49.00');
  expect(Money.of(49n, 'JPY').toString()).toBe('49');
  expect(Money.of(-5n, 'KWD').toString()).toBe('-0.005');
  expect(Money.of(12345n, 'CLF').toString()).toBe('1.2345');
  expect(JSON.stringify({ total: Money.of(0n, 'EUR') })).toBe('{"total":"0.00"}');
});

test('what is written is read back, in every currency', () =>
  fc.assert(
    fc.property(fc.bigInt({ min: -(10n ** 18n), max: 10n ** 18n }), fc.constantFrom(...currencies), (minor, { code }) => {
      const money = Money.of(minor, code);
      expect(Money.parse(money.toString(), code)).toEqual(money);
      expect(Money.fromDecimal(money.toDecimal(), code, 'half_even')).toEqual(money);
    }),
    seeded,
  ));

test('more digits than the currency has are refused, fewer are not', () => {
  expect(() => usd('49.001')).toThrow(refused('money_precision'));
  expect(() => usd('49.000')).toThrow(refused('money_precision'));
  expect(() => Money.parse('49.0', 'JPY')).toThrow(refused('money_precision'));
  expect(() => usd('49,00')).toThrow(refused('invalid_decimal'));
  expect(() => Money.parse('1', 'USDT')).toThrow(refused('unknown_currency'));
  expect(usd('49.5').minor).toBe(4950n);
});

test('a decimal is rounded once, to the digits of the currency', () => {
  // 1.235 USD -> 1.24; 1.2345 KWD -> 1.235; 1.9556789 JPY -> 2.
  expect(Money.fromDecimal(Decimal.of('1.235'), 'USD', 'half_up').toString()).toBe('1.24');
  expect(Money.fromDecimal(Decimal.of('1.2345'), 'KWD', 'half_up').toString()).toBe('1.235');
  expect(Money.fromDecimal(Decimal.of('1.9556789'), 'JPY', 'half_up').toString()).toBe('2');
  expect(Money.fromDecimal(Decimal.of('-0.125'), 'USD', 'half_even').toString()).toBe('-0.12');
});

test('two currencies do not mix', () => {
  const yen = Money.of(1n, 'JPY');
  for (const act of [() => usd('1').add(yen), () => usd('1').subtract(yen), () => usd('1').compare(yen), () => Money.sum([yen], 'USD')])
    expect(act).toThrow(TypeError);
  expect(usd('0').equals(Money.zero('JPY'))).toBe(false);
});

test('sums, order and signs', () => {
  expect(Money.sum([usd('1.10'), usd('-0.20')], 'USD')).toEqual(usd('0.90'));
  expect(Money.sum([], 'JPY')).toEqual(Money.zero('JPY'));
  expect([usd('1').compare(usd('2')), usd('2').compare(usd('2')), usd('2').min(usd('1')), usd('2').max(usd('1'))]).toEqual([-1, 0, usd('1'), usd('2')]);
  expect([usd('-1').abs(), usd('1').negate(), usd('0').isZero(), usd('-1').isNegative()]).toEqual([usd('1'), usd('-1'), true, true]);
  expect(usd('10').timesFraction(1n, 3n, 'half_up')).toEqual(usd('3.33'));
});

test('of equal remainders the earlier wins the cent', () => {
  // 1.00 / 3 = 0.33 each, one cent over: it goes to the first.
  expect(usd('1').allocate([1n, 1n, 1n]).map(String)).toEqual(['0.34', '0.33', '0.33']);
  // 0.05 by 1:2:1 = 1.25, 2.5, 1.25 cents: 1 + 2 + 1, the greatest remainder is the second's.
  expect(usd('0.05').allocate([1n, 2n, 1n]).map(String)).toEqual(['0.01', '0.03', '0.01']);
  expect(usd('-1').allocate([1n, 1n, 1n]).map(String)).toEqual(['-0.34', '-0.33', '-0.33']);
});

test('what is allocated adds up to the whole, and no part is off by a minor unit or more', () =>
  fc.assert(
    fc.property(
      fc.bigInt({ min: -(10n ** 12n), max: 10n ** 12n }),
      fc.array(fc.tuple(fc.bigInt({ min: 0n, max: 10n ** 9n }), fc.integer({ min: 0, max: 6 })), { minLength: 1, maxLength: 30 }),
      fc.constantFrom('USD', 'JPY', 'KWD', 'CLF'),
      (minor, scaled, code) => {
        const weights = scaled.map(([coefficient, scale]) => Decimal.scaled(coefficient, scale));
        const total = Decimal.sum(weights);
        fc.pre(total.isPositive());
        const parts = Money.of(minor, code).allocate(weights);
        expect(Money.sum(parts, code).minor).toBe(minor);
        for (const [index, part] of parts.entries()) {
          const error = Decimal.of(part.minor).times(total).minus(Decimal.of(minor).times(weights[index]!));
          expect(error.abs().lt(total)).toBe(true);
        }
      },
    ),
    seeded,
  ));

test('an amount without anything to allocate it by is a mistake, nothing is not', () => {
  expect(() => usd('1').allocate([0n, 0n])).toThrow(RangeError);
  expect(() => usd('1').allocate([])).toThrow(RangeError);
  expect(() => usd('1').allocate([2n, -1n])).toThrow(RangeError);
  expect(usd('0').allocate([0n, 0n])).toEqual([usd('0'), usd('0')]);
});

test('the table knows currencies of no, two, three and four digits', () => {
  const digits = Object.fromEntries(['JPY', 'KRW', 'ISK', 'USD', 'HUF', 'KWD', 'BHD', 'IQD', 'CLF', 'UYW', 'UYI'].map((code) => [code, currency(code).exponent]));
  expect(digits).toEqual({ JPY: 0, KRW: 0, ISK: 0, USD: 2, HUF: 2, KWD: 3, BHD: 3, IQD: 3, CLF: 4, UYW: 4, UYI: 0 });
  expect(currencies.map(({ code }) => code).every((code) => /^[A-Z]{3}$/.test(code))).toBe(true);
  expect(new Set(currencies.map(({ code }) => code)).size).toBe(currencies.length);
  for (const code of ['usd', 'XXX', 'XAU', '', 'constructor']) expect(() => currency(code)).toThrow(Refused);
});

test('a currency that has ended stays readable and is not in use', () => {
  expect([isCurrencyInUse('BGN', '2025-12-31'), isCurrencyInUse('BGN', '2026-01-01')]).toEqual([true, false]);
  expect([isCurrencyInUse('XCG', '2025-03-30'), isCurrencyInUse('XCG', '2025-03-31'), isCurrencyInUse('ANG', '2025-07-01')]).toEqual([false, true, false]);
  expect(Money.parse('1.95', 'BGN').toString()).toBe('1.95');
});
