import { eventually, runs, timeForRuns } from '@valueverse/testing';
import { instantFromMicros, microsNumberOfText } from '@valueverse/kernel';
import { systemClock } from '@valueverse/platform';
import fc from 'fast-check';
import { AccountingBed, INTERIM, NOW, packet, report, STOP, T } from './accounting-bed.spec-kit';

const TIMEOUT_MS = timeForRuns(60_000);

let bed: AccountingBed;

beforeAll(async () => {
  bed = await AccountingBed.make();
  await bed.addClient('bng', '192.0.2.0/24');
}, TIMEOUT_MS);
afterAll(() => bed.close(), TIMEOUT_MS);

test.each(['before', 'after'] as const)('the feed fails, %s the append: no answer; the packet again brings the same event, which counts once', async (when) => {
  const replica = bed.replica();
  const stop = report(`feed-${when}`, STOP, 600, 1_000);
  replica.fault = { when };
  await expect(replica.take(stop)).rejects.toThrow();
  expect(await bed.planned()).toBe(1);
  // Another process may get it.
  expect(await bed.replica().take(stop)).toBe('repeated');
  expect(await bed.planned()).toBe(0);
  await bed.metered(`feed-${when}`, '1000');
}, TIMEOUT_MS);

test('the process ends at any statement: whatever was answered or not, the packet again leaves the usage counted once', async () => {
  let [died, nth] = [0, 0];
  for (; ; nth++) {
    const replica = bed.replica();
    expect(await replica.take(report('somebody', INTERIM, 1, 0))).toMatch(/recorded|repeated/);
    replica.statementsLeft = nth;
    const ended = await replica.take(report('dies', INTERIM, 300 + nth, 10 * (nth + 1))).then(() => false, () => true);
    if (!ended) break;
    died++;
    await bed.replica().take(report('dies', INTERIM, 300 + nth, 10 * (nth + 1)));
  }
  expect(died).toBeGreaterThan(8);
  await bed.metered('dies', String(10 * (nth + 1)));
}, TIMEOUT_MS);

test('a NAS that never comes again: what was left behind is brought by who looks next', async () => {
  const replica = bed.replica();
  replica.fault = { when: 'before' };
  await expect(replica.take(report('left', STOP, 600, 55))).rejects.toThrow();
  replica.fault = undefined;
  replica.now = '2026-03-01T13:00:11Z';
  replica.deliveries.start();
  await bed.metered('left', '55');
  await replica.deliveries.stop();
  expect(await bed.planned()).toBe(0);
}, TIMEOUT_MS);

test('reports that come together share transactions and appends, in the order in which they came; what each was is answered to each', async () => {
  const replica = bed.replica();
  let transactions = 0;
  replica.watch = (text) => { if (text === 'BEGIN') transactions += 1; };
  const [SUBJECTS, REPORTS] = [50, 4];
  const nths = Array.from({ length: SUBJECTS * REPORTS }, (_, nth) => nth);
  const of = (nth: number): Uint8Array => report(`together-${nth % SUBJECTS}`, INTERIM, 60 * (1 + Math.floor(nth / SUBJECTS)), 100 * (1 + Math.floor(nth / SUBJECTS)));
  const nameless = packet({ ACCT_STATUS_TYPE: STOP, NAS_IDENTIFIER: 'nas', ACCT_SESSION_ID: 'of nobody', EVENT_TIMESTAMP: T, ACCT_SESSION_TIME: 1, ACCT_INPUT_OCTETS: 1 });
  const taken = await Promise.all([...nths.map((nth) => replica.take(of(nth))), replica.take(of(0)), replica.take(nameless)]);
  expect(taken).toEqual([...nths.map(() => 'recorded'), 'repeated', 'subject_missing']);
  // One for whoever came first; the others have come when it ends.
  expect(replica.appends).toBeLessThanOrEqual(4);
  expect(transactions).toBeLessThanOrEqual(12);
  for (const nth of [0, SUBJECTS - 1]) await bed.metered(`together-${nth}`, String(100 * REPORTS));
  expect(await bed.planned()).toBe(0);
}, TIMEOUT_MS);

test('a transaction that fails over one of its reports is done again for each of them alone', async () => {
  const replica = bed.replica();
  let failures = 0;
  const isWritten = (text: string): boolean => text.includes('INSERT INTO usage_radius_sessions');
  replica.watch = (text) => { if (isWritten(text) && failures++ === 1) throw new Error('a row that PostgreSQL refuses'); };
  const taken = await Promise.all(Array.from({ length: 12 }, (_, nth) => replica.take(report(`alone-${nth}`, STOP, 60, 7))));
  expect(taken).toEqual(taken.map(() => 'recorded'));
  // The first alone, all others in one that failed, and those one by one.
  expect(failures).toBe(13);
  for (const nth of [0, 11]) await bed.metered(`alone-${nth}`, '7');
}, TIMEOUT_MS);

test('two processes get the packets of one session, in any order, twice and at once: the use adds up', async () => {
  const replicas = [bed.replica(), bed.replica()];
  let session = 0;
  await fc.assert(fc.asyncProperty(fc.array(fc.tuple(fc.nat(7), fc.boolean()), { minLength: 6, maxLength: 16 }), async (order) => {
    const subject = `shared-${session++}`;
    const nths = [...order, [8, true] as const];
    await Promise.all(nths.map(([nth, left]) => replicas[left ? 0 : 1]!.take(report(subject, nth === 8 ? STOP : INTERIM, 60 * (nth + 1), 100 * (nth + 1)))));
    expect(await bed.sessions(`subject=${subject}`)).toMatchObject([{ totalOctets: '900', live: false, sessionSeconds: '540' }]);
  }), runs(81, 8));
  for (let nth = 0; nth < session; nth++) await bed.metered(`shared-${nth}`, '900');
}, TIMEOUT_MS);

test('a client that is new, changed or gone is heard of within two seconds; an address that nobody has is unknown', async () => {
  const replica = bed.replica();
  const interim = report('new-client', INTERIM, 300, 1);
  expect(await replica.take(interim, '203.0.113.5')).toBe('unknown_client');
  await bed.addClient('late', '203.0.113.5');
  expect(await replica.take(interim, '203.0.113.5')).toBe('unknown_client');
  replica.nowMs += 2_000;
  expect(await replica.take(interim, '203.0.113.5')).toBe('recorded');
  expect(await replica.take(interim, '::ffff:203.0.113.5')).toBe('repeated');
}, TIMEOUT_MS);

test('in `live` a clock that is ahead is not believed, so the usage is not refused', async () => {
  await bed.addClient('live', '198.51.100.1', { tenant: 'org_1:live' });
  const live = await bed.host.key('org_1', 'secret', undefined, 'live');
  const replica = bed.replica();
  expect(await replica.take(report('ahead', STOP, 600, 9, { EVENT_TIMESTAMP: T + 86_400 }), '198.51.100.1')).toBe('recorded');
  expect(await bed.sessions('subject=ahead', live)).toMatchObject([{ endedAt: NOW, totalOctets: '9' }]);
  expect(await bed.sessions('subject=ahead')).toEqual([]);
}, TIMEOUT_MS);

test('what a process planned whose clock is ahead is brought by one whose clock is right: it is not refused there', async () => {
  await bed.addClient('two clocks', '198.51.100.2', { tenant: 'org_1:live' });
  const live = await bed.host.key('org_1', 'secret', undefined, 'live');
  const [ahead, right] = [bed.replica(), bed.replica()];
  const now = microsNumberOfText(systemClock.now());
  [ahead.now, right.now] = [instantFromMicros(now + 600_000_000), instantFromMicros(now)];
  ahead.fault = { when: 'before' };
  const stop = report('two clocks', STOP, 600, 9, { EVENT_TIMESTAMP: Math.floor(now / 1_000_000) + 600 });
  await expect(ahead.take(stop, '198.51.100.2')).rejects.toThrow('the feed does not answer');
  expect(await right.take(stop, '198.51.100.2')).toBe('repeated');
  expect(await bed.planned()).toBe(0);
  await eventually('its usage to be there', async (saw) => { const { body } = await bed.host.ask('GET', 'events?subject=two%20clocks', live); saw(body); return body.data.length === 1 ? true : undefined; });
}, TIMEOUT_MS);
