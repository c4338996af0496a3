import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually, noteNotRun } from '@valueverse/testing';
import Redis from 'ioredis';
import { Kafka, logLevel } from 'kafkajs';
import { freePorts } from './free-ports';
import { findKafka } from './kafka';
import { startKafkaCluster } from './kafka-cluster';
import { startPart } from './part-process';
import { isAlive, startMark } from './processes';
import { findRedis, startRedis } from './redis';

/** Of Linux; other systems begin higher. */
const FIRST_OUTGOING_PORT = 32_768;
const TIMEOUT_MS = 180_000;
let folder: string;
beforeEach(() => { folder = mkdtempSync(join(tmpdir(), 'vv-parts-')); });
afterEach(() => { rmSync(folder, { recursive: true, force: true }); });

const node = (script: string, isReady: (written: string) => boolean) =>
  startPart({ name: 'a part', command: process.execPath, args: ['-e', script], logFile: join(folder, 'part.log'), isReady });

test('ports that are found are free, and none of them is one that the system gives to an outgoing connection', async () => {
  const ports = await freePorts(200);
  expect(new Set(ports).size).toBe(200);
  expect(Math.max(...ports)).toBeLessThan(FIRST_OUTGOING_PORT);
});

test('a part that ends before it is ready fails with its last words', async () => {
  await expect(node('console.log("no disk"); process.exit(3)', () => false)).rejects.toThrow(/a part did not start, it ended with 3: no disk/);
  await expect(startPart({ name: 'nothing', command: join(folder, 'nowhere'), args: [], logFile: join(folder, 'x.log'), isReady: () => false })).rejects.toThrow(/nothing did not start.*ENOENT/s);
});

test('a part that is paused is stopped all the same, and what it wrote before does not make it ready', async () => {
  const script = 'console.log("up"); setInterval(() => undefined, 1000)';
  const first = await node(script, (written) => written.includes('up'));
  const mark = startMark(first.pid);
  expect(mark).not.toBe('unknown');
  first.signal('SIGSTOP');
  await first.stop();
  expect(isAlive(first.pid)).toBe(false);
  await expect(first.whenEnded).resolves.toBe('was ended by SIGTERM');
  let written = 'nothing yet';
  const second = await node(script, (text) => { written = text; return text.includes('up'); });
  expect(written).toBe('up\n');
  await second.stop();
});

test('a Redis that was killed comes again on its port, empty', async () => {
  const found = findRedis();
  if (found.how !== 'program') { noteNotRun('a local Redis', found.how === 'none' ? found.reason : `Redis is ${found.how} here`); return; }
  const server = await startRedis({ program: found.program, folder });
  const client = new Redis(server.url, { maxRetriesPerRequest: null });
  client.on('error', () => undefined);
  try {
    await client.set('a', '1');
    server.process.signal('SIGKILL');
    await server.restart();
    expect(await client.get('a')).toBeNull();
  } finally {
    client.disconnect();
    await server.process.stop();
  }
}, TIMEOUT_MS);

test('three brokers take records while one of them is dead, and it comes again', async () => {
  const found = findKafka();
  if (found.how !== 'java') { noteNotRun('three local brokers', found.how === 'none' ? found.reason : `Kafka is ${found.how} here`); return; }
  const cluster = await startKafkaCluster({ jars: found.jars, folder: join(folder, 'kafka'), brokers: 3, disposable: true });
  const kafka = new Kafka({ brokers: [...cluster.brokers], logLevel: logLevel.NOTHING });
  const admin = kafka.admin();
  const producer = kafka.producer({ idempotent: true });
  const allInSync = () => eventually('every copy to be in sync', async (saw) => {
    const { topics } = await admin.fetchTopicMetadata({ topics: ['probe'] });
    saw(topics);
    return topics[0]!.partitions.every(({ isr }) => isr.length === 3) || undefined;
  }, { timeoutMs: 60_000 });
  try {
    await admin.connect();
    // A broker that has not heard of the new topic yet answers that there is none, which kafkajs takes for the end when it waits for leaders itself.
    await admin.createTopics({ topics: [{ topic: 'probe', numPartitions: 3, replicationFactor: 3 }], waitForLeaders: false });
    await allInSync();
    await producer.connect();
    const [victim] = cluster.nodes;
    victim!.process.signal('SIGKILL');
    await victim!.process.whenEnded;
    for (const partition of [0, 1, 2]) {
      await eventually(`partition ${partition} to take a record`, () => producer.send({ topic: 'probe', acks: -1, messages: [{ value: 'x', partition }] }), { timeoutMs: 60_000 });
    }
    await victim!.restart();
    await allInSync();
  } finally {
    await producer.disconnect().catch(() => undefined);
    await admin.disconnect().catch(() => undefined);
    await cluster.stop();
  }
  expect(existsSync(join(folder, 'kafka'))).toBe(false);
}, TIMEOUT_MS);
