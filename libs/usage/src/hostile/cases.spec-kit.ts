import { gzipSync, zstdCompressSync } from 'node:zlib';
import { attribute, type Values } from '../radius/nas.spec-kit';
import { EVENTS_BYTES_MAX } from '../ingest/encoding';

/** Whose credential comes with it. `publishable` speaks of the good events' subjects only. */
export type KeyName = 'own' | 'none' | 'revoked' | 'forged' | 'secret' | 'publishable' | 'of another tenant' | 'twice' | 'not UTF-8';
export interface Request { readonly body: string | Buffer; readonly type?: string; readonly headers?: Readonly<Record<string, string>>; readonly key?: KeyName }
export interface KafkaInput {
  readonly value: string | Buffer | null; readonly type?: string; readonly headers?: Readonly<Record<string, string | Buffer | (string | Buffer)[]>>; readonly key?: KeyName; readonly recordKey?: Buffer | null;
  readonly timestamp?: string; readonly compression?: 'gzip' | 'zstd';
}
export interface File { readonly body: string | Buffer; readonly type?: string; readonly mapping?: unknown; readonly encoding?: string; readonly key?: KeyName; readonly sha256?: string }
/** What a NAS sends in a session of its own; `change` makes of the signed packet what goes out. */
export interface Datagrams { readonly packets: readonly Values[]; readonly more?: readonly { readonly type: number; readonly value: Uint8Array }[]; readonly secret?: string; readonly from?: string; readonly change?: (packet: Uint8Array) => Uint8Array | undefined }

/**
 * A row of the table: the way in, what comes, and where it ends, which is where it can be found again:
 * - HTTP and files: the status, the pointer and the code of the answer; of several events the place is the first part of the pointer.
 * - `rejected` on `usage.ingress.rejected` or in the import's file of rejected rows, `failed` in the state of the import, `broker` by the name of Kafka's own refusal, `dropped` in the metric of packets.
 * - `accepted`: odd, and no fault: it counts as an event of the type `odd`. `recorded` with the octets that its session comes to.
 * An input that takes the good event (a function of one argument) has it inside; else, or where everything was refused, the good one is sent beside it.
 */
export interface Case<Way extends string, Input> { readonly way: Way; readonly name: string; readonly input: (good: string, subject: string) => Input; readonly ends: string }
export type AnyCase = Case<'HTTP', Request> | Case<'Kafka', KafkaInput> | Case<'file', File> | Case<'RADIUS', Datagrams>;

const BATCH = 'application/cloudevents-batch+json', LINES = 'application/x-ndjson', STRUCTURED = 'application/cloudevents+json', CSV = 'text/csv';
let odds = 0;
/** An event of the type `odd`, with some fields as they are written here. */
const odd = (fields: Readonly<Record<string, string>> = {}): string => {
  const all = { specversion: '"1.0"', id: `"odd ${odds++}"`, source: '"hostile"', type: '"odd"', subject: '"odd"', time: '"2026-03-01T12:00:00Z"', data: '{"n":1}', ...fields };
  return `{${Object.entries(all).map(([name, text]) => `${JSON.stringify(name)}:${text}`).join(',')}}`;
};
const batch = (...events: string[]): Request => ({ body: `[${events.join(',')}]` });
const n = (text: string): Readonly<Record<string, string>> => ({ data: `{"n":${text}}` });
const nested = (depth: number): string => `{"a":${'['.repeat(depth)}${']'.repeat(depth)}}`;
const keys = (count: number): string => `{${Array.from({ length: count }, (_, nth) => `"k${nth}":${nth}`).join(',')}}`;
const OVERLONG = Buffer.from([0xc0, 0xaf]);
const inBytes = (text: string, bytes: Buffer): Buffer => { const at = text.indexOf('§'); return Buffer.concat([Buffer.from(text.slice(0, at)), bytes, Buffer.from(text.slice(at + 1))]); };
const BLANKS = Buffer.alloc(EVENTS_BYTES_MAX * 8, ' ');

type HttpRow = readonly [name: string, ends: string, input: (good: string) => Request];
const beside = (fields: Readonly<Record<string, string>>): ((good: string) => Request) => (good) => batch(good, odd(fields));
const HTTP: readonly HttpRow[] = [
  ['the year 0', '202 /1/time invalid_time', beside({ time: '"0000-01-01T00:00:00Z"' })], ['the last day of JavaScript', '202 /1/time invalid_time', beside({ time: '"+275760-09-13T00:00:00.000Z"' })],
  ['a time without a zone', '202 /1/time invalid_time', beside({ time: '"2026-03-01T12:00:00"' })], ['30 February', '202 /1/time invalid_time', beside({ time: '"2026-02-30T12:00:00Z"' })],
  ['10^20 microseconds as a number', '202 /1/time unsafe_number', beside({ time: '100000000000000000001' })], ['10^20 microseconds as a text', '202 /1/time invalid_time', beside({ time: '"100000000000000000000"' })],
  ['a leap second', 'accepted', beside({ time: '"2016-12-31T23:59:60Z"' })], ['a time of 1 MB', '202 /1/time invalid_time', beside({ time: `"${'2'.repeat(1_000_000)}"` })],
  ['an id of 1 MB', '202 /1/id too_long', beside({ id: `"${'x'.repeat(1_000_000)}"` })], ['an empty subject', '202 /1/subject missing_field', beside({ subject: '""' })], ['a number as the subject', '202 /1/subject string_expected', beside({ subject: '5' })],
  ['lists 21 deep', `202 /1/data/a${'/0'.repeat(19)} too_deep`, beside({ data: nested(21) })], ['lists 200,000 deep', `202 /1/data/a${'/0'.repeat(19)} too_deep`, beside({ data: nested(200_000) })],
  ['101 keys', '202 /1/data too_many_keys', beside({ data: keys(101) })], ['a key twice', '202 /1/data/n duplicate_key', beside({ data: '{"n":1,"n":2}' })], ['a key twice, once escaped', '202 /1/data/a~1b/0/n duplicate_key', beside({ data: '{"a/b":[{"n":1,"\\u006e":2}]}' })],
  ['an id twice', '202 /1/id duplicate_key', (good) => batch(good, odd().replace('{', '{"id":"first",'))], ['NaN', '400 malformed_json', (good) => batch(good, odd(n('NaN')))],
  ['Infinity in a line', '202 /1 malformed_json', (good) => ({ type: LINES, body: `${good}\n${odd(n('Infinity'))}\n` })], ['1e400', '202 /1/data/n unsafe_number', beside(n('1e400'))], ['1e-400', '202 /1/data/n unsafe_number', beside(n('1e-400'))],
  ['1e2', 'accepted', beside(n('1e2'))], ['16 digits', '202 /1/data/n unsafe_number', beside(n('1234567890123456'))], ['16 digits as a text', 'accepted', beside(n('"1234567890123456"'))], ['-0', 'accepted', beside(n('-0'))],
  ['Latin-1', '400 malformed_json', () => ({ body: Buffer.from(`[${odd({ subject: '"Fran\u00e7ois"' })}]`, 'latin1') })], ['UTF-16 with its mark', '400 malformed_json', (good) => ({ body: Buffer.from(`\ufeff[${good}]`, 'utf16le') })],
  ['overlong UTF-8', '400 malformed_json', () => ({ body: inBytes(`[${odd({ subject: '"§"' })}]`, OVERLONG) })], ['overlong UTF-8 in a line', '202 /1 malformed_json', (good) => ({ type: LINES, body: inBytes(`${good}\n${odd({ subject: '"§"' })}`, OVERLONG) })],
  ['half a character in a name', '202 /1/subject invalid_characters', beside({ subject: '"\\ud800"' })], ['half a character in the data', 'accepted', beside(n('"\\udfff\\ud800"'))], ['NUL in a name', '202 /1/id invalid_characters', beside({ id: '"a\\u0000b"' })],
  ['NUL in the data', 'accepted', beside(n('"\\u0000"'))], ['what turns the direction of a name', '202 /1/source invalid_characters', beside({ source: '"\u202eabc"' })],
  ['__proto__ and constructor as data', 'accepted', beside({ data: '{"__proto__":{"n":5},"constructor":1,"toString":2}' })], ['__proto__ as an attribute', '202 /1/__proto__ invalid_extension', beside({ ['__proto__']: '{"type":"good"}' })],
  ['constructor as an attribute', 'accepted', beside({ constructor: '"x"' })], ['a list as data', '202 /1/data object_expected', beside({ data: '[1]' })], ['base64', '202 /1/data_base64 unsupported_data', beside({ data_base64: '"AAAA"' })],
  ['another version of CloudEvents', '202 /1/specversion invalid_specversion', beside({ specversion: '"0.3"' })], ['a mixed batch', '202 /0 object_expected', (good) => batch('5', good, 'null', '[]', '"x"')],
  ['a batch of 1,001', '400 too_many_events', (good) => batch(good, ...Array.from({ length: 1_000 }, () => odd()))], ['an empty batch', '400 no_events', () => ({ body: '[]' })], ['an event as a batch', '400 list_expected', () => ({ body: odd() })],
  ['a batch that ends early', '400 malformed_json', (good) => ({ body: `[${good},` })], ['6 MB', '413 body_too_large', (good) => ({ body: `[${good}${' '.repeat(6_000_000)}]` })],
  ['a bomb of gzip', '413 body_too_large', () => ({ body: gzipSync(BLANKS), headers: { 'content-encoding': 'gzip' } })], ['a bomb of zstd', '413 body_too_large', () => ({ body: zstdCompressSync(BLANKS), headers: { 'content-encoding': 'zstd' } })],
  ['a bomb in gzip in gzip', '400 malformed_json', () => ({ body: gzipSync(gzipSync(BLANKS)), headers: { 'content-encoding': 'gzip' } })], ['two encodings', '415 unsupported_encoding', () => ({ body: gzipSync(gzipSync(BLANKS)), headers: { 'content-encoding': 'gzip, gzip' } })],
  ['gzip that was cut', '400 malformed_encoding', (good) => ({ body: gzipSync(`[${good}]`).subarray(0, -5), headers: { 'content-encoding': 'gzip' } })], ['zstd that was cut', '400 malformed_encoding', (good) => ({ body: zstdCompressSync(Buffer.from(`[${good}]`)).subarray(0, -5), headers: { 'content-encoding': 'zstd' } })],
  ['text that says it is gzip', '400 malformed_encoding', (good) => ({ ...batch(good), headers: { 'content-encoding': 'gzip' } })], ['CSV as events', '415 unsupported_media_type', () => ({ body: 'id\n1\n', type: CSV })],
  ['another charset', '415 unsupported_charset', (good) => ({ ...batch(good), type: `${BATCH}; charset=iso-8859-1` })], ['JSON without attributes', '400 not_a_cloud_event', () => ({ body: '{"n":1}', type: 'application/json' })],
  ['attributes that are not percent-encoded', '400 /ce-subject invalid_header', () => ({ body: '{}', type: 'application/json', headers: { 'ce-id': '1', 'ce-subject': '%ff' } })], ['a single event with a bad time', '400 /time invalid_time', () => ({ body: odd({ time: '"now"' }), type: STRUCTURED })],
  ['nobody', '401 credential_missing', () => ({ ...batch(odd()), key: 'none' })], ['a revoked key', '401 credential_revoked', () => ({ ...batch(odd()), key: 'revoked' })], ['a key that nobody made', '401 invalid_credential', () => ({ ...batch(odd()), key: 'forged' })],
  ['a publishable key for others', '202 /1/subject subject_not_allowed', (good) => ({ ...batch(good, odd()), key: 'publishable' })], ['another tenant', 'elsewhere', () => ({ ...batch(odd()), key: 'of another tenant' })],
];

type KafkaRow = readonly [name: string, ends: string, input: (good: string) => KafkaInput];
const value = (fields: Readonly<Record<string, string>> = {}): KafkaInput => ({ value: odd(fields) });
const KAFKA: readonly KafkaRow[] = [
  ['no credential', 'rejected credential_missing', () => ({ ...value(), key: 'none' })], ['a revoked key', 'rejected credential_revoked', () => ({ ...value(), key: 'revoked' })], ['a secret key', 'rejected secret_key_refused', () => ({ ...value(), key: 'secret' })],
  ['a key that nobody made', 'rejected invalid_credential', () => ({ ...value(), key: 'forged' })], ['two credentials', 'rejected invalid_header', () => ({ ...value(), key: 'twice' })], ['a credential that is no text', 'rejected credential_missing', () => ({ ...value(), key: 'not UTF-8' })],
  ['a publishable key for others', 'rejected /subject subject_not_allowed', () => ({ ...value(), key: 'publishable' })], ['another tenant\'s key', 'elsewhere', () => ({ ...value(), key: 'of another tenant' })],
  ['a tombstone', 'rejected malformed_json', () => ({ value: null })], ['a tombstone without a type', 'rejected not_a_cloud_event', () => ({ value: null, type: '' })], ['an empty value', 'rejected malformed_json', () => ({ value: '' })], ['another type', 'rejected not_a_cloud_event', () => ({ value: 'a,b', type: CSV })],
  ['two content types', 'rejected invalid_header', () => ({ ...value(), headers: { 'Content-Type': BATCH } })], ['an attribute that is no text', 'rejected invalid_header', () => ({ value: '{}', type: 'application/json', headers: { ce_id: OVERLONG } })],
  ['Latin-1', 'rejected malformed_json', () => ({ value: Buffer.from(odd({ subject: '"Fran\u00e7ois"' }), 'latin1') })], ['1e400', 'rejected /data/n unsafe_number', () => value(n('1e400'))], ['a key twice', 'rejected /data/n duplicate_key', () => value({ data: '{"n":1,"n":2}' })],
  ['the year 0', 'rejected /time invalid_time', () => value({ time: '"0000-01-01T00:00:00Z"' })], ['half a character', 'rejected /id invalid_characters', () => value({ id: '"\\ud800"' })], ['lists 200,000 deep', `rejected /data/a${'/0'.repeat(19)} too_deep`, () => value({ data: nested(200_000) })],
  ['a mixed batch', 'rejected /0 object_expected', (good) => ({ value: `[5,${good},{}]`, type: BATCH })], ['a batch of 1,001', 'rejected too_many_events', () => ({ value: `[${Array.from({ length: 1_001 }, () => odd()).join(',')}]`, type: BATCH })],
  ['an empty batch', 'rejected no_events', () => ({ value: '[]', type: BATCH })], ['1,000 bad events under a header of 1 MB', 'rejected /0 object_expected', () => ({ value: `[${Array.from({ length: 1_000 }, () => '0').join(',')}]`, type: BATCH, headers: { note: 'x'.repeat(1_000_000) } })], ['2 MB of data', 'rejected too_large', () => value(n(`"${'x'.repeat(2_000_000)}"`))], ['6 MB', 'rejected body_too_large', () => ({ value: Buffer.alloc(6_000_000, '[') })],
  ['20 MB', 'broker MESSAGE_TOO_LARGE', () => ({ value: Buffer.alloc(20_000_000, ' ') })], ['a bomb of gzip', 'broker MESSAGE_TOO_LARGE', () => ({ value: BLANKS, compression: 'gzip' })], ['a good event in zstd', 'accepted', () => ({ ...value(), compression: 'zstd' })],
  ['a header of 6 MB that is no text', 'rejected malformed_json', () => ({ value: '{', headers: { note: Buffer.alloc(6_000_000, 0xff) } })], ['a key of 6 MB that is no text', 'rejected malformed_json', () => ({ value: '{', recordKey: Buffer.alloc(6_000_000, 0xff) })],
  ['20,000 headers', 'rejected malformed_json', () => ({ value: '{', headers: Object.fromEntries(Array.from({ length: 20_000 }, (_, nth) => [`h${nth}`, ''])) })], ['NUL in the name of a header', 'rejected malformed_json', () => ({ value: '{', headers: { 'a\0b': 'c\0d' } })],
  ['no key of the record', 'accepted', () => ({ ...value(), recordKey: null })], ['no time, in a record of no time', 'rejected invalid_time', () => ({ ...value({ time: 'null' }), timestamp: '-1' })],
];

type FileRow = readonly [name: string, ends: string, input: (good: string) => File];
const COLUMNS = 'id,source,type,subject,time,n';
const cells = (good: string): string => { const { id, source, type, subject, time } = JSON.parse(good) as Record<string, string>; return [id, source, type, subject, time, 1].join(','); };
const row = (changed: Partial<Record<'id' | 'type' | 'subject' | 'time' | 'n', string>> = {}): string => { const { id = `odd ${odds++}`, type = 'odd', subject = 'odd', time = '2026-03-01T12:00:00Z', n: count = '1' } = changed; return [id, 'hostile', type, subject, time, count].join(','); };
const csv = (...rows: string[]): File => ({ body: [COLUMNS, ...rows, ''].join('\n') });
const lines = (...rows: string[]): File => ({ body: rows.join('\n'), type: LINES });
const epoch = (time: string) => (good: string): File => ({ body: `s,at\ngood,1\nodd,${time}\n`.replace('good', (JSON.parse(good) as { subject: string }).subject), mapping: { id: { const: 'good' }, source: { const: 'hostile' }, type: { const: 'good' }, subject: 's', time: { column: 'at', format: 'epoch_millis' } } });
const FILES: readonly FileRow[] = [
  ['too few cells', 'rejected ragged_row', (good) => csv('a,b', cells(good))], ['too many cells', 'rejected ragged_row', (good) => csv(`${row()},5`, cells(good))], ['a quote that does not end', 'rejected unbalanced_quote', (good) => csv(row({ n: '"1' }), cells(good))],
  ['a quote inside a cell', 'rejected unbalanced_quote', (good) => csv(row({ n: '1"' }), cells(good))], ['a cell of 1 MB', 'rejected row_too_long', (good) => csv(row({ n: 'x'.repeat(1_000_000) }), cells(good))],
  ['a formula as a name', 'rejected formula_cell', (good) => csv(row({ id: '=HYPERLINK()' }), cells(good))],
  ['a formula as data', 'accepted', (good) => csv(row({ n: '=1+1' }), cells(good))], ['CRLF and a mark of UTF-8', 'accepted', (good) => ({ body: `\ufeff${[COLUMNS, row(), cells(good)].join('\r\n')}` })], ['CR alone', 'failed no_header', (good) => ({ body: [COLUMNS, row(), cells(good)].join('\r') })],
  ['no column of subjects', 'rejected missing_field', (good) => ({ body: `type,subject\nodd,\ngood,${(JSON.parse(good) as { subject: string }).subject}\n` })], ['a column that is there twice', 'failed duplicate_column', () => ({ body: 'id,id\n1,2\n' })],
  ['a mapping of a column that is not there', 'failed unknown_column', () => ({ ...csv(row()), mapping: { subject: 'customer' } })], ['a mapping of something else', '400 /mapping/colour invalid_mapping', () => ({ ...csv(row()), mapping: { colour: 'id' } })],
  ['a mapping of __proto__', '400 /mapping/__proto__ invalid_mapping', () => ({ ...csv(row()), mapping: JSON.parse('{"__proto__":"id"}') as unknown })], ['__proto__ and constructor as columns', 'accepted', (good) => ({ body: `__proto__,constructor,id,source,type,subject\n1,2,odd,hostile,odd,odd\n,,good,hostile,good,${(JSON.parse(good) as { subject: string }).subject}\n` })],
  ['Latin-1 in a row', 'rejected invalid_encoding', (good) => ({ body: Buffer.concat([Buffer.from(`${COLUMNS}\n`), Buffer.from(`${row({ subject: 'Fran\u00e7ois' })}\n`, 'latin1'), Buffer.from(cells(good))]) })],
  ['overlong UTF-8 in the header', 'failed invalid_encoding', () => ({ body: inBytes('id,§\n1,2\n', OVERLONG) })], ['UTF-16 with its mark', 'failed invalid_encoding', () => ({ body: Buffer.from(`\ufeff${COLUMNS}\n${row()}\n`, 'utf16le') })],
  ['UTF-16 without', 'failed no_header', () => ({ body: Buffer.from(`${COLUMNS}\n${row()}\n`, 'utf16le') })], ['NUL in a row', 'rejected invalid_characters', (good) => csv(row({ subject: 'a\0b' }), cells(good))], ['an invisible name', 'rejected invalid_characters', (good) => csv(row({ subject: '\u200b' }), cells(good))],
  ['the year 0', 'rejected invalid_time', (good) => csv(row({ time: '0000-01-01T00:00:00Z' }), cells(good))], ['10^20 milliseconds', 'rejected invalid_time', epoch('100000000000000000000')], ['a time before all times', 'rejected invalid_time', epoch('-1')], ['1e9 as a time', 'rejected invalid_time', epoch('1e9')],
  ['gzip in gzip', 'failed no_header', () => ({ body: gzipSync(gzipSync(csv(row()).body)), encoding: 'gzip' })], ['gzip that was cut', '400 malformed_encoding', () => ({ body: gzipSync(csv(row()).body).subarray(0, -5), encoding: 'gzip' })],
  ['zstd that was cut', '400 malformed_encoding', () => ({ body: zstdCompressSync(Buffer.from(csv(row()).body)).subarray(0, -5), encoding: 'zstd' })], ['frames of zstd in a row', 'accepted', (good) => ({ body: Buffer.concat([csv(row()).body, `${cells(good)}\n`].map((part) => zstdCompressSync(Buffer.from(part)))), encoding: 'zstd' })],
  ['frames of gzip in a row', 'accepted', (good) => ({ body: Buffer.concat([csv(row()).body, `${cells(good)}\n`].map((part) => gzipSync(part))), encoding: 'gzip' })], ['an encoding that is none', '415 unsupported_encoding', () => ({ ...csv(row()), encoding: 'br' })],
  ['nothing', '400 empty_file', () => ({ body: '' })], ['a workbook', '415 unsupported_media_type', () => ({ body: 'PK\u0003\u0004', type: 'application/vnd.ms-excel' })], ['a workbook as CSV', 'failed no_header', () => ({ body: Buffer.from('504b0304140000000800', 'hex') })],
  ['a revoked key', '401 credential_revoked', () => ({ ...csv(row()), key: 'revoked' })], ['another file than was announced', 'failed content_mismatch', () => ({ ...csv(row()), sha256: '0'.repeat(64) })],
  ['1e400 in a line', 'rejected unsafe_number', (good) => lines(odd(n('1e400')), good)], ['NaN in a line', 'rejected malformed_json', (good) => lines(odd(n('NaN')), good)], ['a key twice in a line', 'rejected duplicate_key', (good) => lines(odd({ data: '{"n":1,"n":2}' }), good)],
  ['a line of 1 MB', 'rejected row_too_long', (good) => lines(odd(n(`"${'x'.repeat(1_000_000)}"`)), good)], ['a line that is no object', 'rejected object_expected', (good) => lines('[]', good)], ['lists 100,000 deep in a line', 'rejected too_deep', (good) => lines(odd({ data: nested(100_000) }), good)],
  ['half a line', 'rejected malformed_json', (good) => lines(good, odd().slice(0, -9))], ['__proto__ in a line', 'rejected invalid_extension', (good) => lines(odd({ ['__proto__']: '{"type":"good"}' }), good)], ['UTF-16 in lines', 'failed invalid_encoding', () => ({ body: Buffer.from(`\ufeff${odd()}\n`, 'utf16le'), type: LINES })],
];

type RadiusRow = readonly [name: string, ends: string, input: (good: string, subject: string) => Datagrams];
const STOP = 2, INTERIM = 3, T = 1_772_366_400;
const told = (elapsed: number, octets: number, more: Values = {}): Values => ({ ACCT_STATUS_TYPE: INTERIM, EVENT_TIMESTAMP: T + elapsed, ACCT_SESSION_TIME: elapsed, ACCT_INPUT_OCTETS: octets, ...more });
const one = (more: Values, rest: Omit<Datagrams, 'packets'> = {}) => (): Datagrams => ({ packets: [told(60, 5, more)], ...rest });
const altered = (change: (packet: Uint8Array) => Uint8Array | undefined) => one({}, { change });
const set = (at: number, ...octets: number[]) => altered((packet) => { packet.set(octets, at < 0 ? packet.length + at : at); return packet; });
const RADIUS: readonly RadiusRow[] = [
  ['nothing', 'dropped too_short', altered(() => new Uint8Array())], ['19 octets', 'dropped too_short', altered((packet) => packet.subarray(0, 19))], ['4,097 octets', 'dropped too_long', altered((packet) => Buffer.concat([packet], 4_097))],
  ['a packet that was cut', 'dropped length_mismatch', altered((packet) => packet.subarray(0, -3))], ['a length of 0', 'dropped length_mismatch', set(2, 0, 0)], ['an Access-Request', 'dropped wrong_code', set(0, 1)], ['an attribute of length 0', 'dropped malformed_attribute', set(21, 0)],
  ['an attribute beyond the end', 'dropped malformed_attribute', set(21, 255)], ['an octet that was changed', 'dropped wrong_secret', set(-1, 0xee)], ['a forged authenticator', 'dropped wrong_secret', set(4, ...new Uint8Array(16))],
  ['another secret', 'dropped wrong_secret', one({}, { secret: 'guessed' })], ['an address that nobody has', 'dropped unknown_client', one({}, { from: '127.9.9.9' })], ['no status', 'dropped status_missing', one({ ACCT_STATUS_TYPE: '' })],
  ['a status that nobody knows', 'dropped unknown_status', one({ ACCT_STATUS_TYPE: 2 ** 32 - 1 })], ['no session', 'dropped session_id_missing', one({ ACCT_SESSION_ID: '' })], ['nobody', 'dropped subject_missing', one({ USER_NAME: '' })],
  ['a name that is no text', 'dropped invalid_subject', one({ USER_NAME: new Uint8Array(200).fill(0xff) })], ['a counter of 8 octets', 'dropped malformed_attribute', one({ ACCT_INPUT_OCTETS: new Uint8Array(8) })], ['two counters', 'dropped repeated_attribute', one({}, { more: [attribute('ACCT_INPUT_OCTETS', 9)] })],
  ['a packet that is replayed', 'repeated 5', () => ({ packets: [told(60, 5), told(60, 5)] })], ['counters that go backwards', 'recorded 1100', () => ({ packets: [told(60, 900), told(120, 50), told(180, 200, { ACCT_STATUS_TYPE: STOP })] })],
  ['counters below, of a packet that is late', 'recorded 900', () => ({ packets: [told(120, 900), told(60, 50)] })], ['gigawords without end', 'recorded 18446744073709551615', one({ ACCT_INPUT_OCTETS: 2 ** 32 - 1, ACCT_INPUT_GIGAWORDS: 2 ** 32 - 1 })],
  ['a session of 136 years', 'recorded 5', one({ ACCT_SESSION_TIME: 2 ** 32 - 1 })], ['a clock at 0', 'recorded 5', one({ EVENT_TIMESTAMP: 0 })], ['a clock in the year 2106', 'recorded 5', one({ EVENT_TIMESTAMP: 2 ** 32 - 1 })], ['a delay of 136 years', 'recorded 5', one({ EVENT_TIMESTAMP: '', ACCT_DELAY_TIME: 2 ** 32 - 1 })],
];

const of = <Way extends string, Input>(way: Way, rows: readonly (readonly [string, string, (good: string, subject: string) => Input])[]): Case<Way, Input>[] => rows.map(([name, ends, input]) => ({ way, name, ends, input }));
export const CASES: readonly AnyCase[] = [...of('HTTP', HTTP), ...of('Kafka', KAFKA), ...of('file', FILES), ...of('RADIUS', RADIUS)];
