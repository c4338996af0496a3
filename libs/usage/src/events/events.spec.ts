import { request } from 'node:http';
import { eventually } from '@valueverse/testing';
import { HostBed, type Answer } from '../host-bed.spec-kit';
import { keptBody } from '../metering/body';
import { ENVELOPES_LOOKED_AT_MAX, UNPACKED_IN_ALL_BYTES_MAX } from './event-search';

const TIMEOUT_MS = 60_000;
interface Json { readonly [name: string]: any } // eslint-disable-line @typescript-eslint/no-explicit-any -- what a client sees

let bed: HostBed;
let key: string;
let other: string;
const event = (id: string, more: object = {}): object => ({ specversion: '1.0', id, source: 'gateway', type: 'call', subject: 'acme', time: '2026-03-01T10:00:00Z', data: { tokens: 1 }, ...more });
const send = async (events: readonly object[], by = key): Promise<void> => { expect((await bed.send(by, events)).body).toMatchObject({ accepted: events.length }); };
const ask = (path: string, by = key): Promise<Answer> => bed.ask('GET', `events${path}`, by);
const list = async (query: string, by = key): Promise<Json[]> => (await ask(`?${query}`, by)).body.data;
const until = <T>(waitedFor: string, find: () => Promise<T>, fits: (found: T) => boolean): Promise<T> => eventually(waitedFor, async (saw) => {
  const found = await find();
  saw(found);
  return fits(found) ? found : undefined;
});

beforeAll(async () => {
  bed = await HostBed.make();
  [key, other] = [await bed.key('org_1'), await bed.key('org_2')];
  for (const by of [key, other]) expect((await bed.ask('POST', 'meters', by, { key: 'tokens', eventType: 'call', aggregation: 'sum', valueProperty: '$.tokens' })).status).toBe(201);
  await bed.subscribe('org_1:test', 'sub_1', ['acme', 'beta'], '2026-01-01T00:00:00Z');
  await until('the subscription to be known', () => list('subject=acme'), () => true);
  await send([event('1'), event('2', { time: '2026-03-01T11:00:00Z', data: { tokens: 'many' } }), event('3', { type: 'visit' }), event('4', { subject: 'nobody' }), event('5', { time: '2025-12-31T23:59:59Z' })]);
  await until('five events', () => list('limit=100'), (found) => found.length === 5);
  await send([event('1', { time: '2026-03-05T00:00:00Z' }), event('1', { data: { tokens: 2 } }), event('1', { subject: 'beta' })]);
  await until('eight events', () => list('limit=100'), (found) => found.length === 8);
  await send([event('theirs', { data: { secret: true } })], other);
  await until('the other tenant\'s', () => list('limit=100', other), (found) => found.length === 1);
}, TIMEOUT_MS);
afterAll(() => bed.close(), TIMEOUT_MS);

describe('the list', () => {
  const standing = async (query: string): Promise<unknown[]> => (await list(query)).map(({ subject, id, status, reason }) => [subject, id, status, reason]).sort();

  test('each event stands somewhere: counted, duplicate, conflict, excluded, or waiting for a meter or a subscription', async () => {
    expect(await standing('limit=100')).toEqual([
      ['acme', '1', 'conflict', 'conflict'], ['acme', '1', 'counted', null], ['acme', '1', 'duplicate', 'duplicate'], ['acme', '2', 'excluded', 'invalid_value'], ['acme', '3', 'waiting', 'no_meter'],
      ['acme', '5', 'waiting', 'no_subscription'], ['beta', '1', 'counted', null], ['nobody', '4', 'waiting', 'no_subscription']]);
    const [counted] = await list('subject=acme&status=counted');
    expect(counted).toMatchObject({ meters: ['tokens'], late: true, source: 'gateway', type: 'call', time: '2026-03-01T10:00:00Z', receivedAt: expect.stringMatching(/^20/), notes: [], data: { tokens: 1 }, extensions: null, envelope: expect.stringMatching(/^env_/), place: { partition: expect.any(Number), position: '1', index: 0 } });
    expect(await list('status=duplicate')).toMatchObject([{ notes: [{ code: 'duplicate', meterKey: null, first: counted!['place'] }] }]);
    expect(await list('subject=beta')).toMatchObject([{ status: 'counted', notes: [{ code: 'id_reused' }] }]);
  });

  test.each([
    ['subject=acme', 6], ['subject=beta', 1], ['id=1', 4], ['id=1&subject=acme', 3], ['source=gateway', 8], ['source=gate', 0], ['type=visit', 1], ['status=waiting', 3], ['status=counted', 2], ['status=conflict', 1],
    ['from=2026-03-01T10:00:00Z&to=2026-03-01T11:00:00Z', 5], ['subject=acme&from=2026-03-01T10:00:00Z&to=2026-03-01T10:00:00.000001Z', 3], ['to=2026-01-01T00:00:00Z', 1], ['subject=acme&from=2026-03-02T00:00:00Z', 1],
    ['receivedTo=2020-01-01T00:00:00Z', 0], ['receivedFrom=2020-01-01T00:00:00Z', 8], ['subject=acme&receivedTo=2020-01-01T00:00:00Z', 0], ['subject=acme&receivedFrom=2020-01-01T00:00:00Z', 6], ['id=%22', 0],
  ])('%s finds %d', async (query, count) => { expect(await list(`limit=100&${query}`)).toHaveLength(count); });

  test('page by page it is the same as at once, for all and for one subject', async () => {
    for (const filter of ['', '&subject=acme']) {
      const all = await list(`limit=100${filter}`);
      const paged: Json[] = [];
      for (let cursor = ''; ;) {
        const { body } = await ask(`?limit=1${filter}${cursor}`);
        paged.push(...body.data);
        if (!body.hasMore) break;
        cursor = `&cursor=${body.nextCursor}`;
      }
      expect(paged).toEqual(all);
    }
  });

  test('what one tenant sent no other one sees, by any way', async () => {
    expect(await list('limit=100', other)).toMatchObject([{ id: 'theirs' }]);
    expect(await list('id=theirs')).toEqual([]);
    expect((await ask('/lookup?subject=acme&source=gateway&id=theirs')).body).toMatchObject({ occurrences: [], standing: null });
    const { body } = await ask('?limit=1');
    expect(await ask(`?limit=1&cursor=${body.nextCursor}`, other)).toMatchObject({ status: 400, body: { code: 'invalid_cursor' } });
    expect((await ask('?limit=1', await bed.key('org_1', 'ingest'))).status).toBe(403);
    expect((await bed.ask('GET', 'events?limit=1', undefined)).status).toBe(401);
  });

  test.each([['status=perhaps', '/status'], ['from=now', '/from'], ['colour=red', '/colour'], ['limit=0', '/limit'], [`subject=${'x'.repeat(257)}`, '/subject']])('%s is refused at %s', async (query, pointer) => {
    expect(await ask(`?${query}`)).toMatchObject({ status: 400, body: { code: 'invalid_request', errors: [{ pointer }] } });
  });

  test('an event whose envelope holds many others is found, and names that look like another\'s are told apart', async () => {
    const tricky = [event('"', { subject: 'tricky' }), event('a","source":"x', { subject: 'tricky' }), event('x', { subject: 'tricky', data: { id: 'hidden', tokens: 1 } }), event('\u00fc\ud83d\ude00', { subject: 'tricky' })];
    await send(tricky);
    await until('four events', () => list('subject=tricky'), (found) => found.length === 4);
    for (const id of ['"', 'a","source":"x', 'x', '\u00fc\ud83d\ude00']) expect((await list(`id=${encodeURIComponent(id)}`)).map((found) => found['id'])).toEqual([id]);
    expect(await list('id=hidden')).toEqual([]);
    expect(await list('source=x')).toEqual([]);
  });
});

describe('the lookup', () => {
  test('every time that an event came, and which one stands', async () => {
    const { body } = await ask('/lookup?subject=acme&source=gateway&id=1');
    expect(body).toMatchObject({ subject: 'acme', source: 'gateway', id: '1', complete: true, dropped: [], asOf: expect.stringMatching(/^20/) });
    expect(body.occurrences.map(({ status }: Json) => status)).toEqual(['counted', 'duplicate', 'conflict']);
    expect(body.standing).toEqual(body.occurrences[0].place);
    expect((await ask('/lookup?subject=acme&source=gateway&id=2')).body).toMatchObject({ occurrences: [{ status: 'excluded', reason: 'invalid_value' }], standing: { index: 1 } });
    expect((await ask('/lookup?subject=beta&source=gateway&id=1')).body).toMatchObject({ occurrences: [{ status: 'counted', notes: [{ code: 'id_reused' }] }] });
    expect((await ask('/lookup?subject=acme&source=gateway&id=1&from=2030-01-01T00:00:00Z')).body.occurrences).toHaveLength(3);
    expect((await ask('/lookup?subject=acme&source=elsewhere&id=1')).body).toMatchObject({ occurrences: [], standing: null, complete: true });
    expect(await ask('/lookup?subject=acme&source=gateway')).toMatchObject({ status: 400, body: { code: 'invalid_request', errors: [{ pointer: '/id' }] } });
  });
});

test('an event that was amended, then taken back: each of its places says what became of it', async () => {
  const name = { subject: 'beta', source: 'gateway', id: 'wrong' };
  const look = async (): Promise<Json> => (await ask(`/lookup?${new URLSearchParams(name).toString()}`)).body;
  const correct = async (kind: string, more: object): Promise<void> => { expect(await bed.ask('POST', `events/${kind}`, key, { ...name, reason: 'a slip', ...more })).toMatchObject({ status: 202, body: { status: 'applied' } }); };
  const standings = ({ occurrences }: Json): unknown[] => occurrences.map(({ status, reason, data, correction }: Json) => [status, reason, data?.tokens ?? null, correction?.kind ?? null]);
  await send([event('wrong', { subject: 'beta', data: { tokens: 5 } })]);
  await until('the event', look, ({ occurrences }) => occurrences.length === 1);
  await correct('amend', { data: { tokens: 7 } });
  const amended = await look();
  expect(standings(amended)).toEqual([['excluded', 'amended', 5, null], ['counted', null, 7, 'amend']]);
  expect(amended).toMatchObject({ standing: amended['occurrences'][1].place, occurrences: [{ supersededBy: { kind: 'amend', place: amended['occurrences'][1].place } }, { correction: { reason: 'a slip' } }] });
  await correct('void', {});
  await send([event('wrong', { subject: 'beta', data: { tokens: 5 } })]);
  await until('the event again', look, ({ occurrences }) => occurrences.length === 4);
  expect(standings(await look())).toEqual([['excluded', 'amended', 5, null], ['excluded', 'voided', 7, 'amend'], ['excluded', 'void', null, 'void'], ['duplicate', 'duplicate', 5, null]]);
  expect(await look()).toMatchObject({ standing: null, complete: true });
  expect(await list('subject=beta&id=wrong&limit=100')).toHaveLength(4);
}, TIMEOUT_MS);

describe('the export', () => {
  const text = async (accept: string, query: string): Promise<{ type: string | null; text: string }> => {
    const response = await fetch(`${bed.url}/api/v1/usage/events?${query}`, { headers: { authorization: `Bearer ${key}`, accept } });
    return { type: response.headers.get('content-type'), text: await response.text() };
  };

  test('lines of JSON are the events of the list, CSV the same in columns', async () => {
    const lines = await text('application/x-ndjson', 'subject=acme');
    expect(lines.type).toBe('application/x-ndjson; charset=utf-8');
    expect(lines.text.trimEnd().split('\n').map((line) => JSON.parse(line) as unknown)).toEqual(await list('subject=acme&limit=100'));
    const csv = await text('text/csv', 'id=2');
    expect(csv.type).toBe('text/csv; charset=utf-8');
    const [header, row, end] = csv.text.split('\r\n');
    expect(header).toBe('subject,source,id,type,time,receivedAt,status,reason,late,meters,partition,position,index,envelope,data,extensions');
    expect(row).toMatch(/^acme,gateway,2,call,2026-03-01T11:00:00Z,[^,]+,excluded,invalid_value,true,,\d+,1,1,env_[^,]+,"{""tokens"":""many""}",$/);
    expect(end).toBe('');
    expect((await text('text/csv', 'id=none')).text.split('\r\n')).toHaveLength(2);
    expect((await text('application/json, text/csv', 'limit=1')).type).toMatch(/^application\/json/);
  });

  test('a search looks at so much at a time; its pages and the export go on until all has been looked at', async () => {
    const tenant = 'org_3:test';
    const by = await bed.key('org_3');
    await send([event('first', { subject: 'deep' })], by);
    await until('it', () => list('id=first', by), (found) => found.length === 1);
    // More envelopes than one search looks at, laid over it.
    await bed.service.database.transaction({ role: 'worker' }, (tx) => tx.query(
      `INSERT INTO usage_envelopes (tenant, partition, position, envelope, log_time, header, body, body_hash, link, not_counted)
       SELECT $1, 0, 1000000 + n, 'made' || n, 4000000000000000 + n, '', '{"id":"made' || n || '","events":[]}', '', '', '{}' FROM generate_series(1, $2) n`, [tenant, ENVELOPES_LOOKED_AT_MAX + 100]));
    const first = await ask('?id=first&limit=5', by);
    expect(first.body).toMatchObject({ data: [], hasMore: true });
    expect((await ask(`?id=first&limit=5&cursor=${first.body.nextCursor}`, by)).body).toMatchObject({ data: [{ id: 'first' }], hasMore: false, nextCursor: null });
    const response = await fetch(`${bed.url}/api/v1/usage/events?id=first`, { headers: { authorization: `Bearer ${by}`, accept: 'application/x-ndjson' } });
    expect(await response.text()).toMatch(/"id":"first"/);
  });

  test('a search unpacks so much at a time, however little what it unpacks takes when it is packed', async () => {
    const tenant = 'org_4:test';
    const by = await bed.key('org_4');
    await send([event('first', { subject: 'deeper' })], by);
    await until('it', () => list('id=first', by), (found) => found.length === 1);
    const each = 16 * 1024 * 1024;
    const { body, packed } = keptBody(`{"id":"made","events":[],"more":"${'x'.repeat(each)}"}`);
    await bed.service.database.transaction({ role: 'worker' }, (tx) => tx.query(
      `INSERT INTO usage_envelopes (tenant, partition, position, envelope, log_time, header, body, packed, body_hash, link, not_counted)
       SELECT $1, 0, 2000000 + n, 'packed' || n, 4000000000000000 + n, '', $3, $4, '', '', '{}' FROM generate_series(1, $2) n`, [tenant, UNPACKED_IN_ALL_BYTES_MAX / each + 4, body, packed]));
    const first = await ask('?id=first&limit=5', by);
    expect([packed!.length < each / 1_000, first.body]).toMatchObject([true, { data: [], hasMore: true }]);
    expect((await ask(`?id=first&limit=5&cursor=${first.body.nextCursor}`, by)).body).toMatchObject({ data: [{ id: 'first' }], hasMore: false });
  }, TIMEOUT_MS);
});

describe('the stream', () => {
  /** A client that reads, or waits to be told to. */
  const open = (query: string, by = key): { frames: () => string; closed: () => boolean; close: () => void; status: () => number | undefined } => {
    let [text, closed, status]: [string, boolean, number | undefined] = ['', false, undefined];
    const call = request(`${bed.url}/api/v1/usage/events/stream?${query}`, { agent: false, headers: { authorization: `Bearer ${by}` } }, (answer) => {
      status = answer.statusCode;
      answer.setEncoding('utf8').on('data', (chunk: string) => { text += chunk; }).on('close', () => { closed = true; });
    });
    call.on('error', (error) => { [text, closed] = [`${text}${error.message}`, true]; });
    call.end();
    return { frames: () => text, closed: () => closed, close: () => call.destroy(), status: () => status };
  };
  const ready = (stream: ReturnType<typeof open>): Promise<unknown> => until('the stream to be ready', async () => stream.frames(), (text) => text.includes('event: ready'));

  test('tells each event that fits as metering takes it in, with where it stands, and nothing of another tenant', async () => {
    const [all, one, theirs] = [open(''), open('subject=live&type=call'), open('', other)];
    await Promise.all([all, one, theirs].map(ready));
    await send([event('s1', { subject: 'live' }), event('s2', { subject: 'live', type: 'visit' }), event('s3', { subject: 'beta' }), event('s1', { subject: 'live' })]);
    await until('four events', async () => all.frames(), (text) => text.split('\n').filter((line) => line.startsWith('data: {"subject"')).length === 4);
    await until('two events', async () => one.frames(), (text) => text.split('data: {"subject"').length === 3);
    const told = one.frames().split('\n').filter((line) => line.startsWith('data: {"subject"')).map((line) => JSON.parse(line.slice('data: '.length)) as Json);
    expect(told.map(({ id, status, reason }) => [id, status, reason])).toEqual([['s1', 'waiting', 'no_subscription'], ['s1', 'duplicate', 'duplicate']]);
    expect(one.frames()).toMatch(/\nid: \d+-\d+-\d+\n/);
    expect(theirs.frames()).not.toContain('s1');
    for (const stream of [all, one, theirs]) stream.close();
  }, TIMEOUT_MS);

  test('ends when its key is revoked, and says so', async () => {
    const by = await bed.key('org_4');
    const stream = open('', by);
    await ready(stream);
    await bed.service.database.transaction({ role: 'worker' }, (tx) => tx.query(`UPDATE credentials SET revoked = true WHERE organization_id = 'org_4'`));
    await until('the end', async () => stream.frames(), (text) => text.includes('event: end') && text.includes('credential_revoked'));
    await until('the stream to be closed', async () => stream.closed(), (closed) => closed);
  }, TIMEOUT_MS);

  test('a tenant has so many streams at most, and one that is left makes room', async () => {
    const by = await bed.key('org_5');
    const streams = Array.from({ length: 20 }, () => open('', by));
    await Promise.all(streams.map(ready));
    expect(await ask('/stream', by)).toMatchObject({ status: 429, body: { code: 'too_many_streams' } });
    streams[0]!.close();
    await until('room for one', async () => {
      const next = open('', by);
      await until('an answer', async () => next.status(), (status) => status !== undefined);
      streams.push(next);
      return next.status();
    }, (status) => status === 200);
    for (const stream of streams) stream.close();
  }, TIMEOUT_MS);
});
