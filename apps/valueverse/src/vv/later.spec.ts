import { laterBy } from './later';

test.each([
  ['2024-01-31T00:00:00Z', '1mo', '2024-02-29T00:00:00.000Z'],
  ['2023-01-31T10:20:30Z', '1mo', '2023-02-28T10:20:30.000Z'],
  ['2024-02-29T00:00:00Z', '1y', '2025-02-28T00:00:00.000Z'],
  ['2023-12-31T23:00:00Z', '3h', '2024-01-01T02:00:00.000Z'],
  ['2023-12-31T00:00:00Z', '2w', '2024-01-14T00:00:00.000Z'],
  ['2023-11-30T00:00:00Z', '14mo', '2025-01-30T00:00:00.000Z'],
])('%s and %s is %s', (instant, step, expected) => expect(laterBy(instant, step)).toBe(expected));

test('an instant is no step', () => expect(laterBy('2024-01-01T00:00:00Z', '2024-02-01T00:00:00Z')).toBeUndefined());
