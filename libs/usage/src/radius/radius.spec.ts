import { execFile, spawnSync } from 'node:child_process';
import type { Counter } from 'prom-client';
import { eventually, noteNotRun } from '@valueverse/testing';
import { HostBed, type Answer } from '../host-bed.spec-kit';
import { md5 } from './accounting';
import { attribute, Nas, type Values } from './nas.spec-kit';

const TIMEOUT_MS = 60_000;
const SECRET = 'xyzzy5461';
const T = 1_772_366_400;
const START = 1, STOP = 2, INTERIM = 3, ACCOUNTING_ON = 7;

let bed: HostBed;
let nas: Nas;
let port: number;
let key: string;
let other: string;

beforeAll(async () => {
  bed = await HostBed.make();
  [key, other, port] = [await bed.key('org_1'), await bed.key('org_2'), await bed.radius()];
  nas = await Nas.at(port, SECRET);
  expect((await bed.ask('POST', 'radius/clients', key, { name: 'bng', address: '127.0.0.0/8', secret: SECRET })).status).toBe(201);
  expect((await bed.ask('POST', 'meters', key, { key: 'octets', eventType: 'radius.accounting', aggregation: 'sum', valueProperty: '$.totalOctets', groupBy: { nas: '$.nas' } })).status).toBe(201);
}, TIMEOUT_MS);
afterAll(async () => {
  await nas.close();
  await bed.close();
}, TIMEOUT_MS);

const report = (status: number, sessionId: string, elapsed: number, input = 0, output = 0, more: Values = {}): Values => ({
  ACCT_STATUS_TYPE: status, USER_NAME: 'nemo', NAS_IDENTIFIER: 'nas-1', ACCT_SESSION_ID: sessionId, EVENT_TIMESTAMP: T + elapsed,
  ...(status === START ? {} : { ACCT_SESSION_TIME: elapsed, ACCT_INPUT_OCTETS: input % 2 ** 32, ACCT_INPUT_GIGAWORDS: Math.floor(input / 2 ** 32), ACCT_OUTPUT_OCTETS: output }), ...more,
});
const sessions = async (parameters: string, by = key): Promise<Answer['body'][]> => (await bed.ask('GET', `sessions?${parameters}`, by)).body.data;
const metered = (subject: string, value: string): Promise<unknown> => eventually(`${value} of ${subject}`, async (saw) => {
  const { body } = await bed.ask('GET', `meters/octets/query?from=2026-03-01T00:00:00Z&to=2026-03-02T00:00:00Z&subject=${subject}`, key);
  saw(body);
  return body.data[0]?.value === value ? true : undefined;
});
const counted = async (result: string): Promise<number> => {
  const { values } = await (bed.service.metrics.registry.getSingleMetric('valueverse_usage_radius_packets_total') as Counter).get();
  return values.find(({ labels }) => labels['result'] === result)?.value ?? 0;
};
const planned = async (): Promise<number> => (await bed.service.database.transaction({ role: 'worker' }, (tx) => tx.query('SELECT FROM usage_radius_planned'))).rowCount!;

test('a session from its start to the meter: interim updates late and twice, gigawords, the end and its cause', async () => {
  const stop = nas.packet(report(STOP, 's1', 900, 5 * 2 ** 32 + 7, 1_000, { ACCT_TERMINATE_CAUSE: 1, FRAMED_IP_ADDRESS: Uint8Array.of(10, 0, 0, 9), CALLING_STATION_ID: '00-11' }));
  await nas.send(report(START, 's1', 0));
  expect(await sessions('live=true&subject=nemo')).toMatchObject([{ sessionId: 's1', nas: 'nas-1', live: true, startedAt: '2026-03-01T12:00:00Z', endedAt: null, totalOctets: '0' }]);
  await nas.send(report(INTERIM, 's1', 600, 5_000, 400));
  await nas.send(report(INTERIM, 's1', 300, 1_000, 100));
  const answer = await nas.ask(stop);
  expect([answer[0], answer[1]]).toEqual([5, stop[1]]);
  expect(answer.subarray(4, 20).equals(md5(answer.subarray(0, 4), stop.subarray(4, 20), Buffer.from(SECRET)) as Buffer)).toBe(true);
  const repeated = await counted('repeated');
  expect((await nas.ask(stop)).equals(answer)).toBe(true);
  expect(await counted('repeated')).toBe(repeated + 1);
  const [session] = await sessions('subject=nemo');
  expect(session).toMatchObject({
    live: false, endedAt: '2026-03-01T12:15:00Z', updatedAt: '2026-03-01T12:15:00Z', cause: 'user_request', inputOctets: '21474836487', outputOctets: '1000', totalOctets: '21474837487', sessionSeconds: '900',
    framedAddress: '10.0.0.9', callingStation: '00-11',
  });
  expect((await bed.ask('GET', `sessions/${session.id}`, key)).body).toEqual(session);
  await metered('nemo', '21474837487');
  expect(await planned()).toBe(0);
}, TIMEOUT_MS);

test('a session whose id is used again is another one; a counter that was set back is counted from zero', async () => {
  const of = (status: number, elapsed: number, octets: number, begins: number): Values => report(status, 's2', elapsed, octets, 0, { USER_NAME: 'twice', EVENT_TIMESTAMP: T + begins + elapsed });
  for (const values of [of(START, 0, 0, 0), of(INTERIM, 300, 800, 0), of(INTERIM, 600, 200, 0), of(STOP, 900, 250, 0), of(START, 0, 0, 1_000), of(STOP, 900, 2_000, 1_000)]) await nas.send(values);
  expect((await sessions('subject=twice')).map(({ totalOctets, startedAt }) => [totalOctets, startedAt])).toEqual([['2000', '2026-03-01T12:16:40Z'], ['1050', '2026-03-01T12:00:00Z']]);
  await metered('twice', '3050');
}, TIMEOUT_MS);

test('a NAS that starts again ends its own sessions and no others', async () => {
  await nas.send(report(INTERIM, 'a', 300, 10, 0, { USER_NAME: 'ended', NAS_IDENTIFIER: 'nas-2' }));
  await nas.send(report(INTERIM, 'b', 300, 10, 0, { USER_NAME: 'goes-on', NAS_IDENTIFIER: 'nas-3' }));
  await nas.send({ ACCT_STATUS_TYPE: ACCOUNTING_ON, NAS_IDENTIFIER: 'nas-2', EVENT_TIMESTAMP: T + 400 });
  expect(await sessions('nas=nas-2')).toMatchObject([{ live: false, cause: 'accounting_on', endedAt: '2026-03-01T12:06:40Z' }]);
  expect(await sessions('nas=nas-3&live=true')).toMatchObject([{ subject: 'goes-on' }]);
  const all = await bed.ask('GET', 'sessions?live=true&limit=1', key);
  expect(all.body).toMatchObject({ data: [expect.anything()], hasMore: expect.any(Boolean) });
  expect(await bed.ask('GET', 'sessions/ras_none', key)).toMatchObject({ status: 404, body: { code: 'session_not_found' } });
  expect(await bed.ask('GET', 'sessions?live=perhaps', key)).toMatchObject({ status: 400 });
}, TIMEOUT_MS);

describe('packets of strangers', () => {
  const good = (): Values => report(INTERIM, 'hostile', 300, 5);
  const long = (type: number, length: number): { type: number; value: Uint8Array } => ({ type, value: new Uint8Array(length).fill(0x41) });
  const altered = (change: (packet: Uint8Array) => Uint8Array | void): Uint8Array => {
    const packet = Uint8Array.from(nas.packet(good()));
    return change(packet) ?? packet;
  };
  const without = (...names: (keyof Values)[]): Uint8Array => nas.packet(Object.fromEntries(Object.entries(good()).filter(([name]) => !names.includes(name as keyof Values))));
  const HOSTILE: readonly (readonly [name: string, code: string, make: () => Uint8Array])[] = [
    ['nothing at all', 'too_short', () => new Uint8Array()], ['19 octets', 'too_short', () => altered((packet) => packet.subarray(0, 19))], ['4,097 octets', 'too_long', () => altered((packet) => Buffer.concat([packet], 4_097))],
    ['a length beyond the datagram', 'length_mismatch', () => altered((packet) => { packet[3]!++; })], ['a length below the header', 'length_mismatch', () => altered((packet) => { packet.set([0, 19], 2); })],
    ['a packet that was cut', 'length_mismatch', () => altered((packet) => packet.subarray(0, -3))], ['an Access-Request', 'wrong_code', () => altered((packet) => { packet[0] = 1; })], ['an answer', 'wrong_code', () => altered((packet) => { packet[0] = 5; })],
    ['an attribute of length 0', 'malformed_attribute', () => altered((packet) => { packet[21] = 0; })], ['an attribute of length 1', 'malformed_attribute', () => altered((packet) => { packet[21] = 1; })],
    ['an attribute beyond the end', 'malformed_attribute', () => altered((packet) => { packet[21] = 255; })], ['half an attribute', 'malformed_attribute', () => altered((packet) => { packet[3]!--; return packet.subarray(0, -1); })],
    ['an octet that was changed', 'wrong_secret', () => altered((packet) => { packet[packet.length - 1]! ^= 1; })], ['an authenticator of zeros', 'wrong_secret', () => altered((packet) => { packet.fill(0, 4, 20); })],
    ['no status', 'status_missing', () => without('ACCT_STATUS_TYPE')], ['a status that nobody knows', 'unknown_status', () => nas.packet({ ...good(), ACCT_STATUS_TYPE: 99 })],
    ['no session id', 'session_id_missing', () => without('ACCT_SESSION_ID')], ['an empty session id', 'session_id_missing', () => nas.packet({ ...good(), ACCT_SESSION_ID: '' })], ['nobody\'s usage', 'subject_missing', () => without('USER_NAME')],
    ['a subject of 253 octets that are no text', 'invalid_subject', () => nas.packet({ ...good(), USER_NAME: new Uint8Array(253).fill(0xff) })], ['a counter of 8 octets', 'malformed_attribute', () => nas.packet({ ...good(), ACCT_INPUT_OCTETS: new Uint8Array(8).fill(0xff) })],
    ['gigawords of 5 octets', 'malformed_attribute', () => nas.packet({ ...good(), ACCT_INPUT_GIGAWORDS: new Uint8Array(5) })], ['two session ids', 'repeated_attribute', () => nas.packet(good(), [attribute('ACCT_SESSION_ID', 'x')])],
    ['two counters', 'repeated_attribute', () => nas.packet(good(), [attribute('ACCT_INPUT_OCTETS', 1)])], ['4,096 octets of attributes, and one of them beyond the end', 'malformed_attribute', () => altered(() => { const packet = nas.packet(good(), Array.from({ length: 15 }, () => long(200, 250))); packet[packet.length - 251] = 255; return packet; })],
  ];

  test.each(HOSTILE)('%s is %s: counted, not answered, and the next good packet is served', async (_, code, make) => {
    const before = await counted(code);
    await nas.throw(make());
    await nas.send(report(INTERIM, 'served', 300, 5, 0, { USER_NAME: 'served' }));
    await eventually(`one more ${code}`, async () => ((await counted(code)) === before + 1 ? true : undefined));
    expect(await sessions('subject=nemo&nas=hostile')).toEqual([]);
  }, TIMEOUT_MS);

  test('a wrong secret gets no answer', async () => {
    const stranger = await Nas.at(port, 'another-secret');
    const before = await counted('wrong_secret');
    await stranger.throw(stranger.packet(good()));
    await eventually('the wrong secret', async () => ((await counted('wrong_secret')) === before + 1 ? true : undefined));
    await stranger.close();
  }, TIMEOUT_MS);

  test('a replayed packet, hours later and from another port, is a repetition', async () => {
    const packet = nas.packet(report(STOP, 'replayed', 600, 77, 0, { USER_NAME: 'replayed' }));
    await nas.ask(packet);
    const thief = await Nas.at(port, 'knows-no-secret');
    await thief.ask(packet);
    await thief.close();
    expect(await sessions('subject=replayed')).toMatchObject([{ totalOctets: '77' }]);
    await metered('replayed', '77');
  }, TIMEOUT_MS);
});

test('clients: made, listed, changed and removed; a secret is sealed and never shown; each tenant has its own', async () => {
  const made = await bed.ask('POST', 'radius/clients', other, { name: 'bng', address: '127.0.0.1', secret: 'the other one', subjectAttribute: 'Calling-Station-Id', nasIdentifier: 'nas-9' });
  expect(made.body).toEqual({ id: expect.stringMatching(/^rac_/), name: 'bng', address: '127.0.0.1', subjectAttribute: 'Calling-Station-Id', nasIdentifier: 'nas-9', createdAt: expect.any(String) });
  const { id } = made.body;
  expect(made.headers.get('location')).toBe(`/api/v1/usage/radius/clients/${id}`);
  const rows = await bed.service.database.transaction({ role: 'worker' }, (tx) => tx.query<{ secret: Buffer }>('SELECT secret FROM usage_radius_clients'));
  expect(rows.rows.some(({ secret }) => secret.includes('the other one') || secret.includes(SECRET))).toBe(false);
  const ask = (method: 'GET' | 'POST' | 'PATCH' | 'DELETE', path: string, body?: unknown, by = other): Promise<Answer> => bed.ask(method, `radius/clients${path}`, by, body);
  expect((await ask('GET', '')).body).toMatchObject({ data: [{ id }], hasMore: false });
  expect(await ask('GET', `/${id}`, undefined, key)).toMatchObject({ status: 404, body: { code: 'radius_client_not_found' } });
  expect(await ask('PATCH', `/${id}`, { secret: 'stolen by others' }, key)).toMatchObject({ status: 404 });
  expect(await ask('DELETE', `/${id}`, undefined, key)).toMatchObject({ status: 404 });
  expect(await ask('POST', '', { name: 'bng', address: '192.0.2.1', secret: 'long enough' })).toMatchObject({ status: 409, body: { code: 'radius_client_exists' } });
  expect(await ask('POST', '', { name: 'two', address: '127.0.0.1', secret: 'long enough', nasIdentifier: 'nas-9' })).toMatchObject({ status: 409, body: { code: 'radius_address_taken' } });
  expect(await ask('POST', '', { name: 'two', address: '127.0.0.256', secret: 'long enough' })).toMatchObject({ status: 400, body: { code: 'invalid_address', errors: [{ pointer: '/address' }] } });
  for (const wrong of [{ secret: 'short' }, { subjectAttribute: 'Filter-Id' }, { name: 'a b' }, { name: 'x'.repeat(65) }, { colour: 'red' }]) expect(await ask('POST', '', { name: 'two', address: '192.0.2.1', secret: 'long enough', ...wrong })).toMatchObject({ status: 400, body: { code: 'invalid_request' } });
  expect(await bed.ask('POST', 'radius/clients', await bed.key('org_2', 'ingest'), { name: 'two', address: '192.0.2.1', secret: 'long enough' })).toMatchObject({ status: 403 });

  const theirs = await Nas.at(port, 'changed since');
  const of = (octets: number): Values => report(INTERIM, 'theirs', 300, octets, 0, { NAS_IDENTIFIER: 'nas-9', CALLING_STATION_ID: 'handset' });
  const before = await counted('wrong_secret');
  await theirs.throw(theirs.packet(of(1)));
  await eventually('the wrong secret', async () => ((await counted('wrong_secret')) === before + 1 ? true : undefined));
  expect(await ask('PATCH', `/${id}`, { secret: 'changed since', nasIdentifier: null })).toMatchObject({ status: 200, body: { nasIdentifier: null, subjectAttribute: 'Calling-Station-Id' } });
  await theirs.send(of(2));
  expect(await sessions('subject=handset', other)).toMatchObject([{ totalOctets: '2', nas: 'nas-9' }]);
  expect(await sessions('subject=handset')).toEqual([]);
  // The address of the one is inside the network of the other: the secret says whose packet it is.
  await nas.send(report(INTERIM, 'ours', 300, 3, 0, { USER_NAME: 'ours' }));
  expect(await sessions('subject=ours')).toHaveLength(1);
  expect((await ask('DELETE', `/${id}`)).status).toBe(204);
  const after = await counted('wrong_secret');
  await theirs.throw(theirs.packet(of(4)));
  await eventually('no client of that secret', async () => ((await counted('wrong_secret')) === after + 1 ? true : undefined));
  await theirs.close();
}, TIMEOUT_MS);

const RADCLIENT = 'radclient of freeradius-utils';
test('what radclient sends is answered so that radclient accepts it', async () => {
  if (spawnSync('radclient', ['-v']).error !== undefined) { noteNotRun(RADCLIENT, 'radclient is not installed (apt-get install freeradius-utils)'); return; }
  const packet = 'Acct-Status-Type = Stop\nUser-Name = "radclient"\nNAS-Identifier = "bng-7"\nAcct-Session-Id = "81a0ff"\nAcct-Input-Octets = 12\nAcct-Input-Gigawords = 3\nAcct-Output-Octets = 34\nAcct-Session-Time = 300\nEvent-Timestamp = 1772366700\nProxy-State = "a proxy"\n';
  const output = await new Promise<string>((resolve, reject) => {
    const child = execFile('radclient', ['-x', '-r', '2', '-t', '5', `127.0.0.1:${port}`, 'acct', SECRET], (error, stdout, stderr) => { if (error === null) resolve(stdout); else reject(new Error(`${stdout}${stderr}`)); });
    child.stdin!.end(packet);
  });
  expect(output).toMatch(/Received Accounting-Response[^]*Proxy-State/);
  expect(await sessions('subject=radclient')).toMatchObject([{ nas: 'bng-7', totalOctets: '12884901934', live: false }]);
}, TIMEOUT_MS);
