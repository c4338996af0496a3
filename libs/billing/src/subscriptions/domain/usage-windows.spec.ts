import fc from 'fast-check';
import { anchorAt, calendarAnchor, type BillingAnchor, type Interval, type Period } from '@valueverse/kernel';
import { runs } from '@valueverse/testing';
import { NEW_SUBSCRIPTION, type Subscription } from './subscription.decider';
import { usageWindows, windowAt, type UsageWindow } from './usage-windows';

const MONTH: Interval = { unit: 'month', count: 1 };
const FOREVER = '2200-01-01T00:00:00Z';
const COURSES = (): object => ({});
interface More { readonly interval?: Interval; readonly alignment?: 'anniversary' | 'calendar'; readonly anchor?: string; readonly countFrom?: string }
const starting = (startsAt: string, zone: string, { interval = MONTH, alignment = 'anniversary', anchor, countFrom }: More = {}): Subscription => {
  const from: BillingAnchor = anchor !== undefined ? { local: anchor, zone } : alignment === 'calendar' ? calendarAnchor(interval.unit, startsAt, zone) : anchorAt(startsAt, zone);
  return {
    ...NEW_SUBSCRIPTION,
    started: { subscriptionId: 'sub_1', accountId: 'acc_1', planKey: 'payg', planVersion: 1, currency: 'USD', interval, anchor: from, startsAt, subjects: [], metadata: {}, startedAt: startsAt, ...(countFrom === undefined ? {} : { countFrom }) },
  };
};
const windows = (subscription: Subscription, count: number): UsageWindow[] => usageWindows(subscription, COURSES, { from: subscription.started!.startsAt, to: FOREVER }, count - 1);
const firstDays = (subscription: Subscription, count: number): string[] => windows(subscription, count).map(({ served }) => served.from);
const first = (subscription: Subscription): UsageWindow => windows(subscription, 1)[0]!;

test('a start on 31 January comes back to the 31st after a short month', () => expect(firstDays(starting('2024-01-31T00:00:00Z', 'UTC'), 5))
  .toEqual(['2024-01-31T00:00:00Z', '2024-02-29T00:00:00Z', '2024-03-31T00:00:00Z', '2024-04-30T00:00:00Z', '2024-05-31T00:00:00Z']));
test('a start on 29 February comes back every four years', () =>
  expect(firstDays(starting('2024-02-29T00:00:00Z', 'UTC', { interval: { unit: 'year', count: 1 } }), 5).map((at) => at.slice(0, 10))).toEqual(['2024-02-29', '2025-02-28', '2026-02-28', '2027-02-28', '2028-02-29']));
test('periods keep the hour on the wall through summer time', () => expect(firstDays(starting('2024-02-10T05:00:00Z', 'America/New_York'), 3))
  .toEqual(['2024-02-10T05:00:00Z', '2024-03-10T05:00:00Z', '2024-04-10T04:00:00Z'])); // midnight in New York, an hour earlier in UTC from 10 March on
test('the calendar begins on the local first, and a first period that is short is served in part', () => {
  const { aligned, served } = first(starting('2024-03-15T10:07:33Z', 'America/New_York', { alignment: 'calendar' }));
  expect(aligned).toEqual({ from: '2024-03-01T05:00:00Z', to: '2024-04-01T04:00:00Z' });
  expect(served).toEqual({ from: '2024-03-15T10:07:33Z', to: '2024-04-01T04:00:00Z' });
});
test.each<[Interval['unit'], string]>([['day', '2024-05-15T22:00:00Z'], ['week', '2024-05-12T22:00:00Z'], ['month', '2024-04-30T22:00:00Z'], ['quarter', '2024-03-31T22:00:00Z'], ['year', '2023-12-31T23:00:00Z']])('a calendar %s of Berlin', (unit, from) =>
  expect(first(starting('2024-05-16T12:00:00Z', 'Europe/Berlin', { alignment: 'calendar', interval: { unit, count: 1 } })).aligned.from).toBe(from));
test('the local date decides, not that of UTC', () => // 23:30 on the 31st in UTC is the 1st in Auckland
  expect(first(starting('2024-01-31T23:30:00Z', 'Pacific/Auckland', { alignment: 'calendar' })).aligned.from).toBe('2024-01-31T11:00:00Z'));
test('an anchor of the past or the future gives a short first period', () => {
  expect(first(starting('2024-03-10T00:00:00Z', 'UTC', { anchor: '2024-01-31T00:00:00' })).served).toEqual({ from: '2024-03-10T00:00:00Z', to: '2024-03-31T00:00:00Z' });
  expect(first(starting('2024-03-10T00:00:00Z', 'UTC', { anchor: '2025-01-31T00:00:00' }))).toMatchObject({ aligned: { from: '2024-02-29T00:00:00Z', to: '2024-03-31T00:00:00Z' } });
});
test('an anchor that is no date is refused', () => expect(() => first(starting('2024-03-10T00:00:00Z', 'UTC', { anchor: '2024-13-45T00:00:00' }))).toThrow(expect.objectContaining({ code: 'invalid_local_time' }) as Error));
test('the window of an instant is the one that it falls in, and the first one before the start', () => {
  const started = starting('2024-01-31T12:00:00Z', 'UTC');
  expect(windowAt(started, COURSES, '2024-01-31T11:59:59.999999Z')?.served.from).toBe('2024-01-31T12:00:00Z');
  expect(windowAt(started, COURSES, '2024-02-29T11:59:59.999999Z')?.served.from).toBe('2024-01-31T12:00:00Z');
  expect(windowAt(started, COURSES, '2024-02-29T12:00:00Z')?.served.from).toBe('2024-02-29T12:00:00Z');
});
test('the first window begins where its usage counts from', () => {
  const started = starting('2024-02-01T00:00:00Z', 'UTC', { countFrom: '2024-01-20T00:00:00Z' });
  expect(windows(started, 2).map(({ usage }) => usage.from)).toEqual(['2024-01-20T00:00:00Z', '2024-03-01T00:00:00Z']);
  expect(windowAt(started, COURSES, '2024-01-25T00:00:00Z')?.usage).toEqual({ from: '2024-01-20T00:00:00Z', to: '2024-03-01T00:00:00Z' });
});
test('a change of plan, a pause and an end cut windows; a change of the quantity does not', () => {
  const { started, ...rest } = starting('2024-01-01T00:00:00Z', 'UTC');
  const { planKey: _, ...own } = started!;
  const terms = { planKey: 'payg', planVersion: 1, currency: own.currency, interval: own.interval, anchor: own.anchor };
  const changed: Subscription = {
    ...rest, started: started!, changes: [{ changeId: 'chg_1', at: '2024-01-10T00:00:00Z', terms: { ...terms, quantity: '2' } }, { changeId: 'chg_2', at: '2024-01-20T00:00:00Z', terms: { ...terms, planKey: 'pro' } }],
    pauses: [{ from: '2024-02-05T00:00:00Z', to: '2024-02-10T00:00:00Z', billing: 'stop' }], ends: [{ at: '2024-02-20T00:00:00Z', credit: 'unused' }],
  };
  const shown = ({ served: { from, to } }: UsageWindow): string => `${from.slice(5, 10)} ${to.slice(5, 10)}`;
  expect(windows(changed, 9).map(shown)).toEqual(['01-01 01-20', '01-20 02-01', '02-01 02-05', '02-10 02-20']);
});

test('windows follow each other without gap or overlap, in any zone, from any start', () => {
  const DAY_MS = 86_400_000;
  fc.assert(fc.property(
    fc.integer({ min: 0, max: 4_000 * DAY_MS }), fc.constantFrom('UTC', 'America/New_York', 'Europe/Berlin', 'Asia/Kolkata', 'Pacific/Auckland', 'Australia/Lord_Howe'),
    fc.record({ unit: fc.constantFrom<Interval['unit']>('day', 'week', 'month', 'quarter', 'year'), count: fc.integer({ min: 1, max: 5 }) }), fc.constantFrom('anniversary' as const, 'calendar' as const), fc.integer({ min: 1, max: 30 }),
    (afterMs, zone, interval, alignment, nth) => {
      const started = starting(new Date(Date.UTC(2020, 0, 1) + afterMs).toISOString().replace('.000Z', 'Z'), zone, { interval, alignment });
      const all = windows(started, nth + 1);
      expect(all[0]!.served.from).toBe(started.started!.startsAt);
      for (const [at, { aligned, served }] of all.slice(1).entries()) {
        expect(aligned.from).toBe(all[at]!.aligned.to);
        expect(served).toEqual(aligned);
        expect(Date.parse(aligned.to)).toBeGreaterThan(Date.parse(aligned.from));
      }
      const period: Period = all[nth]!.served;
      expect(windowAt(started, COURSES, period.from)).toEqual(all[nth]);
    }), runs(31, 500));
});
