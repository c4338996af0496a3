import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import * as contracts from '@valueverse/contracts';
import type { EventDefinition } from '@valueverse/contracts';
import { Codec, type PersonalFields } from './codec';

const FOLDER = join(__dirname, '..', '..', '..', 'contracts', 'golden');
const definitions = (Object.values(contracts) as unknown[]).filter((value): value is EventDefinition => value !== null && typeof value === 'object' && 'schema' in value && 'topic' in value);
/** Reads sealed fields as they are: what a text decodes to must not depend on a key here. */
const open: PersonalFields = { encrypt: (_tenant, _key, _event, _path, value) => JSON.stringify(value), decrypt: (_tenant, _key, _event, _path, text) => text, fetch: async () => undefined };
const codec = new Codec('billing', definitions, open);
const goldens = readdirSync(FOLDER).map((file) => JSON.parse(readFileSync(join(FOLDER, file), 'utf8')) as { type: string; topic: string; data: object; event: { type: string } });

test.each(goldens.map((golden) => [golden.type, golden] as const))('F132: %s decodes as it did when it was first written', (_, golden) => {
  const body = JSON.stringify({
    specversion: '1.0', id: 'evt_1', type: golden.type, subject: 'stream', time: '2026-01-01T00:00:00Z', tenant: 'org_1:test', streamversion: 1, actor: 'test', correlationid: 'c', recordedtime: '2026-01-01T00:00:00Z', data: golden.data,
  });
  const { event } = codec.decode(body);
  // What an older version did not have is added on the way to the present one; what it had stays.
  if (definitions.some(({ type }) => type === golden.type)) expect(event).toEqual(golden.event);
  else expect(event).toMatchObject(golden.event);
});

test('every event version that is written has a golden file', () => {
  const known = new Set(goldens.map(({ type }) => type));
  expect(definitions.filter(({ type }) => !known.has(type)).map(({ type }) => type)).toEqual([]);
});

test('a stray field is refused before anything is appended', () => {
  const event = { type: 'ClockStepped', clockId: 'clk_1', now: '2026-01-01T00:00:00Z', stray: 1 };
  expect(() => codec.encode(event, 'clock-1', 1, { tenant: 't', at: '2026-01-01T00:00:00Z', actor: 'a' }, '2026-01-01T00:00:00Z')).toThrow(/breaks its schema/);
});

test('a JSON number where a decimal string belongs is refused', () => {
  const event = { type: 'InvoicePaymentApplied', invoiceId: 'inv_1', paymentId: 'pay_1', amount: 12.5, appliedAt: '2026-01-01T00:00:00Z' };
  expect(() => codec.encode(event, 'invoice-1', 1, { tenant: 't', at: '2026-01-01T00:00:00Z', actor: 'a' }, '2026-01-01T00:00:00Z')).toThrow(/breaks its schema/);
});

test('a service cannot append the facts of another one', () => {
  const usage = new Codec('usage', definitions, open);
  expect(() => usage.encode({ type: 'InvoicePaid' }, 's', 1, { tenant: 't', at: '2026-01-01T00:00:00Z', actor: 'a' }, '2026-01-01T00:00:00Z')).toThrow(/not a fact/);
});

test('an older version is read through its upcasters, in order', () => {
  const definition = contracts.defineEvent({
    name: 'ParcelSent', topic: 'billing.plans', fact: 'parcel.sent', version: 3, data: contracts.object({ grams: contracts.whole(), to: contracts.text() }),
    history: [
      { version: 1, upcast: ({ kilos, ...rest }) => ({ ...rest, grams: Number(kilos) * 1_000 }) },
      { version: 2, upcast: (data) => ({ ...data, to: data['to'] ?? 'unknown' }) },
    ],
  });
  const evolved = new Codec('billing', [definition]);
  const text = (version: number, data: object): string => JSON.stringify({ id: 'e', type: `dev.valueverse.billing.parcel.sent.v${version}`, tenant: 't', data });
  expect(evolved.decode(text(1, { kilos: 2 })).event).toEqual({ type: 'ParcelSent', grams: 2_000, to: 'unknown' });
  expect(evolved.decode(text(2, { grams: 5 })).event).toEqual({ type: 'ParcelSent', grams: 5, to: 'unknown' });
  expect(evolved.decode(text(3, { grams: 5, to: 'B' })).event).toEqual({ type: 'ParcelSent', grams: 5, to: 'B' });
});
