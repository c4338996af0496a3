import * as fc from 'fast-check';
import { runs } from '@valueverse/testing';
import { Temporal } from 'temporal-polyfill';
import {
  addDuration, compareInstants, durationMicros, earlierOf, instantFromMicros, INSTANT_TEXT_LENGTH_MAX, isBefore, laterOf, microsBetween, microsNumberOfText,
  microsOf, microsOfText, parseInstant,
} from './instant';
import { fixedClock } from './clock';

const seeded = runs(1970, 1000);
const refused = (code: string) => expect.objectContaining({ code, name: 'Refused' });
const MICROS_MAX = microsNumberOfText('2200-12-31T23:59:59.999999Z');
const micros = fc.integer({ min: 0, max: MICROS_MAX });

test('any offset and any letter case becomes the one form in UTC', () => {
  const cases = [
    ['2023-11-16T18:15:46.680Z', '2023-11-16T18:15:46.680Z'], ['2023-11-16t18:15:46.68z', '2023-11-16T18:15:46.680Z'],
    ['2024-01-31T00:00:00.000000Z', '2024-01-31T00:00:00Z'], ['2024-01-31T01:30:00+01:30', '2024-01-31T00:00:00Z'],
    ['2024-02-28T20:00:00-05:00', '2024-02-29T01:00:00Z'], ['2024-01-31T00:00:00-00:00', '2024-01-31T00:00:00Z'],
    ['2024-01-31T00:00:00.0000019999Z', '2024-01-31T00:00:00.000001Z'], ['1970-01-01T00:00:00Z', '1970-01-01T00:00:00Z'],
    ['2016-12-31T23:59:60Z', '2016-12-31T23:59:59Z'], ['2017-01-01T00:59:60.5+01:00', '2016-12-31T23:59:59.500Z'],
  ];
  for (const [text, instant] of cases) expect(parseInstant(text!)).toBe(instant);
});

test('what is not a time of RFC 3339 is refused', () => {
  for (const text of [
    '', '2024-01-31', '2024-01-31T00:00:00', '2024-01-31 00:00:00Z', '2024-1-31T00:00:00Z', '2024-01-31T24:00:00Z', '2024-02-30T00:00:00Z', '2023-02-29T00:00:00Z',
    '2100-02-29T00:00:00Z', '2024-13-01T00:00:00Z', '2024-00-01T00:00:00Z', '2024-01-00T00:00:00Z', '2024-01-31T00:60:00Z', '2024-01-31T00:00:61Z', '2024-01-31T10:10:60Z',
    '2024-01-31T00:00:00.Z', '2024-01-31T00:00:00,5Z', '2024-01-31T00:00:00+0100', '2024-01-31T00:00:00+01', '2024-01-31T00:00:00+24:00', '2024-01-31T00:00:00+01:60',
    '2024-01-31T00:00:00Zz', '2024-01-31T00:00:00.1.2Z', '+002024-01-31T00:00:00Z', '2024-01-31T00:00:00Z[UTC]', '1969-12-31T23:59:59.999Z', '2201-01-01T00:00:00Z',
    '1970-01-01T00:00:00+00:01', `2024-01-31T00:00:00.${'1'.repeat(INSTANT_TEXT_LENGTH_MAX)}Z`, '202x-01-31T00:00:00Z', '2024-01-31T00:00: 0Z',
  ])
    expect(() => parseInstant(text)).toThrow(refused('invalid_time'));
  expect(() => parseInstant(1700000000 as unknown as string)).toThrow(refused('invalid_time'));
});

test('reading and writing agree with Temporal over the whole range', () =>
  fc.assert(
    fc.property(micros, fc.integer({ min: -23 * 60 - 59, max: 23 * 60 + 59 }), (value, offsetMinutes) => {
      const instant = Temporal.Instant.fromEpochNanoseconds(BigInt(value) * 1000n);
      expect(microsOfText(instant.toString())).toBe(BigInt(value));
      const sign = offsetMinutes < 0 ? '-' : '+';
      const magnitude = Math.abs(offsetMinutes);
      const offset = `${sign}${String(Math.floor(magnitude / 60)).padStart(2, '0')}:${String(magnitude % 60).padStart(2, '0')}`;
      expect(microsNumberOfText(instant.toString({ timeZone: offset }))).toBe(value);
      expect(Temporal.Instant.from(instantFromMicros(value)).epochNanoseconds).toBe(instant.epochNanoseconds);
    }),
    seeded,
  ));

test('the canonical form has no, three or six digits after the point', () => {
  expect([0, 1_000_000, 1_250_000, 1_000_001].map((value) => instantFromMicros(value)))
    .toEqual(['1970-01-01T00:00:00Z', '1970-01-01T00:00:01Z', '1970-01-01T00:00:01.250Z', '1970-01-01T00:00:01.000001Z']);
  for (const value of [-1, MICROS_MAX + 1, 0.5, NaN]) expect(() => instantFromMicros(value)).toThrow(refused('invalid_time'));
  expect(() => instantFromMicros(10n ** 30n)).toThrow(refused('invalid_time'));
});

test('the order is that of time, not of text', () => {
  const [whole, half] = ['2024-01-01T00:00:00Z', '2024-01-01T00:00:00.500Z'];
  expect(whole > half).toBe(true);
  expect([compareInstants(whole, half), compareInstants(half, whole), compareInstants(whole, '2024-01-01T01:00:00+01:00')]).toEqual([-1, 1, 0]);
  expect([isBefore(whole, half), isBefore(whole, whole), earlierOf(half, whole), laterOf(half, whole)]).toEqual([true, false, whole, half]);
});

test('durations are hours, minutes and seconds', () => {
  expect(addDuration('2024-03-31T00:30:00Z', 'PT1H')).toBe('2024-03-31T01:30:00Z');
  expect(addDuration('2024-03-31T00:30:00Z', 'PT90M0.5S')).toBe('2024-03-31T02:00:00.500Z');
  expect(addDuration('2024-03-01T00:00:00Z', '-PT24H')).toBe('2024-02-29T00:00:00Z');
  expect(durationMicros('PT0.000001S')).toBe(1n);
  for (const text of ['', 'PT', 'P1D', 'P1M', 'PT1', 'PT1.5H', 'PT-1H', '1H', 'PT1S1M', 'PT0.0000001S', 'PT9999999999H'])
    expect(() => durationMicros(text)).toThrow(refused('invalid_duration'));
  expect(() => addDuration('2200-12-31T23:30:00Z', 'PT1H')).toThrow(refused('invalid_time'));
});

test('what is between two instants is exact to the microsecond', () => {
  expect(microsBetween('2024-01-01T00:00:00.000001Z', '2024-01-01T00:00:01Z')).toBe(999_999n);
  expect(microsOf('2023-11-16T18:15:46.680Z')).toBe(1_700_158_546_680_000n);
});

test('a fixed clock stands still', () => expect(fixedClock('2023-11-01T01:00:00+01:00').now()).toBe('2023-11-01T00:00:00Z'));
