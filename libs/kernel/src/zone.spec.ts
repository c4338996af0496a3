import { addLocalDays, assertZone, daysBetween, instantOfLocal, localDateOf, localMidnightOf, localOf, startOfLocalDate } from './zone';

test('a zone is known by its IANA name in any letter case', () => {
  expect([assertZone('europe/berlin'), assertZone('UTC'), assertZone('Etc/GMT+5')]).toEqual(['Europe/Berlin', 'UTC', 'Etc/GMT+5']);
});

test('a wall and an instant translate into each other', () => {
  expect(instantOfLocal('2024-07-01T00:00:00', 'America/New_York')).toBe('2024-07-01T04:00:00Z');
  expect(localOf('2024-07-01T04:00:00.250Z', 'America/New_York')).toBe('2024-07-01T00:00:00.25');
  expect(localDateOf('2024-07-01T03:59:59.999999Z', 'America/New_York')).toBe('2024-06-30');
});

test('a day without midnight starts at the end of the gap', () => {
  // Santiago moves its clocks at midnight: 8 September 2024 starts at 01:00, -03:00.
  expect(startOfLocalDate('2024-09-08', 'America/Santiago')).toBe('2024-09-08T04:00:00Z');
  expect(localMidnightOf('2024-09-08T20:00:00Z', 'America/Santiago')).toBe('2024-09-08T04:00:00Z');
});

test('days later means the same time on the wall', () => {
  // 12:00 in Berlin on the day before and after summer time starts: 11:00Z, then 10:00Z.
  expect(addLocalDays('2024-03-30T11:00:00Z', 1, 'Europe/Berlin')).toBe('2024-03-31T10:00:00Z');
  expect(addLocalDays('2024-03-31T10:00:00Z', -1, 'Europe/Berlin')).toBe('2024-03-30T11:00:00Z');
  expect(daysBetween('2024-02-01', '2024-03-01')).toBe(29);
});

test('a local time that is none is refused', () => {
  expect(() => daysBetween('2024-02-30', '2024-03-01')).toThrow(expect.objectContaining({ code: 'invalid_local_time' }));
  expect(() => instantOfLocal('2024-02-01 00:00:00', 'UTC')).toThrow(expect.objectContaining({ code: 'invalid_local_time' }));
});
