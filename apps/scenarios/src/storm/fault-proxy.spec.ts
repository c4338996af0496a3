import { connect, createServer, type Server, type Socket } from 'node:net';
import { eventually } from '@valueverse/testing';
import { FaultProxy } from './fault-proxy';
import { Random } from './random';

const LONG_MS = 60_000;
let server: Server;
let heard: string;
let proxy: FaultProxy;
const clients: Socket[] = [];

beforeEach(async () => {
  heard = '';
  // Answers each line with itself, and remembers what it heard.
  server = createServer((socket) => { socket.on('data', (chunk) => { heard += chunk.toString(); socket.write(chunk); }); socket.on('error', () => undefined); });
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  proxy = await new FaultProxy('echo').listen();
  proxy.leadTo((server.address() as { port: number }).port);
});
afterEach(() => {
  clients.splice(0).forEach((client) => client.destroy());
  proxy.close();
  server.close();
});

const client = async (): Promise<{ socket: Socket; got: () => string; isClosed: () => boolean }> => {
  const socket = connect(proxy.port, '127.0.0.1');
  clients.push(socket);
  let text = '';
  let closed = false;
  socket.on('data', (chunk) => { text += chunk.toString(); });
  socket.on('error', () => undefined);
  socket.once('close', () => { closed = true; });
  await new Promise<void>((resolve) => { socket.once('connect', () => resolve()); });
  return { socket, got: () => text, isClosed: () => closed };
};

test('what is not spoiled passes', async () => {
  const { socket, got } = await client();
  socket.write('a');
  await eventually('the answer', () => got() === 'a' || undefined);
  void proxy.slow(5, LONG_MS);
  socket.write('b');
  await eventually('the slow answer', () => got() === 'ab' || undefined);
});

test('a cut ends what is there and refuses what comes, until it is healed', async () => {
  const before = await client();
  before.socket.write('a');
  await eventually('the answer', () => before.got() === 'a' || undefined);
  void proxy.cut(LONG_MS);
  await eventually('the end of the connection', () => before.isClosed() || undefined);
  const meanwhile = await client();
  await eventually('the refusal', () => meanwhile.isClosed() || undefined);
  proxy.heal();
  const after = await client();
  after.socket.write('b');
  await eventually('the answer', () => after.got() === 'b' || undefined);
});

test('in silence nothing passes and nothing is lost', async () => {
  void proxy.stall(LONG_MS);
  const { socket, got, isClosed } = await client();
  socket.write('a');
  await new Promise((resolve) => { setImmediate(resolve); });
  expect([heard, got(), isClosed()]).toEqual(['', '', false]);
  proxy.heal();
  await eventually('the answer', () => got() === 'a' || undefined);
});

test('a dropped answer: what was asked for is heard, and whoever asked hears nothing', async () => {
  proxy.dropAnswer();
  const { socket, got, isClosed } = await client();
  socket.write('a');
  await eventually('the end of the connection', () => isClosed() || undefined);
  expect([heard, got()]).toEqual(['a', '']);
});

test('the same seed makes the same choices, and another one makes others', () => {
  const choices = (seed: number): number[] => { const random = new Random(seed); return Array.from({ length: 20 }, () => random.whole(1, 1_000)); };
  expect(choices(7)).toEqual(choices(7));
  expect(choices(7)).not.toEqual(choices(8));
  expect(choices(7).every((value) => value >= 1 && value <= 1_000)).toBe(true);
  const random = new Random(1);
  const kinds = [{ weight: 1, name: 'a' }, { weight: 0, name: 'never' }, { weight: 3, name: 'b' }];
  expect(new Set(Array.from({ length: 200 }, () => random.weighted(kinds).name))).toEqual(new Set(['a', 'b']));
});
