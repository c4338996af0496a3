import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import Ajv, { type ValidateFunction } from 'ajv';
import addFormats from 'ajv-formats';
import { Kafka, logLevel, type IHeaders } from 'kafkajs';
import { Client } from 'pg';
import { SERVICES, TOPICS } from '@valueverse/contracts';
import { createEmptyDatabase, eventually } from '@valueverse/testing';
import { ROOT, run } from './process.spec-kit';

export interface Cluster { readonly brokers: readonly string[]; readonly namespace: string }
const EXAMPLE = 'docs/examples/invoice-totals.mjs';
const TIMEOUT_MS = 60_000;

/** The totals of the example, once it has read that many invoices. It is killed on its way and started again: nothing is counted twice. */
export const totalsOfExample = async ({ brokers, namespace }: Cluster, invoices: number): Promise<unknown[]> => {
  const database = await createEmptyDatabase();
  const client = new Client({ connectionString: database.url });
  await client.connect();
  const start = (): ReturnType<typeof run> => run(EXAMPLE, [], { KAFKA_BROKERS: brokers.join(','), KAFKA_NAMESPACE: namespace, DATABASE_URL: database.url });
  const first = start();
  let second: ReturnType<typeof run> | undefined;
  try {
    await eventually('the example to have read something', async (saw) => {
      saw(first.output());
      return (await client.query('SELECT FROM invoices')).rowCount! > 0 || undefined;
    }, { timeoutMs: TIMEOUT_MS });
    await first.kill();
    // As after a crash between its commit and the hint to Kafka: it is offered everything again.
    const admin = new Kafka({ clientId: 'spec', brokers: [...brokers], logLevel: logLevel.NOTHING }).admin();
    await admin.connect();
    await eventually('the group to be empty', async () => { await admin.deleteGroups([`${namespace}example.invoice-totals`]); return true; }, { timeoutMs: TIMEOUT_MS, everyMs: 500 });
    await admin.disconnect();
    second = start();
    return await eventually(`${invoices} paid invoices in the example`, async (saw) => {
      const { rows } = await client.query<{ currency: string; total: string; paid: string }>('SELECT currency, sum(total)::text AS total, count(*) FILTER (WHERE paid)::text AS paid FROM invoices GROUP BY 1');
      saw([rows, second!.output()]);
      return rows[0]?.paid === String(invoices) ? rows : undefined;
    }, { timeoutMs: TIMEOUT_MS });
  } finally {
    await first.kill();
    await second?.stop();
    await client.end();
    await database.drop();
  }
};

interface Document { channels: Record<string, { messages: Record<string, unknown> }>; components: { schemas: object; messages: Record<string, { payload: object }> } }
const texts = (headers: IHeaders = {}): Record<string, string> => Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]));

/** For each topic what says whether a record is as the documents have it: the faults, none where it is. */
const checks = (): Map<string, (value: object, headers: Record<string, string>) => string[]> => {
  const ajv = new Ajv({ strict: false, allErrors: true });
  addFormats(ajv);
  const found = new Map<string, (value: object, headers: Record<string, string>) => string[]>();
  for (const name of SERVICES) {
    const document = JSON.parse(readFileSync(join(ROOT, 'docs', 'asyncapi', `${name}.json`), 'utf8')) as Document;
    ajv.addSchema({ $id: name, components: document.components });
    const schema = (path: string): ValidateFunction => ajv.compile({ $ref: `${name}#/components/${path}` });
    for (const [topic, { messages }] of Object.entries(document.channels)) {
      const payloads = Object.keys(messages).map((message) => schema(`messages/${message}/payload`));
      const headersOf = schema('schemas/RecordHeaders');
      found.set(topic, (value, headers) => [
        ...(payloads.some((validate) => validate(value)) ? [] : [`${JSON.stringify(value).slice(0, 300)}: ${ajv.errorsText(payloads[0]!.errors)}`]),
        ...(TOPICS[topic as keyof typeof TOPICS].kind !== 'facts' || headersOf(headers) ? [] : [ajv.errorsText(headersOf.errors)]),
      ]);
    }
  }
  return found;
};

/** Reads every record of every topic and compares it with docs/asyncapi: how many of each topic, and what is not as it is described. */
export const comparedWithAsyncApi = async ({ brokers, namespace }: Cluster): Promise<{ records: Record<string, number>; faults: string[] }> => {
  const kafka = new Kafka({ clientId: 'spec', brokers: [...brokers], logLevel: logLevel.NOTHING });
  const admin = kafka.admin();
  await admin.connect();
  const topics = Object.keys(TOPICS);
  const left = new Map<string, bigint>();
  for (const topic of topics) for (const { partition, high } of await admin.fetchTopicOffsets(namespace + topic)) if (BigInt(high) > 0n) left.set(`${topic}/${partition}`, BigInt(high));
  await admin.disconnect();
  const check = checks();
  const records: Record<string, number> = {};
  const faults: string[] = [];
  const consumer = kafka.consumer({ groupId: `${namespace}spec`, maxWaitTimeInMs: 50 });
  await consumer.connect();
  await consumer.subscribe({ topics: topics.map((topic) => namespace + topic), fromBeginning: true });
  await consumer.run({ autoCommit: false, eachBatch: async ({ batch }) => {
    const topic = batch.topic.slice(namespace.length);
    for (const { value, headers } of batch.messages) {
      records[topic] = (records[topic] ?? 0) + 1;
      faults.push(...check.get(topic)!(JSON.parse(String(value)) as object, texts(headers)).map((fault) => `${topic}: ${fault}`));
    }
    const end = left.get(`${topic}/${batch.partition}`);
    if (end !== undefined && BigInt(batch.lastOffset()) + 1n >= end) left.delete(`${topic}/${batch.partition}`);
  } });
  try {
    await eventually('every record to be read', (saw) => { saw([...left.keys()]); return left.size === 0 || undefined; }, { timeoutMs: TIMEOUT_MS });
    return { records, faults };
  } finally {
    await consumer.disconnect();
  }
};
