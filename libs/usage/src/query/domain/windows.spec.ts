import fc from 'fast-check';
import { runs } from '@valueverse/testing';
import { instantFromMicros, microsNumberOfText } from '@valueverse/kernel';
import { CALENDAR_WINDOWS, type CalendarWindow, windowAt, windowsOf } from './windows';

const shown = (from: string, to: string, size: CalendarWindow, zone: string): string[] => windowsOf(from, to, size, zone).map((window) => `${instantFromMicros(window.from)} ${instantFromMicros(window.to)}`);

test('a day of summer time has 23 hours, one of winter time 25', () => {
  expect(windowsOf('2026-03-28T23:00:00Z', '2026-03-29T22:00:00Z', 'hour', 'Europe/Berlin')).toHaveLength(23);
  expect(windowsOf('2026-10-24T22:00:00Z', '2026-10-25T23:00:00Z', 'hour', 'Europe/Berlin')).toHaveLength(25);
  expect(shown('2026-03-28T00:00:00Z', '2026-03-30T12:00:00Z', 'day', 'Europe/Berlin')).toEqual([
    '2026-03-28T00:00:00Z 2026-03-28T23:00:00Z', '2026-03-28T23:00:00Z 2026-03-29T22:00:00Z', '2026-03-29T22:00:00Z 2026-03-30T12:00:00Z']);
});
test('weeks begin on Monday, in the zone', () => {
  expect(shown('2026-03-04T00:00:00Z', '2026-03-10T00:00:00Z', 'week', 'America/New_York')).toEqual(['2026-03-04T00:00:00Z 2026-03-09T04:00:00Z', '2026-03-09T04:00:00Z 2026-03-10T00:00:00Z']);
});
test('windows are the period, each instant in one of them, wherever it is cut', () => {
  const start = microsNumberOfText('2026-03-01T00:00:00Z');
  fc.assert(fc.property(fc.nat(60 * 86_400), fc.integer({ min: 1, max: 5 * 86_400 }), fc.constantFrom(...CALENDAR_WINDOWS.slice(1)), fc.constantFrom('UTC', 'Europe/Berlin', 'Asia/Kathmandu', 'Australia/Lord_Howe', 'America/St_Johns'), (offset, length, size, zone) => {
    const [from, to] = [start + offset * 1_000_000, start + (offset + length) * 1_000_000];
    const windows = windowsOf(instantFromMicros(from), instantFromMicros(to), size, zone);
    expect([windows[0]!.from, windows.at(-1)!.to]).toEqual([from, to]);
    for (let nth = 1; nth < windows.length; nth++) expect(windows[nth]!.from).toBe(windows[nth - 1]!.to);
    expect(windowAt(windows, windows.at(-1)!.from)).toBe(windows.length - 1);
    expect(windowAt(windows, to)).toBe(-1);
  }), runs(3, 60));
});
