// Two hundred subscriptions in six zones, from every part of a year, with all kinds of intervals, through the whole system: they are billed as the calendar says, and the same wherever the processes and the database are.
import { createHash } from 'node:crypto';
import { Client } from 'pg';
import { anchorAt, calendarAnchor, compareInstants, periodAt, periodContaining, startOfLocalDate, type Interval, type Period } from '@valueverse/kernel';
import { createEmptyDatabase, eventually, isNightly } from '@valueverse/testing';
import { Edition, type Json } from './edition.spec-kit';

const TIMEOUT_MS = 240_000;
const ZONES = ['Europe/Berlin', 'America/New_York', 'Asia/Kolkata', 'Australia/Lord_Howe', 'Pacific/Apia', 'America/Juneau'];
const INTERVALS: readonly Interval[] = [
  { unit: 'day', count: 50 }, { unit: 'day', count: 91 }, { unit: 'week', count: 9 }, { unit: 'week', count: 13 }, { unit: 'month', count: 1 }, { unit: 'month', count: 4 }, { unit: 'quarter', count: 1 }, { unit: 'quarter', count: 2 }, { unit: 'year', count: 1 },
  { unit: 'year', count: 2 },
];
const COUNT = 200;
/** So many of them are billed a second time by day, all of them at night. */
const AGAIN = isNightly() ? COUNT : 20;
const DAYS_OF_YEAR = 366;
/** What was before this is billed at once, what comes after it until the end instant by instant. */
const NOW = '2024-12-16T12:00:00Z';
const END = '2024-12-26T12:00:00Z';
const AT_ONCE = 8;
/** What falls due on one clock is done one by one: there are some, so that there is less to wait for. */
const CLOCKS = 10;

interface Wanted { readonly nth: number; readonly zone: string; readonly interval: Interval; readonly alignment: 'anniversary' | 'calendar'; readonly startsAt: string }
const WANTED: readonly Wanted[] = Array.from({ length: COUNT }, (_, nth) => {
  const zone = ZONES[nth % ZONES.length]!;
  const day = new Date(Date.UTC(2024, 0, 1 + Math.floor((nth * DAYS_OF_YEAR) / COUNT))).toISOString().slice(0, 10);
  // Half of them begin in the middle of a day.
  const startsAt = nth % 2 === 0 ? startOfLocalDate(day, zone) : `${day}T10:07:33.250Z`;
  return { nth, zone, interval: INTERVALS[Math.floor(nth / ZONES.length) % INTERVALS.length]!, alignment: Math.floor(nth / 3) % 2 === 0 ? 'anniversary' : 'calendar', startsAt };
});
const planOf = ({ unit, count }: Interval): string => `every_${count}_${unit}`;

const inTurns = async <T>(all: readonly T[], work: (one: T) => Promise<void>): Promise<void> => {
  const left = [...all];
  await Promise.all(Array.from({ length: AT_ONCE }, async () => { for (let next = left.shift(); next !== undefined; next = left.shift()) await work(next); }));
};

/** The invoices of each subscription, as a customer reads them. */
const billed = async (edition: Edition, wanted: readonly Wanted[]): Promise<ReadonlyMap<number, readonly Json[]>> => {
  const fee = { type: 'recurring', price: { model: 'flat', amount: '310.07' } };
  await inTurns(INTERVALS, async (interval) => {
    await edition.post('/api/v1/billing/plans', { key: planOf(interval), name: 'Plan', currency: 'USD', interval, charges: [{ ...fee, key: 'advance', name: 'In advance', timing: 'in_advance' }, { ...fee, key: 'arrears', name: 'In arrears', timing: 'in_arrears' }] });
  });
  const subscriptions = new Map<string, number>();
  const clocks: string[] = [];
  await inTurns(Array.from({ length: CLOCKS }, (_, nth) => nth), async (ofClock) => {
    const { id: clock } = await edition.post('/api/v1/billing/clocks', { name: 'zones', now: NOW });
    clocks.push(clock);
    const accounts = new Map<string, string>();
    for (const { nth, zone: timezone, interval, alignment, startsAt } of wanted.filter((one) => one.nth % CLOCKS === ofClock)) {
      const accountId = accounts.get(timezone) ?? (await edition.post('/api/v1/billing/accounts', { name: timezone, currency: 'USD', timezone, testClockId: clock, openedAt: '2023-12-01T00:00:00Z' })).id;
      accounts.set(timezone, accountId);
      subscriptions.set((await edition.post('/api/v1/billing/subscriptions', { accountId, planKey: planOf(interval), startsAt, alignment })).id, nth);
    }
  });
  await eventually('what is past to be billed', async (saw) => {
    const { data } = await edition.get('/api/v1/billing/cycles?status=due&limit=1');
    saw(data);
    return data.length === 0 ? true : undefined;
  }, { timeoutMs: TIMEOUT_MS, everyMs: 500 });
  for (const clock of clocks) await edition.advance(clock, END);
  const all = new Map<number, Json[]>();
  for (let cursor: string | undefined = ''; cursor !== undefined;) {
    const { data, nextCursor }: Json = await edition.get(`/api/v1/billing/invoices?limit=100${cursor === '' ? '' : `&cursor=${cursor}`}`);
    for (const { subscriptionId, status, total, issuedAt, dueAt, servicePeriod, lines } of data) {
      const nth = subscriptions.get(subscriptionId)!;
      const shown = lines.map(({ chargeKey, amount, netAmount, servicePeriod: period }: Json) => ({ chargeKey, amount, netAmount, ...period }));
      all.set(nth, [...(all.get(nth) ?? []), { status, total, issuedAt, dueAt, servicePeriod, lines: shown }]);
    }
    cursor = nextCursor ?? undefined;
  }
  for (const own of all.values()) own.sort((left, right) => (JSON.stringify([left.servicePeriod, left.issuedAt]) < JSON.stringify([right.servicePeriod, right.issuedAt]) ? -1 : 1));
  return all;
};

const run = async (env: Readonly<Record<string, string>>, databaseZone: string, wanted: readonly Wanted[]): Promise<ReadonlyMap<number, readonly Json[]>> => {
  const database = await createEmptyDatabase();
  const client = new Client({ connectionString: database.url });
  await client.connect();
  await client.query(`ALTER DATABASE ${client.escapeIdentifier(new URL(database.url).pathname.slice(1))} SET timezone TO ${client.escapeLiteral(databaseZone)}`);
  await client.end();
  const edition = await Edition.start({ ...env, DATABASE_URL: database.url });
  try {
    return await billed(edition, wanted);
  } finally {
    await edition.stop();
    await database.drop();
  }
};

/** The parts of its periods that a subscription is charged for until the end: in advance those that have begun, in arrears those that are over. */
const partsOf = ({ zone, interval, alignment, startsAt }: Wanted): { readonly aligned: Period; readonly served: Period }[] => {
  const anchor = alignment === 'calendar' ? calendarAnchor(interval.unit, startsAt, zone) : anchorAt(startsAt, zone);
  const parts: { aligned: Period; served: Period }[] = [];
  for (let { index } = periodContaining(anchor, interval, startsAt); ; index++) {
    const aligned = periodAt(anchor, interval, index);
    if (compareInstants(aligned.from, END) > 0) return parts;
    parts.push({ aligned, served: { from: parts.length === 0 ? startsAt : aligned.from, to: aligned.to } });
  }
};
const DAY_MS = 86_400_000;
const dayIn = (zone: string, instant: string): number => Date.parse(new Intl.DateTimeFormat('sv-SE', { timeZone: zone, dateStyle: 'short' }).format(new Date(instant))) / DAY_MS;
/** 310.07 less what is over of it at the start, by local dates, in cents. */
const feeOf = (zone: string, { aligned, served }: { readonly aligned: Period; readonly served: Period }): string => {
  const [from, start, to] = [aligned.from, served.from, aligned.to].map((instant) => dayIn(zone, instant)) as [number, number, number];
  const cents = 31_007 - Math.round((31_007 * (start - from)) / (to - from));
  return (cents / 100).toFixed(2);
};

let all: ReadonlyMap<number, readonly Json[]>;
test('each is billed for every period of its calendar, once and in full', async () => {
  all = await run({ TZ: 'UTC' }, 'UTC', WANTED);
  for (const wanted of WANTED) {
    const lines = (all.get(wanted.nth) ?? []).flatMap((invoice) => invoice.lines) as Json[];
    const parts = partsOf(wanted);
    const of = (chargeKey: string): unknown => lines.filter((line) => line.chargeKey === chargeKey).map(({ amount, from, to }) => ({ amount, from, to }));
    const fees = parts.map((part) => ({ amount: feeOf(wanted.zone, part), ...part.served }));
    expect([wanted, of('advance')]).toEqual([wanted, fees]);
    expect([wanted, of('arrears')]).toEqual([wanted, fees.filter(({ to }) => compareInstants(to, END) <= 0)]);
  }
}, TIMEOUT_MS);

test('with the processes and the database in other zones the invoices are the same', async () => {
  const some = WANTED.filter(({ nth }) => nth % (COUNT / AGAIN) === 0);
  const again = await run({ TZ: 'Pacific/Apia' }, 'America/St_Johns', some);
  const digest = (of: ReadonlyMap<number, readonly Json[]>, nth: number): string => createHash('sha256').update(JSON.stringify(of.get(nth))).digest('hex');
  expect(some.map(({ nth }) => [nth, digest(again, nth)])).toEqual(some.map(({ nth }) => [nth, digest(all, nth)]));
}, TIMEOUT_MS);
