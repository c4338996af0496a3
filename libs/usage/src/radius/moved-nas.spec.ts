import { runs, timeForRuns } from '@valueverse/testing';
import fc from 'fast-check';
import { ACCOUNTING_ON, AccountingBed, INTERIM, packet, report, START, STOP, T, type Replica, type Sent } from './accounting-bed.spec-kit';

const TIMEOUT_MS = timeForRuns(60_000);
/** An address of each of two clients. */
const [ONE, TWO] = ['192.0.2.1', '198.51.100.1'];

let bed: AccountingBed;
let replica: Replica;

beforeAll(async () => {
  bed = await AccountingBed.make();
  await bed.addClient('one', '192.0.2.0/24');
  await bed.addClient('two', '198.51.100.0/24');
  replica = bed.replica();
}, TIMEOUT_MS);
afterAll(() => bed.close(), TIMEOUT_MS);

test('a NAS that falls under a narrower network goes on with its sessions: what was counted is not counted again', async () => {
  await bed.addClient('wide', '203.0.113.0/24');
  const source = '203.0.113.7';
  replica.nowMs += 2_000;
  for (const packet of [report('narrowed', START, 0, 0), report('narrowed', INTERIM, 300, 1_000)]) expect(await replica.take(packet, source)).toBe('recorded');
  await bed.addClient('narrow', '203.0.113.7');
  replica.nowMs += 2_000;
  expect(await replica.take(report('narrowed', INTERIM, 600, 1_500), source)).toBe('recorded');
  expect(await bed.sessions('subject=narrowed')).toMatchObject([{ clientId: 'rac_narrow', totalOctets: '1500', live: true, startedAt: '2026-03-01T12:00:00Z' }]);
  expect(await replica.take(report('narrowed', STOP, 900, 1_700), source)).toBe('recorded');
  expect(await bed.sessions('subject=narrowed')).toMatchObject([{ totalOctets: '1700', live: false, sessionSeconds: '900' }]);
  await bed.metered('narrowed', '1700');
}, TIMEOUT_MS);

test('a client that is removed and made again goes on with what it had, under its old name or another', async () => {
  const source = '192.0.77.1';
  await bed.addClient('again', '192.0.77.0/24', { id: 'rac_first' });
  for (const [nth, name] of ['again', 'anew'].entries()) {
    replica.nowMs += 2_000;
    const subject = `made-${name}`;
    expect(await replica.take(report(subject, INTERIM, 300, 400), source)).toBe('recorded');
    await bed.removeClient(['rac_first', 'rac_again'][nth]!);
    await bed.addClient(name, '192.0.77.0/24', { id: `rac_${name}` });
    replica.nowMs += 2_000;
    expect(await replica.take(report(subject, INTERIM, 300, 400), source)).toBe('repeated');
    expect(await replica.take(report(subject, STOP, 600, 900), source)).toBe('recorded');
    expect(await bed.sessions(`subject=${subject}`)).toMatchObject([{ clientId: `rac_${name}`, totalOctets: '900', live: false }]);
    await bed.metered(subject, '900');
  }
}, TIMEOUT_MS);

test('a report that comes again through another client is the same report, also of a session that is over and of a NAS that tells no times', async () => {
  for (const [subject, more] of [['again-told', {}], ['again-untold', { EVENT_TIMESTAMP: undefined, ACCT_SESSION_TIME: undefined }]] as const) {
    const sent = (status: number, elapsed: number, octets: number): Uint8Array => report(subject, status, elapsed, octets, more);
    const [interim, stop] = [sent(INTERIM, 300, 100), sent(STOP, 600, 250)];
    expect([await replica.take(interim, ONE), await replica.take(interim, TWO), await replica.take(stop, ONE), await replica.take(stop, TWO), await replica.take(interim, TWO)]).toEqual(['recorded', 'repeated', 'recorded', 'repeated', 'repeated']);
    expect(await bed.sessions(`subject=${subject}`)).toMatchObject([{ totalOctets: '250', live: false }]);
    await bed.metered(subject, '250');
  }
}, TIMEOUT_MS);

test('a Stop through another client ends the session, and an update that comes late through the first has its place in it', async () => {
  for (const [packet, source] of [[report('stopped', START, 0, 0), ONE], [report('stopped', STOP, 900, 700), TWO], [report('stopped', INTERIM, 300, 200), ONE]] as const) expect(await replica.take(packet, source)).toBe('recorded');
  expect(await bed.sessions('subject=stopped')).toMatchObject([{ totalOctets: '700', live: false, endedAt: '2026-03-01T12:15:00Z' }]);
  await bed.metered('stopped', '700');
}, TIMEOUT_MS);

test('what is usage of the feed and lost its answer is brought once, when the packet comes again through another client', async () => {
  const failing = bed.replica();
  failing.fault = { when: 'after' };
  await expect(failing.take(report('lost', STOP, 600, 33), ONE)).rejects.toThrow();
  expect(await replica.take(report('lost', STOP, 600, 33), TWO)).toBe('repeated');
  expect(await bed.planned()).toBe(0);
  await bed.metered('lost', '33');
}, TIMEOUT_MS);

describe('two NAS of one name behind two clients, which use the same short ids', () => {
  const of = (nas: string, user: string, begins: number, elapsed: number, octets: number, more: Sent = {}): Uint8Array =>
    packet({ ACCT_STATUS_TYPE: INTERIM, USER_NAME: user, NAS_IDENTIFIER: nas, ACCT_SESSION_ID: '1', EVENT_TIMESTAMP: T + begins + elapsed, ACCT_SESSION_TIME: elapsed, ACCT_INPUT_OCTETS: octets, ...more });

  test.each<[string, string, string, number, Sent, Sent]>([
    ['subjects', 'left', 'right', 0, {}, {}],
    ['beginnings', 'at-times', 'at-times', 31, {}, {}],
    ['calling stations', 'stations', 'stations', 0, { CALLING_STATION_ID: '00-11' }, { CALLING_STATION_ID: '00-12' }],
    ['subjects, and tell the same time and station', 'a-station', 'b-station', 0, { CALLING_STATION_ID: '00-11' }, { CALLING_STATION_ID: '00-11' }],
    ['nothing but their clients, and do not tell more', 'untold', 'untold', 0, { ACCT_SESSION_TIME: undefined }, { ACCT_SESSION_TIME: undefined }],
  ])('are kept apart where they have other %s', async (_, left, right, later, onLeft, onRight) => {
    for (const nth of [1, 2]) {
      expect(await replica.take(of(`of ${left}`, left, 0, 300 * nth, 100 * nth, onLeft), ONE)).toBe('recorded');
      expect(await replica.take(of(`of ${left}`, right, later, 300 * nth, 7_000 * nth, onRight), TWO)).toBe('recorded');
    }
    const sessions = [...await bed.sessions(`subject=${left}`), ...(left === right ? [] : await bed.sessions(`subject=${right}`))];
    expect(sessions.map(({ clientId, totalOctets }) => [clientId, totalOctets]).sort()).toEqual([['rac_one', '200'], ['rac_two', '14000']]);
  }, TIMEOUT_MS);
});

test('two of subject, beginning and calling station make a session the same, where the third is not told', async () => {
  const station = { CALLING_STATION_ID: '00-AA' };
  expect(await replica.take(report('no-time', INTERIM, 300, 10, station), ONE)).toBe('recorded');
  expect(await replica.take(report('no-time', INTERIM, 600, 30, { ...station, ACCT_SESSION_TIME: undefined }), TWO)).toBe('recorded');
  expect(await bed.sessions('subject=no-time')).toMatchObject([{ totalOctets: '30' }]);
  expect(await replica.take(report('no-name', INTERIM, 300, 10, station), ONE)).toBe('recorded');
  expect(await replica.take(report('no-name', INTERIM, 600, 30, { ...station, USER_NAME: undefined }), TWO)).toBe('recorded');
  expect(await bed.sessions('subject=no-name')).toMatchObject([{ totalOctets: '30', clientId: 'rac_two' }]);
  expect(await replica.take(report('one-thing', INTERIM, 300, 10), ONE)).toBe('recorded');
  expect(await replica.take(report('one-thing', INTERIM, 600, 30, { USER_NAME: undefined }), TWO)).toBe('subject_missing');
}, TIMEOUT_MS);

test('a NAS that starts again ends what it has gone on with and what clients have left that are gone, and nothing of a client that is there', async () => {
  const values = { NAS_IDENTIFIER: 'restarts' };
  await bed.addClient('gone', '192.0.88.0/24');
  replica.nowMs += 2_000;
  for (const [subject, source] of [['went-on', ONE], ['went-on', TWO], ['stayed', ONE], ['orphan', '192.0.88.1']] as const) await replica.take(report(subject, INTERIM, source === TWO ? 600 : 300, 5, values), source);
  await bed.removeClient('rac_gone');
  expect(await replica.take(packet({ ACCT_STATUS_TYPE: ACCOUNTING_ON, ...values, EVENT_TIMESTAMP: T + 700 }), TWO)).toBe('recorded');
  const sessions = await bed.sessions('nas=restarts');
  expect(sessions.map(({ subject, live }) => [subject, live]).sort()).toEqual([['orphan', false], ['stayed', true], ['went-on', false]]);
}, TIMEOUT_MS);

test('whichever client and process the reports of a session come through, in any order, twice and at once: one session, and its use adds up', async () => {
  const replicas = [replica, bed.replica()];
  let session = 0;
  await fc.assert(fc.asyncProperty(fc.array(fc.tuple(fc.nat(7), fc.boolean(), fc.boolean()), { minLength: 6, maxLength: 16 }), async (order) => {
    const subject = `moving-${session++}`;
    await Promise.all([...order, [8, true, false] as const].map(([nth, left, one]) => replicas[left ? 0 : 1]!.take(report(subject, nth === 8 ? STOP : INTERIM, 60 * (nth + 1), 100 * (nth + 1)), one ? ONE : TWO)));
    expect(await bed.sessions(`subject=${subject}`)).toMatchObject([{ totalOctets: '900', live: false, sessionSeconds: '540' }]);
  }), runs(82, 8));
  for (let nth = 0; nth < session; nth++) await bed.metered(`moving-${nth}`, '900');
}, TIMEOUT_MS);
