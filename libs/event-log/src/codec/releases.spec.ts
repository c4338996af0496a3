import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { ALL_EVENTS, TOPICS, type EventDefinition, type SchemaLock, type Topic } from '@valueverse/contracts';
import { Codec, type DomainEvent, type PersonalFields } from './codec';

const CONTRACTS = join(__dirname, '..', '..', '..', 'contracts');
const lock = JSON.parse(readFileSync(join(CONTRACTS, 'schemas.lock.json'), 'utf8')) as SchemaLock;
const goldens = readdirSync(join(CONTRACTS, 'golden')).map((file) => JSON.parse(readFileSync(join(CONTRACTS, 'golden', file), 'utf8')) as { type: string; event: DomainEvent });
const open: PersonalFields = { encrypt: (_tenant, _key, _event, _path, value) => JSON.stringify(value), decrypt: (_tenant, _key, _event, _path, text) => JSON.parse(text), fetch: async () => undefined };
type Json = Record<string, unknown>;

/** The events as the release before this one knew them: the lock has each shape that a version ever had. */
const previous = Object.entries(lock.events).map(([type, { name, topic, personalKey, shapes }]): EventDefinition => ({
  name, type, version: Number(/\.v([0-9]+)$/.exec(type)![1]), topic: topic as Topic, schema: { json: shapes.at(-2) ?? shapes.at(-1)!, optional: false }, ...(personalKey === undefined ? {} : { personalKey }),
}));
/** Of an event with several versions the latest: a new one is read one release before it is written. */
const latest = previous.filter(({ name, version }) => previous.every((other) => other.name !== name || other.version <= version));
const older = new Codec('billing', latest, open);

/** A schema as the next release may have it: each object with one more property. */
const grown = (schema: Json): Json => {
  const properties = schema['properties'] as Record<string, Json> | undefined;
  return {
    ...schema,
    ...(properties === undefined ? {} : { properties: { ...Object.fromEntries(Object.entries(properties).map(([name, child]) => [name, grown(child)])), addedLater: { type: 'string' } } }),
    ...(schema['items'] === undefined ? {} : { items: grown(schema['items'] as Json) }),
    ...(schema['anyOf'] === undefined ? {} : { anyOf: (schema['anyOf'] as Json[]).map(grown) }),
  };
};
/** A value of a schema with the property that came later, wherever one may be. */
const filled = (schema: Json, value: unknown): unknown => {
  if (Array.isArray(value)) return value.map((item) => filled((schema['items'] ?? {}) as Json, item));
  const properties = schema['properties'] as Record<string, Json> | undefined;
  if (properties === undefined || typeof value !== 'object' || value === null) return value;
  return { ...Object.fromEntries(Object.entries(value).map(([name, child]) => [name, properties[name] === undefined ? child : filled(properties[name], child)])), addedLater: 'new' };
};

const encode = (definition: EventDefinition, event: DomainEvent): string => new Codec(TOPICS[definition.topic].owner, [definition], open)
  .encode(event, 'stream', 1, { tenant: 'org_1:test', at: '2026-01-01T00:00:00Z', actor: 'test' }, '2026-01-01T00:00:00Z').body;
const corpus = goldens.map(({ type, event }) => [type, event, ALL_EVENTS.find((definition) => definition.type === type)] as const).filter(([, , definition]) => definition !== undefined);

test.each(corpus)('%s, written by this release, is read by the one before', (_, event, definition) => {
  expect(older.decode(encode(definition!, event)).event).toEqual(event);
});

test.each(corpus)('%s, written by a later release with more properties, is read by this one', (_, event, definition) => {
  const later = { ...definition!, schema: { json: grown(definition!.schema.json as Json), optional: false as const } };
  const { type, ...data } = event as DomainEvent & Json;
  const read = new Codec('billing', ALL_EVENTS, open).decode(encode(later, { type, ...filled(definition!.schema.json as Json, data) as object })).event;
  expect(read).toMatchObject(event);
  expect(read).toMatchObject({ addedLater: 'new' });
});

test('what only a later release writes is not known, and so passed over', () => {
  expect([older.knows('dev.valueverse.billing.refund.made.v1'), older.knows('dev.valueverse.billing.invoice.paid.v1')]).toEqual([false, true]);
});

test('every type that was ever written is still known', () => {
  const now = new Codec('billing', ALL_EVENTS, open);
  expect(Object.keys(lock.events).filter((type) => !now.knows(type))).toEqual([]);
});
