import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import Ajv from 'ajv';
import addFormats from 'ajv-formats';
import { ALL_EVENTS, SERVICES, TOPICS } from '@valueverse/contracts';
import specification from '@asyncapi/specs/schemas/3.1.0.json';

interface Document { channels: Record<string, unknown>; operations: Record<string, { action: string; messages: { $ref: string }[] }>; components: { messages: Record<string, { payload: { allOf: { properties: { type: { const: string } } }[] } }> } }
const FOLDER = join(__dirname, '..', '..', '..', 'docs', 'asyncapi');
const documents = SERVICES.map((name) => [name, JSON.parse(readFileSync(join(FOLDER, `${name}.json`), 'utf8')) as Document] as const);
// The schema of AsyncAPI brings the one of JSON Schema that it rests on.
const ajv = new Ajv({ strict: false, allErrors: true, meta: false, validateSchema: false });
addFormats(ajv);
const validate = ajv.compile(specification);

const find = (document: object, reference: string): unknown =>
  reference.slice(2).split('/').reduce<unknown>((found, part) => (found as Record<string, unknown> | undefined)?.[part.replaceAll('~1', '/').replaceAll('~0', '~')], document);
const referencesIn = (value: unknown): string[] => (typeof value !== 'object' || value === null ? []
  : Object.entries(value).flatMap(([name, child]) => (name === '$ref' ? [child as string] : referencesIn(child))));

test.each(documents)('%s is AsyncAPI 3.1, and each reference in it leads somewhere', (_, document) => {
  expect(validate(document) ? [] : validate.errors).toEqual([]);
  expect(referencesIn(document).filter((reference) => find(document, reference) === undefined)).toEqual([]);
});

test('a document that is none is refused', () => {
  const [, document] = documents[0]!;
  expect(validate({ ...document, operations: { x: { action: 'publish' } } })).toBe(false);
});

test('each fact is sent by the owner of its topic, and by nobody else', () => {
  const sent = documents.flatMap(([service, { operations }]) => Object.values(operations).filter(({ action }) => action === 'send')
    .flatMap(({ messages }) => messages.map(({ $ref }) => `${service} ${$ref.split('/').at(-1)}`)));
  const facts = ALL_EVENTS.map(({ name, topic }) => `${TOPICS[topic].owner} ${name}`);
  expect(sent.sort()).toEqual([...facts, 'usage UsageEnvelope', 'usage UsageRejected', 'billing PersonalKey'].sort());
});

test('a message has the type of its event', () => {
  const types = new Map(documents.flatMap(([, { components }]) => Object.entries(components.messages)).flatMap(([name, { payload }]) => (payload.allOf === undefined ? [] : [[name, payload.allOf[1]!.properties.type.const] as const])));
  expect([...types].sort()).toEqual(ALL_EVENTS.map(({ name, type }) => [name, type]).sort());
});

test('what each service reads is there', () => {
  const reads = Object.fromEntries(documents.map(([service, { operations }]) => [service, Object.keys(operations).filter((name) => name.startsWith('receive.'))]));
  expect(reads['payments']).toEqual(expect.arrayContaining(['receive.payments-collector.billing.invoices', 'receive.payments-collector.payments.payments']));
  expect(reads['usage']).toEqual(expect.arrayContaining(['receive.metering@1.usage.events', 'receive.ingress@1.usage.ingress']));
});

test('nothing personal is described as plain', () => {
  for (const [, document] of documents) {
    const text = JSON.stringify(document);
    if (!text.includes('"AccountOpened"')) continue;
    expect(text).toMatch(/"name":\{"type":"string","description":"Personal: sealed/);
    expect(text).not.toContain('"line1"');
  }
});
