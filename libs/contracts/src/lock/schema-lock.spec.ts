import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as contracts from '../index';
import { defineEvent, type EventDefinition } from '../event-definition';
import { object, optional, text, whole } from '../schema';
import { nextLock, type SchemaLock } from './schema-lock';

const committed = JSON.parse(readFileSync(join(__dirname, '..', '..', 'schemas.lock.json'), 'utf8')) as SchemaLock;
const NONE: SchemaLock = { topics: {}, events: {} };
const sent = (data: object, more: object = {}): EventDefinition => defineEvent({ name: 'ParcelSent', topic: 'billing.plans', fact: 'parcel.sent', data: object({ to: text(), ...data }), ...more } as never) as EventDefinition;
const first = nextLock(NONE, [sent({})]).lock;
const breaks = (...events: EventDefinition[]): readonly string[] => nextLock(first, events).breaks;

test('nothing that was released is broken, and the lock knows what this release has', () => {
  const { lock, breaks: found } = nextLock(committed, contracts.ALL_EVENTS);
  expect(found).toEqual([]);
  expect(committed).toEqual(JSON.parse(JSON.stringify(lock)));
});

test('every event that is declared is in the list of all', () => {
  const declared = (Object.values(contracts) as unknown[]).filter((value): value is EventDefinition => value !== null && typeof value === 'object' && 'schema' in value && 'topic' in value && 'type' in value);
  expect(new Set(contracts.ALL_EVENTS)).toEqual(new Set(declared));
});

test('an optional property is another shape of its version', () => {
  const { lock, breaks: found } = nextLock(first, [sent({ note: optional(text()) })]);
  expect(found).toEqual([]);
  expect(lock.events['dev.valueverse.billing.parcel.sent.v1']!.shapes).toHaveLength(2);
  expect(nextLock(lock, [sent({})]).breaks).toEqual([expect.stringContaining('/properties/note: the property was removed')]);
});

test('a break names the event, the place and what to do', () => {
  expect(breaks(sent({ grams: whole() }))).toEqual([
    'ParcelSent (dev.valueverse.billing.parcel.sent.v1) /properties/grams: a new property is required, and older events lack it. '
    + 'Inside a version only optional properties may be added: make it version 2, with an upcaster from 1 in its history',
  ]);
});

test('a new version needs an upcaster from each that was released', () => {
  expect(breaks(sent({ grams: whole() }, { version: 2 }))).toEqual([expect.stringContaining('has no upcaster: version 2 of the event needs one from 1')]);
  expect(breaks(sent({ grams: whole() }, { version: 2, history: [{ version: 1, upcast: (data: object) => ({ ...data, grams: 0 }) }] }))).toEqual([]);
});

test('an event that is gone, on another topic, or sealed for somebody else is a break', () => {
  expect(breaks()).toEqual([expect.stringContaining('ParcelSent (dev.valueverse.billing.parcel.sent.v1) is gone')]);
  expect(breaks({ ...sent({}), topic: 'billing.accounts' })).toEqual([expect.stringContaining('the topic billing.plans became billing.accounts')]);
  expect(breaks(sent({}, { personalKey: 'to' }))).toEqual([expect.stringContaining('was nobody and became to')]);
});

test.each([
  ['removed', { 'billing.gone': { owner: 'billing', kind: 'facts', partitions: 16, key: 'the id of the stream' } }, /topic billing.gone: it was removed/],
  ['spread otherwise', { 'billing.plans': { ...first.topics['billing.plans']!, partitions: 8 } }, /topic billing.plans: partitions changed from 8 to 16/],
  ['keyed otherwise', { 'billing.plans': { ...first.topics['billing.plans']!, key: 'the tenant' } }, /topic billing.plans: key changed/],
])('a topic that is %s is a break', (_, topics, sentence) => {
  expect(nextLock({ topics, events: {} }, []).breaks).toEqual([expect.stringMatching(sentence)]);
});
