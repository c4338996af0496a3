// Sends usage to ValueVerse over Kafka, in plain kafkajs: CloudEvents from standard input, one in each line. It imports nothing of ValueVerse.
//   KAFKA_BROKERS=127.0.0.1:9092 VV_KEY=vv_live_ik_... node docs/examples/send-usage.mjs < events.jsonl
// docs/sending-usage.md says why each step is as it is.
import { createInterface } from 'node:readline';
import { Kafka, logLevel } from 'kafkajs';

const TOPIC = 'usage.ingress';
/** Events that travel together, and records that are sent at once. */
const EVENTS_PER_RECORD = 100;
const RECORDS_PER_REQUEST = 50;

/** Events of one subject in one record. The subject is its key: Kafka keeps the order of what has the same key. */
function recordOf(subject, events, key) {
  return {
    key: subject,
    value: JSON.stringify(events),
    headers: { 'content-type': 'application/cloudevents-batch+json', 'authorization': `Bearer ${key}` },
  };
}

/** Puts events into records: by subject, in their order. */
function recordsOf(events, key) {
  const bySubject = new Map();
  for (const event of events) bySubject.set(event.subject, [...bySubject.get(event.subject) ?? [], event]);
  const records = [];
  for (const [subject, own] of bySubject) {
    for (let start = 0; start < own.length; start += EVENTS_PER_RECORD) records.push(recordOf(subject, own.slice(start, start + EVENTS_PER_RECORD), key));
  }
  return records;
}

export async function send(input, { brokers, key, namespace = '' }) {
  // Acknowledged by all copies. What is sent again after a lost answer has the same ids, and counts once.
  const producer = new Kafka({ clientId: 'send-usage', brokers, logLevel: logLevel.ERROR }).producer({ allowAutoTopicCreation: false, idempotent: true });
  await producer.connect();
  let sent = 0;
  const flush = async (events) => {
    const records = recordsOf(events, key);
    for (let start = 0; start < records.length; start += RECORDS_PER_REQUEST) await producer.send({ topic: namespace + TOPIC, acks: -1, messages: records.slice(start, start + RECORDS_PER_REQUEST) });
    sent += events.length;
  };
  let waiting = [];
  for await (const line of createInterface({ input })) {
    if (line.trim() === '') continue;
    // The id makes it this event: it comes from what happened, and not from the moment of sending.
    waiting.push({ specversion: '1.0', ...JSON.parse(line) });
    if (waiting.length === EVENTS_PER_RECORD * RECORDS_PER_REQUEST) { await flush(waiting); waiting = []; }
  }
  await flush(waiting);
  await producer.disconnect();
  return sent;
}

if (process.argv[1]?.endsWith('send-usage.mjs')) {
  const { KAFKA_BROKERS: brokers, VV_KEY: key, KAFKA_NAMESPACE: namespace } = process.env;
  const sent = await send(process.stdin, { brokers: brokers.split(','), key, namespace });
  process.stdout.write(`${sent} events sent\n`);
}
