import { createHash } from 'node:crypto';
import { request } from 'node:http';
import { gzipSync } from 'node:zlib';
import { Client } from 'pg';
import { eventually } from '@valueverse/testing';
import { type Answer, HostBed } from '../host-bed.spec-kit';
import { envelopeIn, type KeptBody } from '../metering/body';
import { abandonImports, IMPORT_OPEN_DAYS_MAX } from './abandoned';
import { IMPORT_BYTES_MAX, PIECE_BYTES_MAX } from './receive';
import type { Import } from './imports';

const TIMEOUT_MS = 60_000;
const CSV = { 'content-type': 'text/csv' };
const MAPPING = { subject: 'customer', time: { column: 'ts', format: 'epoch_seconds' }, id: 'row', type: { const: 'call' }, data: { tokens: 'tokens' } };
const fileOf = (rows: number, first = 0): string => `row,customer,ts,tokens\n${Array.from({ length: rows }, (_, nth) => `r${first + nth},c${nth % 7},${1_700_000_000 + nth},${nth}.5`).join('\n')}\n`;

describe('imports of usage', () => {
  let bed: HostBed;
  let key: string;
  beforeAll(async () => { bed = await HostBed.make(); key = await bed.key('org_1'); }, TIMEOUT_MS);
  afterAll(() => bed.close(), TIMEOUT_MS);

  const mapped = (more = ''): string => `imports?mapping=${encodeURIComponent(JSON.stringify(MAPPING))}${more}`;
  const ended = (id: string, by = key): Promise<Import> => eventually(`the import ${id} to end`, async (saw) => {
    const { body } = await bed.ask('GET', `imports/${id}`, by);
    saw(body);
    return body.status === 'done' || body.status === 'failed' ? body as Import : undefined;
  }, { timeoutMs: 30_000 });
  const file = async (path: string, body: string | Buffer, headers: Record<string, string> = CSV, by = key): Promise<Import> => {
    const answer = await bed.ask('POST', path, by, body, headers);
    expect(answer).toMatchObject({ status: 202, body: { status: 'reading' } });
    expect(answer.headers.get('location')).toBe(`/api/v1/usage/imports/${answer.body.id}`);
    return ended(answer.body.id as string, by);
  };
  const text = async (path: string, by = key): Promise<{ status: number; type: string | null; text: string }> => {
    const response = await fetch(`${bed.url}/api/v1/usage/${path}`, { headers: { authorization: `Bearer ${by}` } });
    return { status: response.status, type: response.headers.get('content-type'), text: await response.text() };
  };
  /** The events of a tenant that count, and how many do not, once all that was accepted is counted. */
  const counted = (tenant: string, accepted: number): Promise<{ ids: string[]; repeated: number }> => eventually(`${accepted} events in the copy`, async (saw) => {
    const { rows } = await bed.service.database.transaction({ role: 'worker' }, (tx) => tx.query<KeptBody & { not_counted: number[] }>('SELECT body, packed, not_counted FROM usage_envelopes WHERE tenant = $1', [tenant]));
    const events = rows.flatMap(({ not_counted: out, ...kept }) => envelopeIn(kept)!.events.map(({ id }, nth) => ({ id, counts: !out.includes(nth) })));
    saw(events.length);
    return events.length === accepted ? { ids: events.filter(({ counts }) => counts).map(({ id }) => id).sort(), repeated: events.filter(({ counts }) => !counts).length } : undefined;
  }, { timeoutMs: 30_000 });

  test('a file in one body: rows become events, and bad ones are a file that is mended and sent again', async () => {
    const rows = 'row,customer,ts,tokens\nr1,acme,1700000000,5.25\nr2,,1700000000,5\nr3,acme,yesterday,5\nr4,acme,1700000000,7\n';
    const done = await file(mapped('&name=usage.csv'), rows);
    expect(done).toEqual({
      id: expect.stringMatching(/^imp_/), name: 'usage.csv', format: 'csv', delimiter: 'comma', mapping: { ...MAPPING, ...Object.fromEntries(['subject', 'id'].map((name) => [name, { column: MAPPING[name as 'id'] }])), data: { tokens: { column: 'tokens' } } },
      status: 'done', code: null, detail: null, size: null, sha256: createHash('sha256').update(rows).digest('hex'), bytesReceived: rows.length, bytesRead: rows.length, rowsRead: 4, accepted: 2, rejected: 2,
      createdAt: expect.any(String), completedAt: expect.any(String),
    });
    expect((await counted('org_1:test', 2)).ids).toEqual(['r1', 'r4']);
    const rejected = await text(`imports/${done.id}/rejected`);
    expect([rejected.status, rejected.type]).toEqual([200, 'text/csv; charset=utf-8']);
    expect(rejected.text.split('\n')).toEqual(['rejection,row,customer,ts,tokens', expect.stringMatching(/^"missing_field: .*",r2,,1700000000,5$/), expect.stringMatching(/^"invalid_time: .*",r3,acme,yesterday,5$/), '']);
    const mended = await file(mapped(), rejected.text.replace('r2,,', 'r2,acme,').replace('yesterday', '1700000001'));
    expect(mended).toMatchObject({ status: 'done', rowsRead: 2, accepted: 2, rejected: 0 });
    expect((await counted('org_1:test', 4)).ids).toEqual(['r1', 'r2', 'r3', 'r4']);
    expect((await bed.ask('GET', 'imports?limit=1', key)).body).toMatchObject({ data: [{ id: mended.id }], hasMore: true });
    // Their bytes were needed until they were read.
    const { rows: pieces } = await bed.service.database.transaction({ role: 'worker' }, (tx) => tx.query('SELECT FROM usage_import_pieces'));
    expect(pieces).toEqual([]);
  }, TIMEOUT_MS);

  test('a file without ids that is sent twice is all duplicates the second time', async () => {
    const by = await bed.key('org_twice');
    const lines = Array.from({ length: 50 }, (_, nth) => JSON.stringify({ type: 'call', subject: `c${nth % 3}`, time: '2023-11-16T18:15:46Z', data: { tokens: nth } })).join('\n');
    const LINES = { 'content-type': 'application/x-ndjson', 'content-encoding': 'gzip' };
    for (let times = 0; times < 2; times++) expect(await file('imports', gzipSync(lines), LINES, by)).toMatchObject({ format: 'ndjson', rowsRead: 50, accepted: 50, bytesReceived: lines.length });
    const { ids, repeated } = await counted('org_twice:test', 100);
    expect([ids.length, new Set(ids).size, repeated]).toEqual([50, 50, 50]);
  }, TIMEOUT_MS);

  test('in chunks: each begins where the one before it ended; what does not is told where', async () => {
    const by = await bed.key('org_chunks');
    const whole = Buffer.from(fileOf(20_000));
    const sha256 = createHash('sha256').update(whole).digest('hex');
    const made = await bed.ask('POST', 'imports', by, { format: 'csv', mapping: MAPPING, name: 'chunks.csv', size: whole.length, sha256 }, { 'idempotency-key': 'chunks' });
    expect(made).toMatchObject({ status: 201, body: { status: 'receiving', bytesReceived: 0, size: whole.length } });
    expect((await bed.ask('POST', 'imports', by, { format: 'csv', mapping: MAPPING, name: 'chunks.csv', size: whole.length, sha256 }, { 'idempotency-key': 'chunks' })).body.id).toBe(made.body.id);
    const chunk = (offset: number, bytes: Buffer): Promise<Answer> => bed.ask('POST', `imports/${made.body.id}/chunks?offset=${offset}`, by, bytes, { 'content-type': 'application/octet-stream' });
    expect(await bed.ask('POST', `imports/${made.body.id}/complete`, by, {})).toMatchObject({ status: 400, body: { code: 'empty_file' } });
    expect(await chunk(0, whole.subarray(0, 100_001))).toMatchObject({ status: 202, body: { bytesReceived: 100_001 } });
    expect(await chunk(0, whole.subarray(0, 100_001))).toMatchObject({ status: 409, body: { code: 'wrong_offset', detail: expect.stringContaining('100001') } });
    expect(await bed.ask('POST', `imports/${made.body.id}/complete`, by, {})).toMatchObject({ status: 409, body: { code: 'import_incomplete' } });
    expect(await chunk(100_001, whole.subarray(100_001))).toMatchObject({ status: 202, body: { bytesReceived: whole.length } });
    expect(await bed.ask('POST', `imports/${made.body.id}/complete`, by, {})).toMatchObject({ status: 202, body: { status: 'reading' } });
    expect(await ended(made.body.id as string, by)).toMatchObject({ status: 'done', rowsRead: 20_000, accepted: 20_000, rejected: 0, sha256 });
    expect(await chunk(whole.length, Buffer.from('x'))).toMatchObject({ status: 409, body: { code: 'import_closed' } });
    const { ids, repeated } = await counted('org_chunks:test', 20_000);
    expect([ids.length, repeated]).toEqual([20_000, 0]);
  }, TIMEOUT_MS);

  test('it is done when its rows are in the feed, and not before: what is asked for after that has them', async () => {
    const by = await bed.key('org_handed');
    const database = (sql: string) => bed.service.database.transaction({ role: 'worker' }, (tx) => tx.query<{ count: bigint }>(sql));
    // Another process has taken the outbox, and does nothing.
    await eventually('the outbox to be held', async () => ((await database(`UPDATE usage_outbox_lease SET owner = 'nobody', until = clock_timestamp() + interval '1 hour' WHERE NOT EXISTS (SELECT FROM usage_outbox)`)).rowCount === 1 || undefined));
    const { id } = (await bed.ask('POST', mapped(), by, fileOf(100), CSV)).body as Import;
    const waits = await eventually('it to wait for the feed', async (saw) => {
      const { rows } = await database(`SELECT count(*) FROM jobs WHERE waits_for = 'its rows are on their way to the feed'`);
      saw(rows);
      return rows[0]!.count === 1n ? (await bed.ask('GET', `imports/${id}`, by)).body as Import : undefined;
    });
    expect(waits).toMatchObject({ status: 'reading', rowsRead: 100, accepted: 100, completedAt: null });
    await database(`UPDATE usage_outbox_lease SET owner = NULL, until = '-infinity'`);
    expect(await ended(id, by)).toMatchObject({ status: 'done', accepted: 100 });
    expect((await database(`SELECT count(*) FROM usage_outbox`)).rows[0]!.count).toBe(0n);
  }, TIMEOUT_MS);

  test('an upload that is cut off goes on where it was cut', async () => {
    const by = await bed.key('org_cut');
    const whole = Buffer.from(fileOf(60_000));
    const { id } = (await bed.ask('POST', 'imports', by, { format: 'csv', mapping: MAPPING })).body as Import;
    const path = `/api/v1/usage/imports/${id}/chunks?offset=0`;
    const sending = request(`${bed.url}${path}`, { method: 'POST', headers: { 'content-type': 'application/octet-stream', 'authorization': `Bearer ${by}`, 'content-length': whole.length } });
    sending.on('error', () => undefined);
    sending.write(whole.subarray(0, PIECE_BYTES_MAX + 12_345));
    const receivedSoFar = async (): Promise<number> => ((await bed.ask('GET', `imports/${id}`, by)).body as Import).bytesReceived;
    await eventually('a piece to be stored', async () => ((await receivedSoFar()) === PIECE_BYTES_MAX ? true : undefined));
    sending.destroy();
    // What had come and was no whole piece is kept too.
    const offset = await eventually('the rest to be stored', async (saw) => { const now = await receivedSoFar(); saw(now); return now > PIECE_BYTES_MAX ? now : undefined; });
    expect(offset).toBe(PIECE_BYTES_MAX + 12_345);
    expect(await bed.ask('POST', `imports/${id}/chunks?offset=${offset}`, by, whole.subarray(offset), { 'content-type': 'application/octet-stream' })).toMatchObject({ status: 202 });
    await bed.ask('POST', `imports/${id}/complete`, by, { sha256: createHash('sha256').update(whole).digest('hex') });
    expect(await ended(id, by)).toMatchObject({ status: 'done', rowsRead: 60_000, accepted: 60_000 });
    expect(bed.ingest.room.bytes).toBe(0);
  }, TIMEOUT_MS);

  test('a process that ends while it reads is followed by another: no row is lost or read twice', async () => {
    const by = await bed.key('org_killed');
    const { id } = (await bed.ask('POST', mapped(), by, fileOf(50_000), CSV)).body as Import;
    const rowsRead = async (): Promise<number> => ((await bed.ask('GET', `imports/${id}`, by)).body as Import).rowsRead;
    // As the end of a process in the middle of a step: what it has written is rolled back, and the next one begins where the last whole step ended.
    const client = new Client({ connectionString: bed.service.database.url });
    await client.connect();
    let ends = 0;
    await eventually('three steps to be cut off', async (saw) => {
      const { rowCount } = await client.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND state = 'idle in transaction' AND pid <> pg_backend_pid()
        AND query LIKE '%usage_import%'`);
      ends += rowCount ?? 0;
      const now = await rowsRead().catch(() => 0);
      saw({ ends, now });
      return ends >= 3 || now === 50_000 ? true : undefined;
    }, { everyMs: 2, timeoutMs: 30_000 });
    await client.end();
    expect(ends).toBeGreaterThan(0);
    expect(await ended(id, by)).toMatchObject({ status: 'done', rowsRead: 50_000, accepted: 50_000, rejected: 0 });
    const { ids, repeated } = await counted('org_killed:test', 50_000);
    expect([ids.length, new Set(ids).size, repeated]).toEqual([50_000, 50_000, 0]);
  }, TIMEOUT_MS);

  test.each<[string, Record<string, string>, string | Buffer, string, number, string]>([
    ['a mapping that is no JSON', CSV, 'a\n', 'imports?mapping=x', 400, 'invalid_mapping'], ['a mapping of something else', CSV, 'a\n', `imports?mapping=${encodeURIComponent('{"colour":"x"}')}`, 400, 'invalid_mapping'],
    ['an unknown parameter', CSV, 'a\n', 'imports?colour=red', 400, 'invalid_request'], ['an unknown delimiter', CSV, 'a\n', 'imports?delimiter=x', 400, 'invalid_request'], ['no file', CSV, '', 'imports', 400, 'empty_file'],
    ['another type', { 'content-type': 'application/vnd.ms-excel' }, 'PK', 'imports', 415, 'unsupported_media_type'], ['another encoding', { ...CSV, 'content-encoding': 'br' }, 'x', 'imports', 415, 'unsupported_encoding'],
    ['what is not in its encoding', { ...CSV, 'content-encoding': 'gzip' }, 'a,b\n', 'imports', 400, 'malformed_encoding'], ['a body that was cut off', { ...CSV, 'content-encoding': 'gzip' }, gzipSync('a,b\n'.repeat(1_000)).subarray(0, -6), 'imports', 400, 'malformed_encoding'],
    ['an announcement of nothing', { 'content-type': 'application/json' }, '{}', 'imports', 400, 'invalid_request'], ['a size without end', { 'content-type': 'application/json' }, JSON.stringify({ format: 'csv', size: IMPORT_BYTES_MAX + 1 }), 'imports', 400, 'invalid_request'],
    ['a chunk of nothing that is there', { 'content-type': 'text/csv' }, 'x', 'imports/imp_none/chunks?offset=0', 404, 'import_not_found'], ['a chunk without its place', { 'content-type': 'text/csv' }, 'x', 'imports/imp_none/chunks', 400, 'invalid_request'],
  ])('%s is refused', async (_, headers, body, path, status, code) => {
    expect(await bed.ask('POST', path, key, body, headers)).toMatchObject({ status, body: { code } });
    expect(bed.ingest.room.bytes).toBe(0);
  });

  test.each<[string, string | Buffer, string]>([
    ['UTF-16', Buffer.from('\ufeffsubject,type\nacme,call\n', 'utf16le'), 'invalid_encoding'], ['a column that is not there', 'a,b\n1,2\n', 'unknown_column'], ['a column that is there twice', 'a,a\n1,2\n', 'duplicate_column'], ['no header', '\n\n', 'no_header'],
  ])('a file that cannot be read as a whole fails by name: %s', async (_, body, code) => {
    const { id } = (await bed.ask('POST', mapped(), key, body, CSV)).body as Import;
    expect(await ended(id)).toMatchObject({ status: 'failed', code, rowsRead: 0, accepted: 0 });
    expect((await text(`imports/${id}/rejected`)).status).toBe(409);
  });

  test('a file that is never completed is given up after a week, and its bytes with it; one that is read is not', async () => {
    const by = await bed.key('org_left');
    const { id } = (await bed.ask('POST', 'imports', by, { format: 'csv' })).body as Import;
    await bed.ask('POST', `imports/${id}/chunks?offset=0`, by, 'subject,type\nacme,call\n', CSV);
    const inDays = (days: number): string => new Date(Date.now() + days * 86_400_000).toISOString();
    expect(await abandonImports(bed.service.database, inDays(IMPORT_OPEN_DAYS_MAX - 1))).toBe(0);
    // Others whose bodies were refused are among them.
    expect(await abandonImports(bed.service.database, inDays(IMPORT_OPEN_DAYS_MAX + 1))).toBeGreaterThan(0);
    expect((await bed.ask('GET', 'imports?status=receiving', by)).body.data).toEqual([]);
    expect((await bed.ask('GET', `imports/${id}`, by)).body).toMatchObject({ status: 'failed', code: 'upload_abandoned' });
    expect(await bed.ask('POST', `imports/${id}/chunks?offset=23`, by, 'x', CSV)).toMatchObject({ status: 409, body: { code: 'import_closed' } });
    const { rows: pieces } = await bed.service.database.transaction({ role: 'worker' }, (tx) => tx.query('SELECT FROM usage_import_pieces WHERE import = $1', [id]));
    expect(pieces).toEqual([]);
  });

  test('another file than was announced is not read', async () => {
    const { id } = (await bed.ask('POST', 'imports', key, { format: 'csv', sha256: '0'.repeat(64) })).body as Import;
    await bed.ask('POST', `imports/${id}/chunks?offset=0`, key, 'subject,type\nacme,call\n', CSV);
    await bed.ask('POST', `imports/${id}/complete`, key, {});
    expect(await ended(id)).toMatchObject({ status: 'failed', code: 'content_mismatch', rowsRead: 0 });
  });

  test('tenants and keys: nobody sees another\'s files; a publishable key sends rows of its subjects, and reads nothing', async () => {
    const [other, publishable] = [await bed.key('org_other'), await bed.key('org_1', 'publishable', ['mine'])];
    const { id } = (await bed.ask('POST', 'imports', publishable, 'subject,type\nmine,call\ntheirs,call\n', CSV)).body as Import;
    expect(await ended(id)).toMatchObject({ accepted: 1, rejected: 1 });
    expect((await text(`imports/${id}/rejected`)).text).toContain('"subject_not_allowed: this key was not made for this subject",theirs,call');
    for (const [path, by, status] of [[`imports/${id}`, other, 404], [`imports/${id}/rejected`, other, 404], [`imports/${id}`, publishable, 403], ['imports', publishable, 403]] as const) expect((await text(path, by)).status).toBe(status);
    expect(await bed.ask('POST', `imports/${id}/complete`, other, {})).toMatchObject({ status: 404 });
    expect((await bed.ask('GET', 'imports', other)).body.data).toEqual([]);
  });
});
