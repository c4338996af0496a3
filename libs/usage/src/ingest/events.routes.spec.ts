import { request } from 'node:http';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { eventually } from '@valueverse/testing';
import { type Answer, HostBed } from '../host-bed.spec-kit';
import { EVENTS_BYTES_MAX } from './encoding';
import { BYTES_IN_FLIGHT_MAX } from './room';

const TIMEOUT_MS = 60_000;
const BATCH = { 'content-type': 'application/cloudevents-batch+json' };
const LINES = { 'content-type': 'application/x-ndjson' };
const event = (id: string, more: object = {}): object => ({ specversion: '1.0', id, source: 'gateway', type: 'call', subject: 'acme', data: { tokens: 1 }, ...more });

describe('POST /usage/events', () => {
  let bed: HostBed;
  let key: string;
  beforeAll(async () => {
    bed = await HostBed.make();
    key = await bed.key('org_1', 'ingest');
  }, TIMEOUT_MS);
  afterAll(() => bed.close(), TIMEOUT_MS);
  const post = (body: Buffer | string, headers: Record<string, string>): Promise<Answer> => bed.ask('POST', 'events', key, body, headers);
  const kept = (id: string): Promise<unknown> => eventually(`event ${id} in the copy`, async () => {
    const { rows } = await bed.service.database.transaction({ role: 'worker' }, (tx) => tx.query(`SELECT FROM usage_envelopes WHERE body LIKE '%"id":"' || $1 || '"%'`, [id]));
    return rows.length === 1 ? true : undefined;
  });

  test('lines are taken one by one, and a bad one is named by its number', async () => {
    const answer = await post(`${JSON.stringify(event('line 1'))}\n{"specversion":\n\n${JSON.stringify(event('line 4', { time: 'never' }))}\n${JSON.stringify(event('line 5'))}`, LINES);
    expect([answer.status, answer.body]).toEqual([202, { accepted: 2, rejected: [
      { index: 1, id: null, code: 'malformed_json', detail: expect.any(String) as string, pointer: '' }, { index: 3, id: 'line 4', code: 'invalid_time', detail: expect.any(String) as string, pointer: '/time' }] }]);
    await Promise.all([kept('line 1'), kept('line 5')]);
  });

  test.each([['gzip', gzipSync], ['zstd', zstdCompressSync]] as const)('a body in %s; what inflates without end is refused, and so is one that was cut off', async (encoding, compress) => {
    const send = (body: Buffer): Promise<Answer> => post(body, { ...BATCH, 'content-encoding': encoding });
    const whole = compress(Buffer.from(JSON.stringify([event(`in ${encoding}`)])));
    expect(await send(whole)).toMatchObject({ status: 202, body: { accepted: 1 } });
    await kept(`in ${encoding}`);
    const bomb = compress(Buffer.from(`[${' '.repeat(EVENTS_BYTES_MAX * 8)}]`));
    expect(bomb.length).toBeLessThan(EVENTS_BYTES_MAX / 50);
    expect(await send(bomb)).toMatchObject({ status: 413, body: { code: 'body_too_large' } });
    expect(await send(whole.subarray(0, -4))).toMatchObject({ status: 400, body: { code: 'malformed_encoding' } });
    expect(await send(Buffer.from('[]'))).toMatchObject({ status: 400, body: { code: 'malformed_encoding' } });
    expect(bed.ingest.room.bytes).toBe(0);
  });

  test('frames of zstd in a row are one body', async () => {
    const [head, tail] = [Buffer.from(`${JSON.stringify(event('frame 1'))}\n`), Buffer.from(JSON.stringify(event('frame 2')))];
    expect(await post(Buffer.concat([zstdCompressSync(head), zstdCompressSync(tail)]), { ...LINES, 'content-encoding': 'zstd' })).toMatchObject({ status: 202, body: { accepted: 2 } });
    const frames = zstdCompressSync(Buffer.alloc(EVENTS_BYTES_MAX, ' '));
    expect(await post(Buffer.concat([frames, zstdCompressSync(tail)]), { ...LINES, 'content-encoding': 'zstd' })).toMatchObject({ status: 413 });
  });

  test.each(['br', 'deflate', 'gzip, gzip', 'gzip;q=1', 'constructor'])('the encoding %s is none that is read', async (encoding) => {
    const answer = await post('[]', { ...BATCH, 'content-encoding': encoding });
    expect([answer.status, answer.body.code, answer.headers.get('accept-encoding')]).toEqual([415, 'unsupported_encoding', 'gzip, zstd']);
  });

  test('what is too much for the process is asked to come again, and nothing of it is written', async () => {
    const most = BYTES_IN_FLIGHT_MAX - 1_000;
    bed.ingest.room.take(most);
    const refused = await post(`[${JSON.stringify(event('too much', { data: { text: 'x'.repeat(1_000) } }))}]`, BATCH);
    expect([refused.status, refused.body.code, refused.headers.get('retry-after'), refused.headers.get('ratelimit')]).toEqual([429, 'ingest_overloaded', '1', expect.stringMatching(/^"default"/)]);
    expect(await post(gzipSync(JSON.stringify([event('too much', { data: { text: 'x'.repeat(2_000) } })])), { ...BATCH, 'content-encoding': 'gzip' })).toMatchObject({ status: 429 });
    expect(await post(JSON.stringify([event('little')]), BATCH)).toMatchObject({ status: 202 });
    bed.ingest.room.give(most);
    expect(bed.ingest.room.bytes).toBe(0);
  });

  test('a connection that is lost while it sends gives its room back', async () => {
    const sending = request(`${bed.url}/api/v1/usage/events`, { method: 'POST', headers: { ...BATCH, 'authorization': `Bearer ${key}`, 'content-length': 1_000_000 } });
    sending.on('error', () => undefined);
    sending.write('[');
    await eventually('room to be taken', () => (bed.ingest.room.bytes > 1_000_000 ? true : undefined));
    sending.destroy();
    await eventually('room to be given back', () => (bed.ingest.room.bytes === 0 ? true : undefined));
  });

  test('who asks is known before the body is read; headers, problems and metrics are those of every route', async () => {
    const stranger = await bed.ask('POST', 'events', 'vv_test_ik_unknown', '[', BATCH);
    expect([stranger.status, stranger.body.code, stranger.headers.get('www-authenticate')]).toEqual([401, 'invalid_credential', 'Bearer']);
    expect(stranger.body.traceId).toBe(stranger.headers.get('x-request-id'));
    const good = await post(JSON.stringify([event('headers')]), BATCH);
    expect([good.headers.get('ratelimit-policy'), good.headers.get('x-content-type-options')]).toEqual(['"default";q=6000;w=10', 'nosniff']);
    expect(await post('id,subject', { 'content-type': 'text/csv' })).toMatchObject({ status: 415, body: { code: 'unsupported_media_type' } });
    expect(await post('[]', BATCH)).toMatchObject({ status: 400, body: { code: 'no_events' } });
    expect(await post('{}', { 'content-type': 'application/json', 'ce-id': 'a%ff', 'ce-specversion': '1.0' })).toMatchObject({ status: 400, body: { code: 'invalid_header' } });
    const metrics = await (await fetch(`${bed.url}/metrics`)).text();
    expect(metrics).toContain('valueverse_http_request_duration_seconds_count{method="POST",route="/api/v1/usage/events",status="202"}');
  });

  test('attributes that are sent twice are told', async () => {
    const status = await new Promise<number | undefined>((resolve, reject) => {
      const sent = request(`${bed.url}/api/v1/usage/events`, { method: 'POST', headers: [
        'authorization', `Bearer ${key}`, 'content-type', 'application/json', 'host', 'localhost', 'content-length', '2', 'ce-specversion', '1.0', 'ce-id', '1', 'ce-id', '2', 'ce-source', 's', 'ce-type', 't', 'ce-subject', 'x'] }, (answer) => {
        answer.resume();
        resolve(answer.statusCode);
      });
      sent.on('error', reject);
      sent.end('{}');
    });
    expect(status).toBe(400);
  });
});
