import { isFromClients, partitionsOf, TOPICS, type EventDefinition, type Topic } from '../event-definition';
import { compareSchemas, type Break, type Json } from './compare-schemas';

/** What was told of a topic: who writes it, how its records are keyed and spread. */
export interface LockedTopic { readonly owner: string; readonly kind: string; readonly partitions: number; readonly key: string }
/** What was told of a version of an event. `shapes` are its schemas, oldest first: each later one has more optional properties. */
export interface LockedEvent { readonly name: string; readonly topic: string; readonly personalKey?: string; readonly shapes: readonly Json[] }
/** Everything that was ever released, in `schemas.lock.json`. Facts are kept for ever, so nothing leaves it. */
export interface SchemaLock { readonly topics: Readonly<Record<string, LockedTopic>>; readonly events: Readonly<Record<string, LockedEvent>> }

const EVENT_TYPE = /^(.*)\.v([0-9]+)$/;
const KEYS: Readonly<Record<string, string>> = { facts: 'the id of the stream', transport: 'the id of the envelope', keys: 'the tenant and the id of the key' };
const OTHER_KEYS: Readonly<Partial<Record<Topic, string>>> = { 'usage.ingress': 'the subject of the events, which keeps them in order', 'usage.ingress.rejected': 'the key of the record that was rejected' };

/** What the record key of a topic is. */
export const keyOf = (topic: Topic): string => OTHER_KEYS[topic] ?? KEYS[TOPICS[topic].kind]!;
const topicsNow = (): Record<string, LockedTopic> =>
  Object.fromEntries((Object.keys(TOPICS) as Topic[]).map((topic) => [topic, { owner: isFromClients(topic) ? 'clients' : TOPICS[topic].owner, kind: TOPICS[topic].kind, partitions: partitionsOf(topic), key: keyOf(topic) }]));

const topicBreaks = (locked: SchemaLock['topics'], now: SchemaLock['topics']): string[] => Object.entries(locked).flatMap(([topic, before]) => {
  const after = now[topic];
  if (after === undefined) return [`topic ${topic}: it was removed; others may still read it`];
  return (Object.keys(before) as (keyof LockedTopic)[]).filter((name) => before[name] !== after[name]).map((name) => `topic ${topic}: ${name} changed from ${before[name]} to ${after[name]}; a topic never changes, make a new one`);
});

const sentence = (type: string, { name }: LockedEvent, { pointer, detail }: Break, version: number): string =>
  `${name} (${type}) ${pointer || '/'}: ${detail}. Inside a version only optional properties may be added: make it version ${version + 1}, with an upcaster from ${version} in its history`;

/** What of a version that was released no longer holds. */
const eventBreaks = (type: string, locked: LockedEvent, definitions: ReadonlyMap<string, EventDefinition>): string[] => {
  const [, family, number] = EVENT_TYPE.exec(type)!;
  const version = Number(number);
  const current = definitions.get(family!);
  if (current === undefined) return [`${locked.name} (${type}) is gone; facts are kept for ever, so something has to read it: keep its definition`];
  if (current.version > version) {
    return (current.history ?? []).some((older) => older.version === version) ? [] : [`${locked.name} (${type}) has no upcaster: version ${current.version} of the event needs one from ${version} in its history`];
  }
  const breaks = compareSchemas(locked.shapes.at(-1)!, current.schema.json);
  if (current.topic !== locked.topic) breaks.push({ pointer: '', detail: `the topic ${locked.topic} became ${current.topic}` });
  if (current.name !== locked.name) breaks.push({ pointer: '', detail: `the name became ${current.name}` });
  if (current.personalKey !== locked.personalKey) breaks.push({ pointer: '', detail: `the owner of the personal fields was ${locked.personalKey ?? 'nobody'} and became ${current.personalKey ?? 'nobody'}` });
  return breaks.map((found) => sentence(type, locked, found, version));
};

const lockedOf = (definition: EventDefinition, before: LockedEvent | undefined): LockedEvent => {
  const { name, topic, personalKey, schema: { json } } = definition;
  const shapes = before === undefined ? [json] : JSON.stringify(before.shapes.at(-1)) === JSON.stringify(json) ? before.shapes : [...before.shapes, json];
  return { name, topic, ...(personalKey === undefined ? {} : { personalKey }), shapes };
};
const sorted = <T>(record: Readonly<Record<string, T>>): Record<string, T> => Object.fromEntries(Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1)));

/** The lock with what this release adds, and what of the earlier ones it breaks, as sentences that say what to do. */
export const nextLock = (lock: SchemaLock, events: readonly EventDefinition[]): { readonly lock: SchemaLock; readonly breaks: readonly string[] } => {
  const families = new Map(events.map((definition) => [EVENT_TYPE.exec(definition.type)![1]!, definition]));
  const topics = topicsNow();
  const breaks = [...topicBreaks(lock.topics, topics), ...Object.entries(lock.events).flatMap(([type, locked]) => eventBreaks(type, locked, families))];
  const added = Object.fromEntries(events.map((definition) => [definition.type, lockedOf(definition, lock.events[definition.type])]));
  return { lock: { topics: sorted({ ...lock.topics, ...topics }), events: sorted({ ...lock.events, ...added }) }, breaks };
};
