import { partitionOf, newIdFrom } from '@valueverse/kernel';
import { USAGE_PARTITIONS } from '@valueverse/contracts';
import type { Feed, NewRecord } from '@valueverse/event-log';
import { eventually } from '@valueverse/testing';
import type { Envelope } from './domain/usage-event';
import { readCloudEvents, type Received } from './cloud-events';
import { httpAttributes } from './http-attributes';
import { Ingest, type IngestResult } from './ingest';

const NOW = '2026-03-01T12:00:00Z';
const TENANT = 'org_1:live';
const BATCH = 'application/cloudevents-batch+json';
const STRUCTURED = 'application/cloudevents+json; charset=utf-8';
const LINES = 'application/x-ndjson';

interface Append { readonly partition: number; readonly records: readonly NewRecord[]; readonly release: (error?: Error) => void }

/** A feed that keeps what it gets; `held` appends are answered when the test says so. */
class RecordingFeed {
  readonly appends: Append[] = [];
  constructor(private readonly held = false) {}
  append(_topic: string, partition: number, records: readonly NewRecord[]): Promise<void> {
    return new Promise((resolve, reject) => {
      const release = (error?: Error): void => { if (error === undefined) resolve(); else reject(error); };
      this.appends.push({ partition, records, release });
      if (!this.held) release();
    });
  }
  get envelopes(): Envelope[] { return this.appends.flatMap(({ records }) => records.map(({ value }) => JSON.parse(value) as Envelope)); }
}
const ingestOf = (feed: RecordingFeed): Ingest => {
  let ids = 0;
  return new Ingest(feed as unknown as Feed, { next: (prefix) => newIdFrom(prefix, ++ids, new Uint8Array(10)) });
};
const read = (contentType: string, text: string | Buffer, headers: Record<string, string | string[]> = {}): Received =>
  readCloudEvents(contentType, Buffer.from(text as string), () => httpAttributes(Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, [value].flat()]))));
const sendText = (text: string, environment: 'live' | 'test' = 'live', feed = new RecordingFeed()): Promise<IngestResult> => ingestOf(feed).accept(TENANT, environment, read(BATCH, text).items, NOW);

const GOOD = { specversion: '1.0', id: '1', source: 'gateway', type: 'call', subject: 'acme', time: '2026-03-01T11:00:00Z', data: { tokens: 1 } };
const event = (change: object): string => JSON.stringify({ ...GOOD, ...change });
const nested = (depth: number): string => `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`;
const withData = (data: string): string => event({ data: 0 }).replace('"data":0', `"data":${data}`);

/** What strangers send, one fault each. */
const HOSTILE: readonly (readonly [name: string, text: string, code: string])[] = [
  ['no object', '17', 'object_expected'], ['a list', '[]', 'object_expected'], ['null', 'null', 'object_expected'],
  ['no specversion', event({ specversion: undefined }), 'invalid_specversion'], ['another specversion', event({ specversion: '0.3' }), 'invalid_specversion'], ['a number as specversion', event({ specversion: 1 }), 'invalid_specversion'],
  ['no id', event({ id: undefined }), 'missing_field'], ['an empty id', event({ id: '' }), 'missing_field'], ['no source', event({ source: null }), 'missing_field'],
  ['no type', event({ type: undefined }), 'missing_field'], ['no subject', event({ subject: undefined }), 'missing_field'], ['a number as id', event({ id: 7 }), 'string_expected'],
  ['an object as subject', event({ subject: {} }), 'string_expected'], ['a long subject', event({ subject: 'x'.repeat(257) }), 'too_long'], ['a zero byte', event({ subject: 'a\u0000b' }), 'invalid_characters'],
  ['a line feed', event({ source: 'a\nb' }), 'invalid_characters'], ['half a character', event({ id: 'a\ud800' }), 'invalid_characters'], ['what turns letters round', event({ subject: 'a\u202eb' }), 'invalid_characters'], ['what nobody sees', event({ id: '1\u200b' }), 'invalid_characters'],
  ['a time without offset', event({ time: '2026-03-01T11:00:00' }), 'invalid_time'], ['a time that never was', event({ time: '2026-02-30T11:00:00Z' }), 'invalid_time'], ['a number as time', event({ time: 1_700_000_000 }), 'invalid_time'],
  ['a time before 1970', event({ time: '1969-12-31T23:59:59Z' }), 'invalid_time'], ['a time ahead', event({ time: '2026-03-01T12:05:00.000001Z' }), 'time_ahead'],
  ['a text as data', event({ data: 'x' }), 'object_expected'], ['a list as data', event({ data: [] }), 'object_expected'], ['base64', event({ data_base64: 'AA==' }), 'unsupported_data'],
  ['data that is no JSON', event({ datacontenttype: 'text/xml' }), 'unsupported_data'], ['deep data', withData(nested(21)), 'too_deep'], ['deep lists', withData(`{"a":${'['.repeat(20)}${']'.repeat(20)}}`), 'too_deep'],
  ['many keys', event({ data: Object.fromEntries(Array.from({ length: 101 }, (_, nth) => [`k${nth}`, 1])) }), 'too_many_keys'],
  ['a key twice', withData('{"a":1,"a":2}'), 'duplicate_key'], ['a key twice in disguise', withData('{"a":1,"\\u0061":2}'), 'duplicate_key'], ['an attribute twice', `{"id":"0",${event({}).slice(1)}`, 'duplicate_key'],
  ['16 digits', withData('{"tokens":1234567890123456}'), 'unsafe_number'], ['16 digits behind the point', withData('{"tokens":0.1234567890123456}'), 'unsafe_number'],
  ['too large', withData('{"tokens":1e400}'), 'unsafe_number'], ['too small', withData('{"tokens":1e-400}'), 'unsafe_number'], ['16 digits far down', withData('{"a":[{"b":-9007199254740993}]}'), 'unsafe_number'],
  ['a bad extension name', event({ traceParent: 'x' }), 'invalid_extension'], ['an object as extension', event({ extra: {} }), 'invalid_extension'], ['a prototype', `{"__proto__":{"id":"2"},${event({}).slice(1)}`, 'invalid_extension'],
  ['many extensions', event(Object.fromEntries(Array.from({ length: 21 }, (_, nth) => [`x${nth}`, 1]))), 'too_many_extensions'],
  ['a huge event', event({ data: { text: 'x'.repeat(131_072) } }), 'too_large'],
];

describe('the ingress', () => {
  test.each(HOSTILE)('refuses %s', async (_, text, code) => {
    const feed = new RecordingFeed();
    const result = await sendText(`[${event({ id: 'before' })},${text},${event({ id: 'after' })}]`, 'live', feed);
    expect(result.accepted).toBe(2);
    expect(result.rejected).toMatchObject([{ index: 1, code }]);
    expect(feed.envelopes.flatMap(({ events }) => events.map(({ id }) => id))).toEqual(['before', 'after']);
  });

  test.each([
    ['a number of 15 digits', withData('{"tokens":123456789012345}')], ['a million with zeros', withData('{"tokens":1000000000000000000}')], ['zeros behind the point', withData('{"tokens":1.0000000000000000}')], ['an exponent', withData('{"tokens":1.5e-7}')],
    ['long digits in a text', withData('{"tokens":"12345678901234567890.5","a":"\\"1234567890123456: {"}')], ['no data', event({ data: undefined })], ['null as data', event({ data: null })], ['20 levels', withData(nested(20))],
    ['an offset', event({ time: '2026-03-01T12:00:00.1234567+01:00' })], ['five minutes ahead', event({ time: '2026-03-01T12:05:00Z' })], ['the same key on two levels', withData('{"a":{"a":1},"b":[{"a":1},{"a":2}]}')],
    ['256 characters', event({ subject: 'ä'.repeat(256) })], ['an extension', event({ traceparent: '00-ab-cd-01', sequence: 5 })], ['an emoji', event({ subject: '👍🏽' })], ['joined characters', event({ subject: 'a\u200db' })], ['a zero byte in data', withData('{"a":"\\u0000"}')], ['a JSON type', event({ datacontenttype: 'application/vnd.acme+json; charset=utf-8' })],
  ])('takes %s', async (_, text) => {
    expect(await sendText(`[${text}]`)).toEqual({ accepted: 1, rejected: [] });
  });

  test('in test any time may be claimed', async () => {
    expect(await sendText(`[${event({ time: '2199-01-01T00:00:00Z' })}]`, 'test')).toMatchObject({ accepted: 1 });
  });

  test('events are kept as they were said, with their time in UTC and floored to microseconds; without one the time of receipt', async () => {
    const feed = new RecordingFeed();
    await sendText(`[${event({ time: '2026-03-01T12:00:00.1234567+01:00', sequence: 5, data: { tokens: '1.50', note: 'ü' } })},${event({ id: '2', time: undefined })}]`, 'live', feed);
    expect(feed.envelopes).toEqual([{ id: expect.stringMatching(/^env_/), tenant: TENANT, recordedAt: NOW, events: [
      { id: '1', source: 'gateway', type: 'call', subject: 'acme', time: '2026-03-01T11:00:00.123456Z', data: { tokens: '1.50', note: 'ü' }, extensions: { sequence: 5 } },
      { id: '2', source: 'gateway', type: 'call', subject: 'acme', time: NOW, data: { tokens: 1 } }] }]);
    expect(feed.appends[0]!.records[0]!.headers).toMatchObject({ ce_tenant: TENANT });
  });

  test('two ways to write the same name are one name', async () => {
    const feed = new RecordingFeed();
    await sendText(`[${event({ subject: 'Zoe\u0308' })},${event({ subject: 'Zo\u00eb' })}]`, 'live', feed);
    expect(feed.envelopes.flatMap(({ events }) => events.map(({ subject }) => subject))).toEqual(['Zo\u00eb', 'Zo\u00eb']);
  });

  test('each event is in the partition of its subject, one envelope for each', async () => {
    const feed = new RecordingFeed();
    await sendText(`[${Array.from({ length: 200 }, (_, nth) => event({ id: String(nth), subject: `s${nth % 50}` })).join(',')}]`, 'live', feed);
    expect(feed.appends.every(({ partition, records }) => records.length === 1 && (JSON.parse(records[0]!.value) as Envelope).events.every(({ subject }) => partitionOf(TENANT, subject, USAGE_PARTITIONS) === partition))).toBe(true);
    expect(feed.envelopes.flatMap(({ events }) => events)).toHaveLength(200);
  });

  test('a publishable key sends for its own subjects only', async () => {
    const feed = new RecordingFeed();
    const { items } = read(BATCH, `[${event({})},${event({ id: '2', subject: 'other' })}]`);
    expect(await ingestOf(feed).accept(TENANT, 'live', items, NOW, { subjects: ['acme'] })).toMatchObject({ accepted: 1, rejected: [{ index: 1, id: '2', code: 'subject_not_allowed' }] });
  });

  test('requests that come while an append is under way share the next one, an envelope per tenant; each is answered when its own is durable', async () => {
    const feed = new RecordingFeed(true);
    const ingest = ingestOf(feed);
    const answered: string[] = [];
    const send = (id: string, tenant = TENANT): Promise<void> => ingest.accept(tenant, 'live', [{ value: { ...GOOD, id } }], NOW).then(() => { answered.push(id); }, () => { answered.push(`${id} failed`); });
    const other = Array.from({ length: 1_000 }, (_, nth) => `org_${nth}:live`).find((tenant) => tenant !== TENANT && partitionOf(tenant, 'acme', USAGE_PARTITIONS) === partitionOf(TENANT, 'acme', USAGE_PARTITIONS))!;
    const sends = [send('1'), send('2'), send('3', other), send('4')];
    expect(feed.appends).toHaveLength(1);
    feed.appends[0]!.release();
    await sends[0];
    expect(answered).toEqual(['1']);
    const appends = (count: number): Promise<true> => eventually(`${count} appends`, () => (feed.appends.length === count ? true : undefined));
    await appends(2);
    expect(feed.appends[1]!.records.map(({ value }) => (JSON.parse(value) as Envelope).events.map(({ id }) => id))).toEqual([['2', '4'], ['3']]);
    feed.appends[1]!.release(new Error('the feed is gone'));
    await Promise.all(sends);
    expect(answered.slice(1).sort()).toEqual(['2 failed', '3 failed', '4 failed']);
    const after = send('5');
    await appends(3);
    feed.appends[2]!.release();
    await after;
    expect(answered.at(-1)).toBe('5');
  });

  test('a large request is cut into records that a broker takes', async () => {
    const feed = new RecordingFeed();
    await sendText(`[${Array.from({ length: 20 }, (_, nth) => event({ id: String(nth), data: { text: 'x'.repeat(60_000) } })).join(',')}]`, 'live', feed);
    expect(feed.appends.flatMap(({ records }) => records).every(({ value }) => value.length < 300_000)).toBe(true);
    expect(feed.envelopes.flatMap(({ events }) => events)).toHaveLength(20);
  });
});

describe('the modes of CloudEvents', () => {
  const binary = { 'content-type': 'application/json', 'ce-specversion': '1.0', 'ce-id': '1', 'ce-source': 'gateway', 'ce-type': 'call', 'ce-subject': 'Fran%C3%A7ois%20%25', host: 'localhost' };

  test('structured: one event', () => {
    expect(read(STRUCTURED, event({}))).toEqual({ isBatch: false, items: [{ value: GOOD }] });
  });
  test('batch: told apart first', () => {
    expect(read(`${BATCH}; charset=utf-8`, `[${event({})}]`)).toEqual({ isBatch: true, items: [{ value: GOOD }] });
    expect(() => read(BATCH, '[]')).toThrow(expect.objectContaining({ code: 'no_events' }));
    expect(() => read(BATCH, event({}))).toThrow(expect.objectContaining({ code: 'list_expected' }));
    expect(() => read(BATCH, `[${Array.from({ length: 1_001 }, () => '{}').join(',')}]`)).toThrow(expect.objectContaining({ code: 'too_many_events' }));
  });
  test('binary: attributes are headers, percent-encoded once', () => {
    expect(read('application/json', '{"tokens":1}', binary)).toEqual({ isBatch: false, items: [{ value: { specversion: '1.0', id: '1', source: 'gateway', type: 'call', subject: 'François %', data: { tokens: 1 } } }] });
    expect(read('', '', binary).items[0]!.value).not.toHaveProperty('data');
    expect(read('application/json', '{"a":1,"a":2}', binary).items[0]!.fault).toMatchObject({ code: 'duplicate_key' });
    expect(read('application/json', '{}', { ...binary, 'ce-subject': '%ff' }).items[0]!.fault).toMatchObject({ code: 'invalid_header' });
    expect(read('application/json', '{}', { ...binary, 'ce-datacontenttype': 'text/xml' }).items[0]!.fault).toMatchObject({ code: 'invalid_header' });
    expect(read('application/json', '{}', { ...binary, 'ce-id': ['1', '2'] }).items[0]!.fault).toMatchObject({ code: 'invalid_header' });
    expect(read('application/json', '{}', { ...binary, 'ce-subject': 'Fran\u00e7ois' }).items[0]!.fault).toMatchObject({ code: 'invalid_header' });
    expect(read('application/vnd.acme+json', '{"tokens":1}', binary).items[0]!.value).toMatchObject({ data: { tokens: 1 } });
  });
  test('lines: one event each, empty lines are none, and what is wrong with a line is told by its number', () => {
    const latin = Buffer.concat([Buffer.from(`\n${event({})}\r\n`), Buffer.from(event({ subject: 'Fran\u00e7ois' }), 'latin1'), Buffer.from('\n')]);
    expect(read(LINES, latin)).toEqual({ isBatch: true, items: [{ value: GOOD, index: 1 }, { value: undefined, index: 2, fault: expect.objectContaining({ code: 'malformed_json' }) }] });
    const odd = [event({}), event({}).slice(1), '', withData('{"a":1,"a":2}'), withData('{"a":1234567890123456}')].join('\n');
    expect(read(LINES, odd).items.map(({ index, fault }) => `${index} ${fault?.code}`)).toEqual(['0 undefined', '1 malformed_json', '3 duplicate_key', '4 unsafe_number']);
    // A line that ends inside a text makes no other line pass: here its quote would turn the next one inside out, with as many colons as that has keys.
    const cut = ['{"id":"', '{"specversion":"1.0","id":"call:1","source":"urn:acme:api","type":"call","subject":"cus:1","time":"2026-01-01T00:00:00+00:00","data":{"value":12345678901234567}}'].join('\n');
    expect(read(LINES, cut).items.map(({ index, fault }) => `${index} ${fault?.code}`)).toEqual(['0 malformed_json', '1 unsafe_number']);
    expect(() => read(LINES, ' \n\n')).toThrow(expect.objectContaining({ code: 'no_events' }));
    expect(() => read(LINES, '{}\n'.repeat(1_001))).toThrow(expect.objectContaining({ code: 'too_many_events' }));
  });
  test('a text may begin with the mark of UTF-8; another encoding is refused', () => {
    expect(read(BATCH, `\ufeff[${event({})}]`).items).toEqual([{ value: GOOD }]);
    expect(read(LINES, `\ufeff${event({})}`).items).toEqual([{ value: GOOD, index: 0 }]);
    expect(() => read(BATCH, Buffer.from(`\ufeff[${event({})}]`, 'utf16le'))).toThrow(expect.objectContaining({ code: 'malformed_json' }));
    expect(() => read(`${BATCH}; charset=UTF-16`, `[${event({})}]`)).toThrow(expect.objectContaining({ code: 'unsupported_charset' }));
  });
  test('a body in no mode at all is told how to come', () => {
    expect(() => read('application/json', event({}))).toThrow(expect.objectContaining({ code: 'not_a_cloud_event' }));
    expect(() => read('application/cloudevents+jsonx', event({}))).toThrow(expect.objectContaining({ code: 'not_a_cloud_event' }));
  });
});
