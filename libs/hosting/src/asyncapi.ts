import { ALL_EVENTS, isFromClients, keyOf, partitionsOf, TOPICS, type EventDefinition, type ServiceName, type Topic } from '@valueverse/contracts';
import { TRANSPORT_RETENTION_MS } from '@valueverse/event-log';
import type { Consumption } from '@valueverse/platform';
import { RECORD_HEADERS, RECORDS, FACT } from './asyncapi-schemas';

type Json = Record<string, unknown>;
const topicsOf = Object.keys(TOPICS) as Topic[];
const reference = (path: string): Json => ({ $ref: `#/${path}` });

/** As it is on the wire: what is personal is sealed, and a text whatever it was. */
const onTheWire = (schema: Json): Json => {
  const { properties, items, anyOf, ...rest } = schema as Json & { properties?: Record<string, Json>; items?: Json; anyOf?: Json[] };
  if (schema['x-personal'] === true) return { type: 'string', description: 'Personal: sealed with the key of its owner, or [erased].', 'x-personal': true };
  return {
    ...rest, ...(properties === undefined ? {} : { properties: Object.fromEntries(Object.entries(properties).map(([name, child]) => [name, onTheWire(child)])) }),
    ...(items === undefined ? {} : { items: onTheWire(items) }), ...(anyOf === undefined ? {} : { anyOf: anyOf.map(onTheWire) }),
  };
};

const factMessage = ({ name, type, topic, schema, personalKey }: EventDefinition): Json => ({
  name, title: name, contentType: 'application/cloudevents+json; charset=UTF-8', headers: reference('components/schemas/RecordHeaders'),
  ...(personalKey === undefined ? {} : { description: `Personal fields are sealed with the key of \`${personalKey}\`.` }),
  payload: { allOf: [reference('components/schemas/Fact'), { type: 'object', properties: { type: { const: type }, data: onTheWire(schema.json as Json) } }] },
  bindings: { kafka: { key: { type: 'string', description: keyOf(topic) }, bindingVersion: '0.5.0' } },
});

/** Records that are no facts: of each such topic one kind. */
const recordMessage = (topic: Topic): [string, Json] => {
  const { name, schema, headers, contentType = 'application/json' } = RECORDS[topic]!;
  return [name, { name, title: name, contentType, ...(headers === undefined ? {} : { headers }), payload: schema, bindings: { kafka: { key: { type: 'string', description: keyOf(topic) }, bindingVersion: '0.5.0' } } }];
};

const messagesOf = (topic: Topic): Record<string, Json> => (TOPICS[topic].kind === 'facts'
  ? Object.fromEntries(ALL_EVENTS.filter((event) => event.topic === topic).map((event) => [event.name, factMessage(event)]))
  : Object.fromEntries([recordMessage(topic)]));

const RETENTION: Readonly<Record<string, Json>> = {
  facts: { 'cleanup.policy': ['delete'], 'retention.ms': -1 }, transport: { 'cleanup.policy': ['delete'], 'retention.ms': TRANSPORT_RETENTION_MS }, keys: { 'cleanup.policy': ['compact'] },
};
const channelOf = (topic: Topic): Json => ({
  address: topic, messages: Object.fromEntries(Object.keys(messagesOf(topic)).map((name) => [name, reference(`components/messages/${name}`)])),
  bindings: { kafka: { topic, partitions: partitionsOf(topic), topicConfiguration: RETENTION[TOPICS[topic].kind], bindingVersion: '0.5.0' } },
});

const operation = (action: 'send' | 'receive', topic: Topic, names: readonly string[], summary: string): Json => ({
  action, channel: reference(`channels/${topic}`), summary, messages: names.map((name) => reference(`channels/${topic}/messages/${name}`)),
});

/** What one consumer reads of a topic, as an operation; a fact that it passes over is none of it. */
const receiving = ({ consumer, topics, events }: Consumption): [string, Json][] => topics.flatMap((topic): [string, Json][] => {
  const names = Object.keys(messagesOf(topic)).filter((name) => events === undefined || events.includes(name));
  return names.length === 0 ? [] : [[`receive.${consumer}.${topic}`, operation('receive', topic, names, `${consumer} reads ${topic}`)]];
});

/** What a service writes to the log and reads from it, as AsyncAPI 3.1. */
export const asyncApiOf = (name: ServiceName, description: string, consumptions: readonly Consumption[]): Json => {
  const own = topicsOf.filter((topic) => TOPICS[topic].owner === name && !isFromClients(topic));
  const operations = Object.fromEntries([
    ...own.map((topic) => [`send.${topic}`, operation('send', topic, Object.keys(messagesOf(topic)), `${name} writes ${topic}`)] as const),
    ...consumptions.flatMap(receiving),
  ]);
  const used = topicsOf.filter((topic) => Object.values(operations).some(({ channel }) => (channel as Json)['$ref'] === `#/channels/${topic}`));
  return {
    asyncapi: '3.1.0',
    info: { title: `ValueVerse ${name}`, version: '1', description: `${description} Whoever reads the log begins with docs/fifth-service.md.` },
    defaultContentType: 'application/cloudevents+json',
    servers: { kafka: { host: '{brokers}', protocol: 'kafka', description: 'The feed of the distributed edition', variables: { brokers: { default: '127.0.0.1:9092', description: 'KAFKA_BROKERS' } } } },
    channels: Object.fromEntries(used.map((topic) => [topic, channelOf(topic)])),
    operations,
    components: { messages: Object.assign({}, ...used.map(messagesOf)) as Json, schemas: { Fact: FACT, RecordHeaders: RECORD_HEADERS } },
  };
};
