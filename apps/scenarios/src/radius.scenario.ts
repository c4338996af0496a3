import { createHash } from 'node:crypto';
import { createSocket, type Socket } from 'node:dgram';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { scratchFolder } from '@valueverse/platform';
import { eventually } from '@valueverse/testing';
import { Edition, type Json } from './edition.spec-kit';
import { runVv } from './process.spec-kit';

const TIMEOUT_MS = 120_000;
const SECRET = 'a secret of the scenario';
const T = 1_772_366_400;
const START = 1, STOP = 2, INTERIM = 3;

const udpSocket = (): Promise<Socket> => new Promise((resolve) => { const socket = createSocket('udp4'); socket.bind(0, '127.0.0.1', () => resolve(socket)); });
const freeUdpPort = async (): Promise<number> => {
  const socket = await udpSocket();
  const { port } = socket.address();
  await new Promise<void>((resolve) => { socket.close(() => resolve()); });
  return port;
};

/** An accounting packet as a NAS of another make would build it: by the octets of RFC 2866, not by our code. */
const packet = (identifier: number, status: number, elapsed: number, octets: number): Buffer => {
  const integer = (type: number, value: number): Buffer => Buffer.from([type, 6, value >>> 24, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff]);
  const text = (type: number, value: string): Buffer => Buffer.concat([Buffer.from([type, value.length + 2]), Buffer.from(value)]);
  const attributes = Buffer.concat([integer(40, status), text(1, 'subscriber-1'), text(32, 'bng-1'), text(44, 'session-1'), integer(55, T + elapsed), ...(status === START ? [] : [integer(46, elapsed), integer(42, octets), integer(43, 0)])]);
  const header = Buffer.from([4, identifier, 0, 20 + attributes.length]);
  const authenticator = createHash('md5').update(header).update(Buffer.alloc(16)).update(attributes).update(SECRET).digest();
  return Buffer.concat([header, authenticator, attributes]);
};

let edition: Edition;
let nas: Socket;
let port: number;
let folder: string;
beforeAll(async () => {
  folder = scratchFolder('radius');
  [nas, port] = [await udpSocket(), await freeUdpPort()];
  edition = await Edition.start({ RADIUS_PORT: String(port) });
}, TIMEOUT_MS);
afterAll(async () => {
  nas.close();
  await edition.stop();
  rmSync(folder, { recursive: true, force: true });
}, TIMEOUT_MS);

/** As a NAS does: sent again until it is answered. */
const report = (datagram: Buffer): Promise<Buffer> => new Promise((resolve) => {
  const again = setInterval(() => nas.send(datagram, port, '127.0.0.1'), 500);
  nas.on('message', function answered(answer: Buffer) {
    if (answer[1] !== datagram[1]) return;
    clearInterval(again);
    nas.off('message', answered);
    resolve(answer);
  });
  nas.send(datagram, port, '127.0.0.1');
});
const start = (...args: string[]) => runVv([...args, '--url', edition.url, '--key', edition.secretKey]);
const vv = async (...args: string[]): Promise<string> => {
  const process_ = start(...args);
  const code = await process_.ended;
  if (code !== 0) throw new Error(`vv ${args.join(' ')} ended with ${code}: ${process_.output()}`);
  return process_.output();
};
const json = async (...args: string[]): Promise<Json> => JSON.parse(await vv(...args, '--json')) as Json;

test('1 March 2026: the packets of a NAS become a session, usage and events that can be read', async () => {
  const file = join(folder, 'secret');
  writeFileSync(file, `${SECRET}\n`);
  const client = await json('radius', 'clients', 'add', 'bng', '127.0.0.1', '--secret-file', file);
  expect(await json('radius', 'clients', 'list')).toEqual([client]);
  await edition.post('/api/v1/usage/meters', { key: 'traffic', eventType: 'radius.accounting', aggregation: 'sum', valueProperty: '$.totalOctets' });
  for (const datagram of [packet(1, START, 0, 0), packet(2, INTERIM, 600, 900_000), packet(3, INTERIM, 300, 400_000), packet(4, STOP, 900, 1_234_567), packet(4, STOP, 900, 1_234_567)]) expect((await report(datagram))[0]).toBe(5);
  expect(await json('radius', 'sessions', '--subject', 'subscriber-1')).toMatchObject([{ nas: 'bng-1', live: false, inputOctets: '1234567', sessionSeconds: '900' }]);
  // 900,000 and 334,567: the update of 12:05 came late and had nothing to add.
  await eventually('the traffic of the day', async (saw) => {
    const { data } = await edition.get('/api/v1/usage/meters/traffic/query?subject=subscriber-1&from=2026-03-01T00:00:00Z&to=2026-03-02T00:00:00Z');
    saw(data);
    return data[0]?.value === '1234567' ? true : undefined;
  });
  const events = await json('events', 'list', '--subject', 'subscriber-1');
  expect(events.map(({ status, reason, data }: Json) => [status, reason, data.status, data.totalOctets])).toEqual([['waiting', 'no_subscription', 'stop', '334567'], ['waiting', 'no_subscription', 'interim', '900000']]);
  const [{ source, id, place }] = events;
  expect(await json('events', 'lookup', 'subscriber-1', source, id)).toMatchObject({ occurrences: [{ id, status: 'waiting' }], standing: place, complete: true });
  expect(await vv('events', 'lookup', 'subscriber-1', source, id)).toMatch(/^stands {2}2026-03-01T12:15:00Z {2}waiting \(no_subscription\) late/);
}, TIMEOUT_MS);

test('events are exported by column and line, and told as they come', async () => {
  const out = join(folder, 'events.csv');
  await vv('events', 'export', '--subject', 'subscriber-1', '--out', out);
  expect(readFileSync(out, 'utf8').split('\r\n')).toHaveLength(4);
  expect((await vv('events', 'export', '--subject', 'subscriber-1', '--format', 'ndjson')).trimEnd().split('\n').map((line) => (JSON.parse(line) as Json).data.totalOctets)).toEqual(['334567', '900000']);
  const tail = start('events', 'tail', '--type', 'tailed', '--json');
  let sent = 0;
  await eventually('an event in the tail', async (saw) => {
    saw(tail.output());
    if (tail.output().includes('"type":"tailed"')) return true;
    await edition.send([{ specversion: '1.0', id: String(sent++), source: 'scenario', type: 'tailed', subject: 'subscriber-1' }]);
    return undefined;
  }, { timeoutMs: 30_000, everyMs: 200 });
  await tail.stop();
}, TIMEOUT_MS);
