import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Kafka, logLevel } from 'kafkajs';
import { describeOnKafka } from './kafka';
import { noteNotRun } from './not-run';

describeOnKafka('the broker of the run', (brokers) => {
  test('takes a record and gives it back', async () => {
    const kafka = new Kafka({ brokers: [...brokers()], logLevel: logLevel.NOTHING });
    const admin = kafka.admin();
    await admin.connect();
    const topic = `testing.probe.${process.pid}`;
    // The producer waits for the leader: the client's own wait fails where it asks before the broker knows of the topic.
    await admin.createTopics({ topics: [{ topic, numPartitions: 1 }], waitForLeaders: false });
    const producer = kafka.producer();
    await producer.connect();
    const [written] = await producer.send({ topic, acks: -1, messages: [{ value: 'one' }] });
    expect(written).toMatchObject({ errorCode: 0, baseOffset: '0' });
    await producer.disconnect();
    await admin.deleteTopics({ topics: [topic] });
    await admin.disconnect();
  }, 60_000);
});

test('a group that cannot run is noted with its reason', () => {
  const folder = mkdtempSync(join(tmpdir(), 'vv-not-run-'));
  const before = process.env['VV_NOT_RUN_FILE'];
  process.env['VV_NOT_RUN_FILE'] = join(folder, 'report');
  try {
    noteNotRun('the broker', 'there is none');
    expect(JSON.parse(readFileSync(join(folder, 'report'), 'utf8'))).toEqual({ name: 'the broker', reason: 'there is none' });
  } finally {
    if (before === undefined) delete process.env['VV_NOT_RUN_FILE'];
    else process.env['VV_NOT_RUN_FILE'] = before;
    rmSync(folder, { recursive: true });
  }
});

test('without Kafka the run stays green and says what it did not run', () => {
  if (process.env['VV_INNER_RUN']) return; // This very file is what the inner run runs.
  const run = spawnSync(process.execPath, ['node_modules/jest/bin/jest.js', '--colors=false', 'libs/testing/src/kafka.spec.ts'], {
    encoding: 'utf8', cwd: join(__dirname, '../../..'),
    // A PATH with nothing on it: neither Java nor Docker is found.
    env: { HOME: process.env['HOME'], PATH: join(__dirname, 'nowhere'), VV_INNER_RUN: '1' },
  });
  expect(run.stderr).toMatch(/not run: the broker of the run: no Kafka: KAFKA_BROKERS is not set, Java is not installed, and Docker does not answer/);
  expect(run.status).toBe(0);
}, 60_000);
