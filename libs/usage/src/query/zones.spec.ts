import { instantFromMicros, microsNumberOfText } from '@valueverse/kernel';
import { eventually } from '@valueverse/testing';
import { HostBed } from '../host-bed.spec-kit';
import type { CalendarWindow } from './domain/windows';

// Queries in zones whose days are odd, against a computation that knows nothing of ours but the name of the zone: the calendar of the runtime says on which local hour, day, week and month each event falls.
const TIMEOUT_MS = 120_000;
const HOUR = 3_600_000;
/** Each zone, and a time around which its clocks did something: half hours all year, a day that was left out, summer time from standard time at an odd latitude, summer time of half an hour (both ways). */
const ZONES: readonly (readonly [zone: string, around: string])[] = [
  ['Asia/Kolkata', '2026-03-01T00:00:00Z'], ['Pacific/Apia', '2011-12-30T10:00:00Z'], ['America/Juneau', '2026-03-08T11:00:00Z'], ['America/Juneau', '2026-11-01T10:00:00Z'],
  ['Australia/Lord_Howe', '2026-04-04T15:00:00Z'], ['Australia/Lord_Howe', '2026-10-03T15:30:00Z'],
];
const SUBJECTS = ['a', 'b', 'c'];

interface Local { readonly year: number; readonly month: number; readonly day: number; readonly hour: number; readonly minute: number }
const formats = new Map<string, Intl.DateTimeFormat>();
const localOf = (zone: string, ms: number): Local => {
  let format = formats.get(zone);
  if (format === undefined) formats.set(zone, format = new Intl.DateTimeFormat('en-US', { timeZone: zone, hourCycle: 'h23', year: 'numeric', month: 'numeric', day: 'numeric', hour: 'numeric', minute: 'numeric' }));
  const parts = Object.fromEntries(format.formatToParts(ms).map(({ type, value }) => [type, Number(value)]));
  return { year: parts['year']!, month: parts['month']!, day: parts['day']!, hour: parts['hour']!, minute: parts['minute']! };
};
/** Days since 1970 of a local date. */
const dayNumber = ({ year, month, day }: Local): number => Math.floor(Date.UTC(year, month - 1, day) / 86_400_000);
/** What all instants of one window share, of windows that the calendar names. */
const nameOf = (zone: string, size: 'day' | 'week' | 'month', ms: number): string => {
  const local = localOf(zone, ms);
  if (size === 'month') return `${local.year}-${local.month}`;
  // The first of January 1970 was a Thursday; weeks begin on Monday.
  return String(size === 'day' ? dayNumber(local) : Math.floor((dayNumber(local) + 3) / 7));
};

let bed: HostBed;
let key: string;
/** Events all quarter of an hour and a little aside, for four days before and after; of different values. */
const eventsAround = (around: string): { ms: number; n: number; subject: string }[] => {
  const middle = Date.parse(around);
  return Array.from({ length: 8 * 96 }, (_, nth) => ({ ms: middle - 96 * HOUR + nth * 15 * 60_000 + (nth % 7) * 61_000, n: (nth * 37) % 101, subject: SUBJECTS[nth % SUBJECTS.length]! }));
};

beforeAll(async () => {
  bed = await HostBed.make();
  key = await bed.key('org_1');
  for (const [name, aggregation] of [['total', 'sum'], ['most', 'max']]) expect((await bed.ask('POST', 'meters', key, { key: name, eventType: 'call', aggregation, valueProperty: '$.n' })).status).toBe(201);
  for (const [nth, [, around]] of ZONES.entries()) {
    const events = eventsAround(around).map(({ ms, n, subject }, index) => ({ specversion: '1.0', id: `${nth} ${index}`, source: 's', type: 'call', subject: `${subject}${nth}`, time: new Date(ms).toISOString(), data: { n } }));
    for (let start = 0; start < events.length; start += 500) expect((await bed.send(key, events.slice(start, start + 500))).status).toBe(202);
  }
  await eventually('all to be counted', async (saw) => {
    const { body } = await bed.ask('GET', 'reconciliation?from=2011-01-01T00:00:00Z&to=2027-01-01T00:00:00Z', key);
    saw(body.meters);
    return body.meters.length === 2 && body.meters.every(({ inBuckets }: { inBuckets: number }) => inBuckets === ZONES.length * 8 * 96) ? true : undefined;
  }, { timeoutMs: TIMEOUT_MS / 2 });
}, TIMEOUT_MS);
afterAll(() => bed.close(), TIMEOUT_MS);

interface Row { readonly windowStart: string; readonly windowEnd: string; readonly value: string }
const query = async (meter: string, size: CalendarWindow, zone: string, from: number, to: number, nth: number): Promise<Row[]> => {
  const answer = await bed.ask('GET', `meters/${meter}/query?from=${new Date(from).toISOString()}&to=${new Date(to).toISOString()}&windowSize=${size}&timezone=${zone}&subject=${SUBJECTS.map((subject) => `${subject}${nth}`).join(',')}`, key);
  expect(answer).toMatchObject({ status: 200 });
  return answer.body.data;
};
const valueOf = (meter: string, values: readonly number[]): string => String(meter === 'most' ? Math.max(...values) : values.reduce((sum, value) => sum + value, 0));
const within = (row: Row, ms: number): boolean => ms >= Date.parse(row.windowStart) && ms < Date.parse(row.windowEnd);

describe.each(ZONES.map(([zone, around], nth) => [zone, around, nth] as const))('%s around %s', (zone, around, nth) => {
  const events = eventsAround(around);
  // Beginning and ending in the middle of everything.
  const [from, to] = [Date.parse(around) - 91 * HOUR - 7 * 60_000, Date.parse(around) + 93 * HOUR + 11 * 60_000];
  const asked = events.filter(({ ms }) => ms >= from && ms < to);

  test.each(['day', 'week', 'month'] as const)('each %s has what the calendar says falls on it', async (size) => {
    for (const meter of ['total', 'most']) {
      const expected = [...Map.groupBy(asked, ({ ms }) => nameOf(zone, size, ms)).values()].map((own) => valueOf(meter, own.map(({ n }) => n)));
      expect((await query(meter, size, zone, from, to, nth)).map(({ value }) => value)).toEqual(expected);
    }
  }, TIMEOUT_MS);

  test.each([['hour', 60], ['quarter_hour', 15]] as const)('each %s begins at a local one but where the clocks were set, lasts no longer, and each event is in exactly one', async (size, minutes) => {
    const rows = await query('total', size, zone, from, to, nth);
    expect(rows.reduce((sum, { value }) => sum + Number(value), 0)).toBe(asked.reduce((sum, { n }) => sum + n, 0));
    for (const row of rows) {
      expect(row.value).toBe(valueOf('total', asked.filter(({ ms }) => within(row, ms)).map(({ n }) => n)));
      expect(Date.parse(row.windowEnd) - Date.parse(row.windowStart)).toBeLessThanOrEqual(minutes * 60_000);
    }
    // Before the clocks were set on that day, and from the next local midnight on, windows are those of the local clock.
    const isOdd = (ms: number): boolean => Math.abs(ms - Date.parse(around)) <= 26 * HOUR;
    const ordinary = rows.slice(1, -1).filter(({ windowStart }) => !isOdd(Date.parse(windowStart)));
    expect(ordinary.length).toBeGreaterThan(0);
    for (const { windowStart } of ordinary) expect(localOf(zone, Date.parse(windowStart)).minute % minutes).toBe(0);
    // Nothing is in two windows.
    for (let place = 1; place < rows.length; place++) expect(microsNumberOfText(rows[place]!.windowStart)).toBeGreaterThanOrEqual(microsNumberOfText(rows[place - 1]!.windowEnd));
  }, TIMEOUT_MS);

  test('windows of all sizes come to the same over the whole time', async () => {
    const sums = await Promise.all((['hour', 'day', 'week', 'month'] as const).map(async (size) => (await query('total', size, zone, from, to, nth)).reduce((sum, { value }) => sum + Number(value), 0)));
    expect(sums).toEqual(sums.map(() => asked.reduce((sum, { n }) => sum + n, 0)));
  }, TIMEOUT_MS);
});

test('in Apia there was no 30 December 2011: its days go from the 29th to the 31st without a gap', async () => {
  const rows = await query('total', 'day', 'Pacific/Apia', Date.parse('2011-12-29T10:00:00Z'), Date.parse('2012-01-01T10:00:00Z'), 1);
  expect(rows.map(({ windowStart, windowEnd }) => [windowStart, windowEnd])).toEqual([
    ['2011-12-29T10:00:00Z', '2011-12-30T10:00:00Z'], ['2011-12-30T10:00:00Z', '2011-12-31T10:00:00Z'], ['2011-12-31T10:00:00Z', '2012-01-01T10:00:00Z']].map((row) => row.map((text) => instantFromMicros(microsNumberOfText(text)))));
}, TIMEOUT_MS);
