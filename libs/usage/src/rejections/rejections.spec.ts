import { eventually } from '@valueverse/testing';
import { HostBed } from '../host-bed.spec-kit';
import { Nas } from '../radius/nas.spec-kit';
import { forgetRejections, PER_REQUEST_MAX } from './rejections';
import type { ListedRejection } from './rejections.controller';

const TIMEOUT_MS = 60_000;
let bed: HostBed;
let key: string;
beforeAll(async () => { bed = await HostBed.make(); key = await bed.key('org_1'); }, TIMEOUT_MS);
afterAll(() => bed.close(), TIMEOUT_MS);

const event = (id: string, more: object = {}): object => ({ specversion: '1.0', id, source: 's', type: 'call', subject: 'acme', time: '2026-03-01T12:00:00Z', ...more });
const list = async (parameters = '', by = key): Promise<ListedRejection[]> => (await bed.ask('GET', `rejections?${parameters}`, by)).body.data;
const listed = (count: number, parameters = '', by = key): Promise<ListedRejection[]> => eventually(`${count} rejections`, async (saw) => { const found = await list(parameters, by); saw(found); return found.length === count ? found : undefined; });

test('what was refused over HTTP is found again with its code, its place and how it began: of a batch, alone, and a body that is no JSON', async () => {
  expect((await bed.send(key, [event('good'), event('bad', { time: 'never' }), event('worse', { subject: undefined })])).body).toMatchObject({ accepted: 1, rejected: [{ index: 1 }, { index: 2 }] });
  expect(await bed.ask('POST', 'events', key, event('alone', { specversion: '0.3' }), { 'content-type': 'application/cloudevents+json' })).toMatchObject({ status: 400 });
  expect(await bed.ask('POST', 'events', key, '{"id":', { 'content-type': 'application/cloudevents+json' })).toMatchObject({ status: 400, body: { code: 'malformed_json' } });
  expect(await listed(4)).toMatchObject([
    { via: 'http', code: 'malformed_json', pointer: '', eventId: null, sender: null, shown: null },
    { via: 'http', code: 'invalid_specversion', eventId: 'alone', shown: expect.stringContaining('"specversion":"0.3"') },
    { via: 'http', code: 'missing_field', pointer: '/subject', eventId: 'worse' },
    { via: 'http', code: 'invalid_time', pointer: '/time', eventId: 'bad', detail: expect.any(String), shown: expect.stringContaining('"time":"never"'), receivedAt: expect.any(String) },
  ]);
  expect(await list('code=invalid_time')).toMatchObject([{ eventId: 'bad' }]);
  const first = await bed.ask('GET', 'rejections?limit=3', key);
  expect([first.body.data.length, first.body.hasMore]).toEqual([3, true]);
  expect((await bed.ask('GET', `rejections?limit=3&cursor=${encodeURIComponent(first.body.nextCursor)}`, key)).body).toMatchObject({ data: [{ eventId: 'bad' }], hasMore: false });
  expect(await list('', await bed.key('org_2'))).toEqual([]);
  expect(await bed.ask('GET', 'rejections', await bed.key('org_1', 'ingest'))).toMatchObject({ status: 403 });
}, TIMEOUT_MS);

test('a RADIUS packet that gets no answer is found again where its secret says whose it is', async () => {
  const own = await bed.key('org_radius');
  const port = await bed.radius();
  const [nas, stranger] = [await Nas.at(port, 'xyzzy5461'), await Nas.at(port, 'another-secret')];
  try {
    expect((await bed.ask('POST', 'radius/clients', own, { name: 'bng', address: '127.0.0.0/8', secret: 'xyzzy5461' })).status).toBe(201);
    const report = { ACCT_STATUS_TYPE: 3, NAS_IDENTIFIER: 'nas', ACCT_SESSION_ID: '1', ACCT_INPUT_OCTETS: 5 };
    await stranger.throw(stranger.packet({ ...report, USER_NAME: 'x' }));
    await nas.throw(nas.packet(report));
    await nas.throw(nas.packet({ ACCT_STATUS_TYPE: 99, NAS_IDENTIFIER: 'nas' }));
    const found = await listed(2, 'via=radius', own);
    expect(found.map(({ code }) => code).sort()).toEqual(['subject_missing', 'unknown_status']);
    expect(found[0]).toMatchObject({ sender: '127.0.0.1', shown: null, eventId: null });
  } finally {
    await nas.close();
    await stranger.close();
  }
}, TIMEOUT_MS);

test('of a request with very many faults the first are kept; those of a tenant that are too old or too many are forgotten, and nobody else\'s', async () => {
  const [own, other] = [await bed.key('org_many'), await bed.key('org_few')];
  expect((await bed.send(own, Array.from({ length: PER_REQUEST_MAX + 50 }, (_, nth) => event(String(nth), { time: 'never' })))).body.rejected).toHaveLength(PER_REQUEST_MAX + 50);
  await bed.send(other, [event('few', { time: 'never' })]);
  await listed(PER_REQUEST_MAX, 'limit=100', own);
  await listed(1, '', other);
  const forget = (now: string, perTenant: number): Promise<void> => bed.service.database.transaction({ role: 'worker' }, (tx) => forgetRejections(tx, now, { days: 30, perTenant }));
  const now = bed.service.clock.now();
  await forget(now, 10);
  expect((await list('limit=100', own)).map(({ eventId }) => eventId)).toEqual(Array.from({ length: 10 }, (_, nth) => String(PER_REQUEST_MAX - 1 - nth)));
  expect(await list('', other)).toHaveLength(1);
  await forget(new Date(Date.parse(now) + 31 * 86_400_000).toISOString(), 10);
  expect([await list('', own), await list('', other)]).toEqual([[], []]);
}, TIMEOUT_MS);

test('more than is written in time is answered as ever, and counted', async () => {
  const own = await bed.key('org_flood');
  let release: () => void = () => undefined;
  const held = new Promise<void>((resolve) => { release = resolve; });
  let holding: () => void = () => undefined;
  const holds = new Promise<void>((resolve) => { holding = resolve; });
  const hold = bed.service.database.transaction({ role: 'owner' }, async (tx) => { await tx.query('LOCK TABLE usage_rejections IN ACCESS EXCLUSIVE MODE'); holding(); await held; });
  await holds;
  const batch = Array.from({ length: 200 }, (_, nth) => event(String(nth), { time: 'never' }));
  for (let nth = 0; nth < 60; nth++) expect((await bed.send(own, batch)).body.rejected).toHaveLength(200);
  const notKept = Number(/valueverse_usage_rejections_not_kept_total (\d+)/.exec(await bed.service.metrics.text())?.[1]);
  expect(notKept).toBe(60 * PER_REQUEST_MAX - 5_000);
  release();
  await hold;
  await listed(100, 'limit=100', own);
}, TIMEOUT_MS);
