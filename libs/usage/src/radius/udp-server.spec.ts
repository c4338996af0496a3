import { Writable } from 'node:stream';
import { eventually } from '@valueverse/testing';
import { createLogger, Metrics } from '@valueverse/platform';
import type { Taken } from './accounting';
import { PacketFault } from './domain/packet';
import { Nas } from './nas.spec-kit';
import { IN_HAND_MAX, UdpServer } from './udp-server';

const metrics = new Metrics();
const lines: { code?: string; next?: string }[] = [];
const logger = createLogger({ service: 'usage', level: 'warn', destination: new Writable({ write: (line: Buffer, _, done) => { lines.push(JSON.parse(line.toString()) as object); done(); } }) });

/** Packets are held until the test lets them go. */
class Held {
  readonly held: ((taken: Taken | PacketFault | Error) => void)[] = [];
  take(datagram: Uint8Array): Promise<Taken | PacketFault> {
    return new Promise((resolve, reject) => {
      this.held.push((taken) => { if (taken instanceof Error) reject(taken); else resolve('response' in taken ? { ...taken, response: Uint8Array.of(5, datagram[1]!) } : taken); });
    });
  }
  release(taken: Taken | PacketFault | Error): void { for (const go of this.held.splice(0)) go(taken); }
}
const RECORDED: Taken = { result: 'recorded', response: new Uint8Array() };

let accounting: Held;
let server: UdpServer;
let nas: Nas;
let nowMs = 0;
beforeEach(async () => {
  accounting = new Held();
  server = new UdpServer({ accounting, logger, metrics, nowMs: () => nowMs });
  nas = await Nas.at(await server.listen({ port: 0, address: '127.0.0.1' }), 'secret');
});
afterEach(async () => {
  accounting.release(RECORDED);
  await server.close();
  await nas.close();
});
const holds = (count: number): Promise<unknown> => eventually(`${count} packets at work`, () => (accounting.held.length === count ? true : undefined));
const counted = async (result: string): Promise<number> => {
  const { values } = await metrics.counter({ subsystem: 'usage', what: 'radius_packets', labels: ['result'], help: '' }).get();
  return values.find(({ labels }) => labels['result'] === result)?.value ?? 0;
};

test('a packet that comes again while it is worked on is answered once', async () => {
  const packet = nas.packet({ USER_NAME: 'nemo' });
  const answer = nas.ask(packet);
  await holds(1);
  const before = await counted('repeated');
  await nas.throw(packet);
  await eventually('the repetition', async () => ((await counted('repeated')) === before + 1 ? true : undefined));
  expect(accounting.held).toHaveLength(1);
  accounting.release(RECORDED);
  expect([...await answer]).toEqual([5, packet[1]]);
});

test('no more are in hand than may be, and what is beyond is dropped', async () => {
  const dropped = await counted('overloaded');
  // An identifier has 256 values, so what tells them apart is the NAS's port or, here, their content.
  for (let nth = 0; nth < IN_HAND_MAX + 200; nth++) await nas.throw(nas.packet({ USER_NAME: `nemo ${nth}` }));
  await eventually('some to be dropped', async (saw) => {
    saw(await counted('overloaded'));
    return (await counted('overloaded')) > dropped ? true : undefined;
  });
  expect(accounting.held).toHaveLength(IN_HAND_MAX);
});

test('a server that closes answers what it works on', async () => {
  const answer = nas.send({ USER_NAME: 'nemo' });
  await holds(1);
  const closed = server.close();
  accounting.release(RECORDED);
  expect([...await answer]).toMatchObject([5, expect.any(Number)]);
  await closed;
});

test('what is wrong with the packets of an address is logged once a minute, with the next command', async () => {
  const once = async (taken: PacketFault | Error): Promise<void> => {
    await nas.throw(nas.packet({ USER_NAME: `nemo ${nowMs++}` }));
    await holds(1);
    accounting.release(taken);
    await eventually('it to be worked off', async () => (accounting.held.length === 0 ? true : undefined));
  };
  lines.length = 0;
  for (let nth = 0; nth < 5; nth++) await once(new PacketFault('wrong_secret', 'no secret fits'));
  await once(new Error('no database'));
  await once(new Error('no database'));
  await eventually('the lines', () => (lines.length === 2 ? true : undefined));
  expect(lines).toMatchObject([{ code: 'wrong_secret', address: '127.0.0.1', next: expect.stringContaining('npx vv radius clients') }, { code: 'failed', next: 'npx vv doctor' }]);
  nowMs += 60_000;
  await once(new PacketFault('wrong_secret', 'no secret fits'));
  await eventually('one more line', () => (lines.length === 3 ? true : undefined));
});

test('a port that is taken is told', async () => {
  const first = new UdpServer({ accounting, logger, metrics });
  const port = await first.listen({ port: 0, address: '127.0.0.1' });
  await expect(new UdpServer({ accounting, logger, metrics }).listen({ port, address: '127.0.0.1' })).rejects.toMatchObject({ code: 'port_taken', port, setting: 'RADIUS_PORT' });
  await first.close();
});
