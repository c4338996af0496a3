import fc from 'fast-check';
import type { Interval } from '@valueverse/kernel';
import { given, runs } from '@valueverse/testing';
import { anchorOf, cyclePeriod, cyclePeriodAt } from './billing-cycle';
import { subscription } from './subscription.decider';

const MONTH: Interval = { unit: 'month', count: 1 };
const starting = (startsAt: string, zone: string, { interval = MONTH, alignment = 'anniversary' as 'anniversary' | 'calendar', anchor = undefined as string | undefined } = {}) =>
  ({ startsAt, interval, anchor: anchorOf(alignment, interval, startsAt, zone, anchor) });
const firstDays = (started: ReturnType<typeof starting>, count: number): string[] => Array.from({ length: count }, (_, nth) => cyclePeriod(started, nth).served.from);

test('a start on 31 January comes back to the 31st after a short month', () => expect(firstDays(starting('2024-01-31T00:00:00Z', 'UTC'), 5))
  .toEqual(['2024-01-31T00:00:00Z', '2024-02-29T00:00:00Z', '2024-03-31T00:00:00Z', '2024-04-30T00:00:00Z', '2024-05-31T00:00:00Z']));
test('a start on 29 February comes back every four years', () =>
  expect(firstDays(starting('2024-02-29T00:00:00Z', 'UTC', { interval: { unit: 'year', count: 1 } }), 5).map((at) => at.slice(0, 10))).toEqual(['2024-02-29', '2025-02-28', '2026-02-28', '2027-02-28', '2028-02-29']));
test('periods keep the hour on the wall through summer time', () => expect(firstDays(starting('2024-02-10T05:00:00Z', 'America/New_York'), 3))
  .toEqual(['2024-02-10T05:00:00Z', '2024-03-10T05:00:00Z', '2024-04-10T04:00:00Z'])); // midnight in New York, an hour earlier in UTC from 10 March on
test('the calendar begins on the local first, and a first period that is short is served in part', () => {
  const { aligned, served } = cyclePeriod(starting('2024-03-15T10:07:33Z', 'America/New_York', { alignment: 'calendar' }), 0);
  expect(aligned).toEqual({ from: '2024-03-01T05:00:00Z', to: '2024-04-01T04:00:00Z' });
  expect(served).toEqual({ from: '2024-03-15T10:07:33Z', to: '2024-04-01T04:00:00Z' });
});
test.each<[Interval['unit'], string]>([['day', '2024-05-15T22:00:00Z'], ['week', '2024-05-12T22:00:00Z'], ['month', '2024-04-30T22:00:00Z'], ['quarter', '2024-03-31T22:00:00Z'], ['year', '2023-12-31T23:00:00Z']])('a calendar %s of Berlin', (unit, from) =>
  expect(cyclePeriod(starting('2024-05-16T12:00:00Z', 'Europe/Berlin', { alignment: 'calendar', interval: { unit, count: 1 } }), 0).aligned.from).toBe(from));
test('the local date decides, not that of UTC', () => // 23:30 on the 31st in UTC is the 1st in Auckland
  expect(cyclePeriod(starting('2024-01-31T23:30:00Z', 'Pacific/Auckland', { alignment: 'calendar' }), 0).aligned.from).toBe('2024-01-31T11:00:00Z'));
test('an anchor of the past or the future gives a short first period', () => {
  expect(cyclePeriod(starting('2024-03-10T00:00:00Z', 'UTC', { anchor: '2024-01-31T00:00:00' }), 0).served).toEqual({ from: '2024-03-10T00:00:00Z', to: '2024-03-31T00:00:00Z' });
  expect(cyclePeriod(starting('2024-03-10T00:00:00Z', 'UTC', { anchor: '2025-01-31T00:00:00' }), 0)).toMatchObject({ aligned: { from: '2024-02-29T00:00:00Z', to: '2024-03-31T00:00:00Z' } });
});
test('an anchor that is no date is refused', () => expect(() => cyclePeriod(starting('2024-03-10T00:00:00Z', 'UTC', { anchor: '2024-13-45T00:00:00' }), 0)).toThrow(expect.objectContaining({ code: 'invalid_local_time' }) as Error));
test('the period of an instant is the one that it falls in', () => {
  const started = starting('2024-01-31T12:00:00Z', 'UTC');
  expect(cyclePeriodAt(started, '2024-01-31T11:59:59.999999Z')).toBeUndefined();
  expect(cyclePeriodAt(started, '2024-01-31T12:00:00Z')?.nth).toBe(0);
  expect(cyclePeriodAt(started, '2024-02-29T11:59:59.999999Z')?.nth).toBe(0);
  expect(cyclePeriodAt(started, '2024-02-29T12:00:00Z')?.nth).toBe(1);
});

test('periods follow each other without gap or overlap, in any zone, from any start', () => {
  const DAY_MS = 86_400_000;
  fc.assert(fc.property(
    fc.integer({ min: 0, max: 4_000 * DAY_MS }), fc.constantFrom('UTC', 'America/New_York', 'Europe/Berlin', 'Asia/Kolkata', 'Pacific/Auckland', 'Australia/Lord_Howe'),
    fc.record({ unit: fc.constantFrom<Interval['unit']>('day', 'week', 'month', 'quarter', 'year'), count: fc.integer({ min: 1, max: 5 }) }), fc.constantFrom('anniversary' as const, 'calendar' as const), fc.integer({ min: 1, max: 30 }),
    (afterMs, zone, interval, alignment, nth) => {
      const started = starting(new Date(Date.UTC(2020, 0, 1) + afterMs).toISOString().replace('.000Z', 'Z'), zone, { interval, alignment });
      const [first, before, period] = [cyclePeriod(started, 0), cyclePeriod(started, nth - 1), cyclePeriod(started, nth)];
      expect(first.served.from).toBe(started.startsAt);
      expect(period.aligned.from).toBe(before.aligned.to);
      expect(period.served).toEqual(period.aligned);
      expect(Date.parse(period.aligned.to)).toBeGreaterThan(Date.parse(period.aligned.from));
      expect(cyclePeriodAt(started, period.served.from)).toEqual(period);
    }), runs(31, 500));
});

test('a subscription is started once', () => {
  const facts = { subscriptionId: 'sub_1', accountId: 'acc_1', planKey: 'payg', planVersion: 1, currency: 'USD', interval: MONTH, startsAt: '2024-01-31T00:00:00Z', anchor: { local: '2024-01-31T00:00:00', zone: 'UTC' }, subjects: [], metadata: {} };
  const started = { ...facts, type: 'SubscriptionStarted' as const, startedAt: '2024-01-01T00:00:00Z' };
  given(subscription).when({ ...facts, type: 'StartSubscription', at: '2024-01-01T00:00:00Z' }).then(started);
  given(subscription, started).when({ ...facts, type: 'StartSubscription', at: '2024-01-02T00:00:00Z' }).then();
});
