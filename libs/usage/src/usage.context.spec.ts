import { eventually } from '@valueverse/testing';
import { type Answer, HostBed } from './host-bed.spec-kit';
import { statementIdOf } from './statements/statements';

const TIMEOUT_MS = 60_000;
const METER = { key: 'prompt_tokens', name: 'Prompt tokens', eventType: 'llm.completion', aggregation: 'sum', valueProperty: '$.promptTokens', groupBy: { model: '$.model' } };
const completion = (id: string, time: string, promptTokens: unknown, model = 'code', more: object = {}): object =>
  ({ specversion: '1.0', id, source: 'gateway', type: 'llm.completion', subject: 'acme', time, data: { promptTokens, model }, ...more });

describe('the usage service over HTTP', () => {
  let bed: HostBed;
  let key: string;
  let other: string;
  beforeAll(async () => {
    bed = await HostBed.make();
    [key, other] = [await bed.key('org_1'), await bed.key('org_2')];
    await bed.ask('POST', 'meters', key, METER);
    await bed.send(key, [
      completion('1', '2023-11-16T18:15:46.680Z', 374), completion('2', '2023-11-16T18:20:00Z', 26, 'chat'), completion('3', '2023-11-16T19:00:00Z', 1, 'code'), completion('4', '2023-11-16T19:07:30Z', 2, 'code', { subject: 'beta' }),
      completion('1', '2023-11-16T18:15:46.680Z', 374), completion('2', '2023-11-16T18:20:00Z', 27, 'chat'), completion('5', '2023-11-16T18:00:00Z', 'many'),
    ]);
    await query('from=2023-11-16T00:00:00Z&to=2023-11-17T00:00:00Z', ({ body }) => body.data[0]?.value === '403');
  }, TIMEOUT_MS);
  afterAll(() => bed.close(), TIMEOUT_MS);

  /** Asks until metering has counted. */
  const query = (parameters: string, until: (answer: Answer) => boolean = () => true): Promise<Answer> => eventually(`an answer to ${parameters}`, async (saw) => {
    const answer = await bed.ask('GET', `meters/prompt_tokens/query?${parameters}`, key);
    saw(answer.body);
    return until(answer) ? answer : undefined;
  });
  const rows = (answer: Answer): unknown[] => answer.body.data.map(({ windowStart, windowEnd, subject, groupBy, value }: Record<string, unknown>) => [windowStart, windowEnd, subject, groupBy, value]);

  test('a meter is created once, read and listed', async () => {
    const calls = { key: 'calls', eventType: 'llm.completion', aggregation: 'count', metadata: { team: 'core' } };
    const made = await bed.ask('POST', 'meters', key, calls);
    expect([made.status, made.headers.get('location')]).toEqual([201, '/api/v1/usage/meters/calls']);
    expect(made.body).toEqual({
      ...calls, name: 'calls', version: 1, from: null, valueProperty: null, groupBy: {}, filter: [], percentile: null, sampleWindow: null, rate: null, unit: null, conversion: null, carryOver: false, createdAt: expect.any(String), archivedAt: null,
    });
    expect((await bed.ask('GET', 'meters/calls', key)).body).toEqual(made.body);
    expect(await bed.ask('POST', 'meters', key, calls)).toMatchObject({ status: 409, body: { code: 'meter_exists' } });
    const page = await bed.ask('GET', 'meters?limit=1', key);
    expect(page.body).toMatchObject({ data: [{ key: 'calls' }], hasMore: true });
    expect((await bed.ask('GET', `meters?limit=1&cursor=${page.body.nextCursor}`, key)).body).toMatchObject({ data: [{ key: 'prompt_tokens' }], hasMore: false, nextCursor: null });
    expect(await bed.ask('GET', 'meters/none', key)).toMatchObject({ status: 404, body: { code: 'meter_not_found' } });
    expect((await bed.ask('POST', 'meters', other, METER)).status).toBe(201);
  });

  test.each([
    [{ aggregation: 'median' }, 'unsupported_aggregation'], [{ aggregation: 'percentile' }, 'invalid_percentile'], [{ filter: [{ property: '$.a', operator: 'gt', value: 'x' }] }, 'invalid_filter'], [{ valueProperty: '$..tokens' }, 'invalid_json_path'], [{ groupBy: { model: 'model' } }, 'invalid_json_path'], [{ valueProperty: undefined }, 'value_property_missing'],
    [{ aggregation: 'count' }, 'value_property_not_allowed'], [{ groupBy: { subject: '$.a' } }, 'reserved_dimension'], [{ groupBy: Object.fromEntries(Array.from({ length: 11 }, (_, nth) => [`d${nth}`, '$.a'])) }, 'too_many_dimensions'],
    [{ groupBy: { 'a b': '$.a' } }, 'invalid_dimension'], [{ key: 'a b' }, 'invalid_request'], [{ colour: 'red' }, 'invalid_request'], [{ groupBy: { model: 5 } }, 'invalid_request'], [{ groupBy: [] }, 'invalid_request'],
  ])('a meter with %j is refused with %s', async (change, code) => {
    expect(await bed.ask('POST', 'meters', key, { ...METER, key: 'new', ...change })).toMatchObject({ status: 400, body: { code } });
  });

  test('a version counts from its instant on, and the past keeps its rule; an archived meter is listed only when it is asked for', async () => {
    const at = (minute: number): string => `2023-12-01T10:${String(minute).padStart(2, '0')}:00Z`;
    const meterOf = (valueProperty: string): object => ({ eventType: 'job.done', aggregation: 'sum', valueProperty, groupBy: {} });
    await bed.ask('POST', 'meters', key, { key: 'machining', ...meterOf('$.seconds') });
    const job = (id: string, minute: number): object => ({ specversion: '1.0', source: 'jobs', type: 'job.done', subject: 'versions', id, time: at(minute), data: { seconds: 10, units: 1 } });
    await bed.send(key, [job('1', 5), job('2', 20), job('3', 40)]);
    const counted = (value: string): Promise<unknown> => eventually(`machining of ${value}`, async (saw) => {
      const { body } = await bed.ask('GET', `meters/machining/query?subject=versions&from=${at(0)}&to=${at(59)}`, key);
      saw(body);
      return body.data[0]?.value === value ? true : undefined;
    });
    await counted('30');
    expect(await bed.ask('POST', 'meters/machining/versions', key, { ...meterOf('$.units'), from: at(10) })).toMatchObject({ status: 400, body: { code: 'unaligned_instant' } });
    expect(await bed.ask('POST', 'meters/machining/versions', key, { ...meterOf('$.units'), from: at(15) })).toMatchObject({ status: 201, body: { version: 2, from: at(15), valueProperty: '$.units' } });
    // 10 seconds of before, then 1 unit each.
    await counted('12');
    await bed.send(key, [job('4', 1), job('5', 50)]);
    await counted('23');
    expect((await bed.ask('GET', 'meters/machining/versions', key)).body.data.map(({ version, valueProperty }: Record<string, unknown>) => [version, valueProperty])).toEqual([[1, '$.seconds'], [2, '$.units']]);
    expect(await bed.ask('POST', 'meters/machining/archive', key)).toMatchObject({ status: 200, body: { archivedAt: expect.any(String) } });
    const listed = async (query: string): Promise<string[]> => (await bed.ask('GET', `meters?limit=100${query}`, key)).body.data.map((one: { key: string }) => one.key);
    expect([(await listed('')).includes('machining'), (await listed('&archived=true')).includes('machining')]).toEqual([false, true]);
    expect((await bed.ask('POST', 'meters/machining/restore', key)).body.archivedAt).toBeNull();
  }, TIMEOUT_MS);

  test('a meter is tried on the latest events before it is made', async () => {
    const own = await bed.key('org_preview');
    const tried = (id: string, data: object): object => ({ specversion: '1.0', source: 'jobs', type: 'job.tried', subject: 'preview', id, time: `2023-12-02T10:00:0${id}Z`, data });
    await bed.send(own, [tried('1', { n: 3, region: 'eu' }), tried('2', { n: 'x', region: 'eu' }), tried('3', { n: '4.5', region: 'us' }), tried('4', { n: 1, region: 'mars' })]);
    const body = { eventType: 'job.tried', aggregation: 'max', valueProperty: '$.n', groupBy: { region: '$.region' }, filter: [{ property: '$.region', operator: 'neq', value: 'mars' }] };
    const preview = await eventually('four events', async () => { const answer = await bed.ask('POST', 'meters/preview', own, body); return answer.body.events === 4 ? answer.body : undefined; });
    expect(preview).toMatchObject({ counted: 2, filteredOut: 1, excluded: [{ code: 'invalid_value', events: 1 }], quantities: [{ groupBy: { region: 'eu' }, value: '3', events: 1 }, { groupBy: { region: 'us' }, value: '4.5', events: 1 }] });
    expect(preview.sample.map(({ id, result }: Record<string, unknown>) => [id, result])).toEqual([['4', 'filtered_out'], ['3', 'counted'], ['2', 'invalid_value'], ['1', 'counted']]);
    expect(await bed.ask('POST', 'meters/preview', own, { ...body, valueProperty: undefined })).toMatchObject({ status: 400, body: { code: 'value_property_missing' } });
  }, TIMEOUT_MS);

  test('an event is taken back or amended by a new fact; what is asked twice happens once', async () => {
    const own = await bed.key('org_fixes');
    await bed.ask('POST', 'meters', own, { key: 'fixes', eventType: 'job.fixed', aggregation: 'sum', valueProperty: '$.n', groupBy: {} });
    const fixed = (id: string, n: number): object => ({ specversion: '1.0', source: 'jobs', type: 'job.fixed', subject: 'fixed', id, time: '2023-12-03T10:00:00Z', data: { n } });
    await bed.send(own, [fixed('1', 100), fixed('2', 20), fixed('3', 3)]);
    const total = async (hour = 10): Promise<unknown> => (await bed.ask('GET', `meters/fixes/query?subject=fixed&from=2023-12-03T${hour}:00:00Z&to=2023-12-03T${hour + 1}:00:00Z`, own)).body.data[0]?.value;
    const name = (id: string): object => ({ subject: 'fixed', source: 'jobs', id, reason: 'a test of ours' });
    const answer = await bed.ask('POST', 'events/void', own, name('1'), { 'idempotency-key': 'void-1' });
    expect(answer).toMatchObject({ status: 202, body: { status: 'applied', position: expect.stringMatching(/^[0-9]+\/[0-9]+$/) } });
    expect((await bed.ask('POST', 'events/void', own, name('1'), { 'idempotency-key': 'void-1' })).body).toEqual(answer.body);
    expect(await bed.ask('POST', 'events/void', own, name('1'))).toMatchObject({ status: 409, body: { code: 'event_voided' } });
    // Neither is it taken for the other one, nor is anything corrected that was not meant.
    expect(await bed.ask('POST', 'events/void', own, name('2'), { 'idempotency-key': 'void-1' })).toMatchObject({ status: 422, body: { code: 'idempotency_key_reused' } });
    expect(await bed.ask('POST', 'events/amend', own, { ...name('1'), data: { n: 7 } }, { 'idempotency-key': 'void-1' })).toMatchObject({ status: 422, body: { code: 'idempotency_key_reused' } });
    await bed.ask('POST', 'events/amend', own, { ...name('2'), data: { n: 50 } });
    await bed.ask('POST', 'events/amend', own, { ...name('3'), time: '2023-12-03T12:00:00Z' });
    expect([await total(), await total(12)]).toEqual(['50', '3']);
    // The original again is still the same event.
    await bed.send(own, [fixed('1', 100), fixed('2', 20)]);
    await bed.ask('POST', 'events/amend', own, { ...name('3'), data: { n: 4 } });
    expect([await total(), await total(12)]).toEqual(['50', '4']);
    expect(await bed.ask('POST', 'events/void', own, name('9'))).toMatchObject({ status: 404, body: { code: 'event_not_found' } });
    expect(await bed.ask('POST', 'events/void', other, name('3'))).toMatchObject({ status: 404, body: { code: 'event_not_found' } });
    expect(await bed.ask('POST', 'events/amend', own, name('3'))).toMatchObject({ status: 400, body: { code: 'nothing_to_amend' } });
    expect(await bed.ask('POST', 'events/amend', own, { ...name('3'), data: { n: { deep: Array.from({ length: 200 }, (_, nth) => ({ [`k${nth}`]: 1 })) } } })).toMatchObject({ status: 400, body: { code: 'too_many_keys' } });
  }, TIMEOUT_MS);

  test('an amendment is held to what an event is: no number that was changed on its way, no key twice, no time ahead in `live`, no more than an event may hold', async () => {
    const own = await bed.key('org_amends');
    const live = await bed.key('org_amends', 'secret', undefined, 'live');
    const event = { specversion: '1.0', source: 's', type: 'call', subject: 'amended', id: '1', time: '2023-12-03T10:00:00Z', data: { n: 1 } };
    for (const key of [own, live]) expect((await bed.send(key, [event])).status).toBe(202);
    const amend = async (key: string, what: string): Promise<unknown> => {
      const { status, body } = await bed.ask('POST', 'events/amend', key, `{"subject":"amended","source":"s","id":"1","reason":"a test",${what}}`);
      return [status, body.code, body.errors?.[0]?.pointer];
    };
    expect(await amend(own, '"data":{"n":100000000000000000000001}')).toEqual([400, 'unsafe_number', '/data/n']);
    expect(await amend(own, '"data":{"n":1,"n":2}')).toEqual([400, 'duplicate_key', '/data/n']);
    expect(await amend(own, `"data":{"n":"${'9'.repeat(140_000)}"}`)).toEqual([400, 'too_large', '/data']);
    expect(await amend(live, '"time":"2099-01-01T00:00:00Z"')).toEqual([400, 'time_ahead', '/time']);
    expect(await amend(own, '"time":"2099-01-01T00:00:00Z"')).toEqual([202, undefined, undefined]);
  }, TIMEOUT_MS);

  test('every accepted event ends in exactly one place, and the buckets hold what the envelopes say', async () => {
    const own = await bed.key('org_sums');
    await bed.ask('POST', 'meters', own, { key: 'calls', eventType: 'call', aggregation: 'count' });
    await bed.ask('POST', 'meters', own, { key: 'tokens', eventType: 'call', aggregation: 'sum', valueProperty: '$.n', filter: [{ property: '$.n', operator: 'exists' }] });
    const sums = (id: string, data: object, type = 'call'): object => ({ specversion: '1.0', source: 's', type, subject: 'sums', id, time: '2023-12-04T10:00:00Z', data });
    await bed.send(own, [sums('1', { n: 1 }), sums('2', { n: 2 }), sums('2', { n: 2 }), sums('2', { n: 3 }), sums('3', {}), sums('4', { n: 'x' }), sums('5', {}, 'nobody looks'), sums('6', { n: 6 })]);
    await bed.ask('POST', 'events/void', own, { subject: 'sums', source: 's', id: '6', reason: 'a test' });
    await bed.ask('POST', 'events/amend', own, { subject: 'sums', source: 's', id: '1', reason: 'a test', data: { n: 10 } });
    const at = (path: string): Promise<Answer> => bed.ask('GET', `reconciliation?from=${path}`, own);
    const received = (await at('2020-01-01T00:00:00Z&to=2099-01-01T00:00:00Z')).body;
    // 8 events and 2 corrections. Nobody has subscribed: 1 as it was amended, 2, 3 and 4 wait for that, 5 waits for a meter.
    expect(received.events).toEqual({ accepted: 10, counted: 0, duplicate: 1, conflict: 1, waiting: 5, excluded: 3, reasons: { no_subscription: 4, no_meter: 1, amended: 1, voided: 1, void: 1 } });
    const sum = (meterKey: string, events: number, value: string): object => (
      { meterKey, fromEnvelopes: events, inBuckets: events, inAllSubjects: events, values: { fromEnvelopes: value, inBuckets: value, inAllSubjects: value }, leftOut: 0, differing: 0, isEqual: true });
    expect(received.meters).toEqual([sum('calls', 4, '4'), sum('tokens', 2, '12')]);
    expect(received.isEqual).toBe(true);
    await bed.service.database.transaction({ role: 'owner' }, (tx) => tx.query(`UPDATE usage_buckets SET events = events + 1 WHERE tenant = 'org_sums:test'`));
    expect((await at('2023-12-04T00:00:00Z&to=2023-12-05T00:00:00Z')).body).toMatchObject({ isEqual: false, events: { accepted: 0 }, meters: [{ fromEnvelopes: 4, inBuckets: 5 }, { fromEnvelopes: 2, inBuckets: 3 }] });
    expect(await at('2023-12-05T00:00:00Z&to=2023-12-04T00:00:00Z')).toMatchObject({ status: 400, body: { code: 'invalid_period' } });
  }, TIMEOUT_MS);

  test('a meter that begins at an instant, and its next version: each counts its own time, and what is before waits', async () => {
    const own = await bed.key('org_from');
    const seen = (id: string, day: number, n: number): object => ({ specversion: '1.0', source: 's', type: 'seen', subject: 'from', id, time: `2023-12-0${day}T00:00:00Z`, data: { n } });
    await bed.send(own, [seen('1', 1, 100), seen('2', 2, 20), seen('3', 3, 3)]);
    const meter = { eventType: 'seen', aggregation: 'sum', valueProperty: '$.n' };
    expect((await bed.ask('POST', 'meters', own, { ...meter, key: 'seen', from: '2023-12-02T00:00:00Z' })).body).toMatchObject({ version: 1, from: '2023-12-02T00:00:00Z' });
    expect(await bed.ask('POST', 'meters/seen/versions', own, { ...meter, from: '2023-12-02T00:00:00Z' })).toMatchObject({ status: 409, body: { code: 'version_too_early' } });
    await bed.ask('POST', 'meters/seen/versions', own, { ...meter, from: '2023-12-03T00:00:00Z', filter: [{ property: '$.n', operator: 'gt', value: 3 }] });
    const reconciled = await eventually('the meter to follow', async (saw) => {
      const { body } = await bed.ask('GET', 'reconciliation?from=2023-01-01T00:00:00Z&to=2099-01-01T00:00:00Z', own);
      saw(body);
      return body.meters[0].isEqual === null ? undefined : body;
    });
    expect(reconciled).toMatchObject({ isEqual: true, meters: [{ fromEnvelopes: 1, inBuckets: 1, isEqual: true }], events: { accepted: 3, waiting: 3, reasons: { no_meter: 1, filtered_out: 1, no_subscription: 1 } } });
    expect((await bed.ask('GET', 'meters/seen/query?subject=from&from=2023-12-01T00:00:00Z&to=2023-12-09T00:00:00Z', own)).body.data[0].value).toBe('20');
  }, TIMEOUT_MS);

  test('a meter that is asked for again with the same key of idempotency is the same', async () => {
    const ask = (): Promise<Answer> => bed.ask('POST', 'meters', key, { ...METER, key: 'again' }, { 'idempotency-key': 'k-1' });
    const [first, second] = [await ask(), await ask()];
    expect(second).toMatchObject({ status: 201, body: first.body });
    expect(second.headers.get('idempotency-replayed')).toBe('true');
  });

  test('F138: what comes in is answered item by item', async () => {
    const answer = await bed.send(key, [completion('x1', 'never', 1), completion('x2', '2020-01-01T00:00:00Z', 1), 5 as never]);
    expect([answer.status, answer.body]).toEqual([202, { accepted: 1, rejected: [{ index: 0, id: 'x1', code: 'invalid_time', detail: expect.any(String), pointer: '/time' }, { index: 2, id: null, code: 'object_expected', detail: expect.any(String), pointer: '' }] }]);
    expect(await bed.send(key, [5 as never])).toMatchObject({ status: 202, body: { accepted: 0 } });
    const single = (body: string, headers: Record<string, string> = { 'content-type': 'application/cloudevents+json' }): Promise<Answer> => bed.ask('POST', 'events', key, body, headers);
    expect(await single(JSON.stringify(completion('x3', '2020-01-01T00:00:00Z', 1)))).toMatchObject({ status: 202, body: { accepted: 1, rejected: [] } });
    expect(await single(JSON.stringify(completion('x4', 'never', 1)))).toMatchObject({ status: 400, body: { code: 'invalid_time' } });
    expect(await single('{"id":')).toMatchObject({ status: 400, body: { code: 'malformed_json' } });
    expect(await single('{"promptTokens":1}', { 'ce-specversion': '1.0', 'ce-id': 'x5', 'ce-source': 'gateway', 'ce-type': 'llm.completion', 'ce-subject': 'acme', 'ce-time': '2020-01-01T00:00:00Z' })).toMatchObject({ status: 202 });
    expect(await single('{"promptTokens":1}', { 'content-type': 'application/json' })).toMatchObject({ status: 400, body: { code: 'not_a_cloud_event' } });
    expect(await single('{"promptTokens":1234567890123456789}', { 'ce-specversion': '1.0', 'ce-id': 'x6', 'ce-source': 'gateway', 'ce-type': 'llm.completion', 'ce-subject': 'acme' })).toMatchObject({ status: 400, body: { code: 'unsafe_number' } });
  });

  test('keys: ingest sends for any subject and reads nothing, publishable for its own, none not at all', async () => {
    const [ingest, publishable] = [await bed.key('org_3', 'ingest'), await bed.key('org_3', 'publishable', ['mine'])];
    expect(await bed.send(ingest, [completion('1', '2020-01-01T00:00:00Z', 1)])).toMatchObject({ status: 202, body: { accepted: 1 } });
    expect(await bed.ask('GET', 'meters', ingest)).toMatchObject({ status: 403 });
    expect(await bed.ask('POST', 'meters', ingest, METER)).toMatchObject({ status: 403 });
    const sent = await bed.send(publishable, [completion('2', '2020-01-01T00:00:00Z', 1), completion('3', '2020-01-01T00:00:00Z', 1, 'code', { subject: 'mine' })]);
    expect(sent.body).toMatchObject({ accepted: 1, rejected: [{ index: 0, code: 'subject_not_allowed' }] });
    expect(await bed.ask('GET', 'meters', undefined)).toMatchObject({ status: 401 });
    const live = await bed.key('org_3', 'secret', undefined, 'live');
    expect((await bed.send(live, [completion('4', '2199-01-01T00:00:00Z', 1)])).body).toMatchObject({ rejected: [{ code: 'time_ahead' }] });
  });

  test('windows, groups, filters and subjects', async () => {
    const day = 'from=2023-11-16T00:00:00Z&to=2023-11-17T00:00:00Z';
    const hour = ['2023-11-16T18:00:00Z', '2023-11-16T19:00:00Z', '2023-11-16T20:00:00Z'];
    expect((await query(day)).body).toMatchObject({ from: '2023-11-16T00:00:00Z', to: '2023-11-17T00:00:00Z', windowSize: null, asOf: expect.stringMatching(/^20/), data: [{ subject: null, groupBy: {}, value: '403' }] });
    expect(rows(await query(`${day}&windowSize=hour&groupBy=model&subject=acme`))).toEqual([
      [hour[0], hour[1], 'acme', { model: 'chat' }, '26'], [hour[0], hour[1], 'acme', { model: 'code' }, '374'], [hour[1], hour[2], 'acme', { model: 'code' }, '1']]);
    expect(rows(await query(`${day}&windowSize=hour&groupBy=subject`))).toEqual([[hour[0], hour[1], 'acme', {}, '400'], [hour[1], hour[2], 'acme', {}, '1'], [hour[1], hour[2], 'beta', {}, '2']]);
    expect(rows(await query(`${day}&filter.model=chat,none`)).map((row) => (row as unknown[])[4])).toEqual(['26']);
    expect(rows(await query(`${day}&subject=acme,beta&filter.model=code`)).map((row) => (row as unknown[])[4])).toEqual(['377']);
    expect(rows(await query('from=2023-11-16T18:15:46.680Z&to=2023-11-16T18:20:00Z'))).toEqual([['2023-11-16T18:15:46.680Z', '2023-11-16T18:20:00Z', null, {}, '374']]);
    expect(rows(await query('from=2023-11-16T18:15:46.680001Z&to=2023-11-16T18:20:00.000001Z'))).toEqual([['2023-11-16T18:15:46.680001Z', '2023-11-16T18:20:00.000001Z', null, {}, '26']]);
    expect(rows(await query('from=2023-11-16T18:14:30Z&to=2023-11-16T18:21:00Z&windowSize=minute'))).toEqual([['2023-11-16T18:15:00Z', '2023-11-16T18:16:00Z', null, {}, '374'], ['2023-11-16T18:20:00Z', '2023-11-16T18:21:00Z', null, {}, '26']]);
    expect(rows(await query('from=2023-11-16T18:00:00Z&to=2023-11-16T19:30:00Z&windowSize=hour&fill=zero&subject=beta'))).toEqual([[hour[0], hour[1], 'beta', {}, '0'], [hour[1], '2023-11-16T19:30:00Z', 'beta', {}, '2']]);
    expect(rows(await query(`${day}&windowSize=day&timezone=Asia/Kathmandu`))).toEqual([['2023-11-16T18:15:00Z', '2023-11-17T00:00:00Z', null, {}, '403']]);
    expect(rows(await query('from=2023-10-20T00:00:00Z&to=2023-12-05T00:00:00Z&windowSize=month&timezone=America/New_York&fill=zero')).map((row) => (row as unknown[]).slice(0, 2))).toEqual([
      ['2023-10-20T00:00:00Z', '2023-11-01T04:00:00Z'], ['2023-11-01T04:00:00Z', '2023-12-01T05:00:00Z'], ['2023-12-01T05:00:00Z', '2023-12-05T00:00:00Z']]);
  });

  test('an answer is remembered for the place of the copy that it was made from, and made anew when anything more is counted', async () => {
    const day = 'from=2023-11-20T00:00:00Z&to=2023-11-21T00:00:00Z&subject=remembered';
    const event = (id: string, tokens: number): object => ({ ...completion(id, '2023-11-20T10:00:00Z', tokens), subject: 'remembered' });
    const becomes = (value: string): Promise<unknown> => eventually(`the answer ${value}`, async (saw) => {
      const seen = ((await query(day)).body as { data: { value: string }[] }).data[0]?.value;
      saw(seen);
      return seen === value ? true : undefined;
    });
    await bed.send(key, [event('remembered 1', 400)]);
    await becomes('400');
    // Behind the back of everybody: an answer that was computed again would have it.
    const bucket = (text: string): Promise<unknown> => bed.service.database.transaction({ role: 'owner' }, (tx) => tx.query(`UPDATE usage_buckets SET total = total ${text} WHERE series IN (SELECT series FROM usage_series WHERE subject = 'remembered')`));
    await bucket('+ 1000');
    await becomes('400');
    await bucket('- 1000');
    await bed.send(key, [event('remembered 2', 5)]);
    await becomes('405');
  });

  test.each([
    ['to=2023-11-17T00:00:00Z', 'invalid_request'], ['from=2023-11-17T00:00:00Z&to=2023-11-17T00:00:00Z', 'invalid_period'], ['from=2023-11-16T00:00:00Z&to=2023-11-17T00:00:00Z&windowSize=year', 'invalid_request'],
    ['from=2023-11-16T00:00:00Z&to=2023-11-17T00:00:00Z&groupBy=colour', 'unknown_dimension'], ['from=2023-11-16T00:00:00Z&to=2023-11-17T00:00:00Z&filter.colour=red', 'unknown_dimension'], ['from=2023-11-16T00:00:00Z&to=2023-11-17T00:00:00Z&colour=red', 'invalid_request'],
    ['from=2023-01-01T00:00:00Z&to=2023-11-17T00:00:00Z&windowSize=minute', 'too_many_windows'], ['from=2023-11-16T00:00:00Z&to=2023-11-17T00:00:00Z&timezone=Mars/Base', 'invalid_request'], ['from=now&to=2023-11-17T00:00:00Z', 'invalid_request'],
  ])('the query %s is refused with %s', async (parameters, code) => {
    expect(await bed.ask('GET', `meters/prompt_tokens/query?${parameters}`, key)).toMatchObject({ status: 400, body: { code } });
  });

  test('what did not go its usual way is listed with the event, page by page', async () => {
    const all = await bed.ask('GET', 'exceptions?subject=acme&meterKey=prompt_tokens', key);
    expect(all.body.data).toMatchObject([{ code: 'invalid_value', id: '5', meterKey: 'prompt_tokens', first: null, event: { data: { promptTokens: 'many' } } }]);
    const conflicts = await bed.ask('GET', 'exceptions?code=conflict', key);
    expect(conflicts.body.data).toMatchObject([{ code: 'conflict', id: '2', first: { index: 1 }, event: { data: { promptTokens: 27 } } }]);
    const first = await bed.ask('GET', 'exceptions?limit=2', key);
    const second = await bed.ask('GET', `exceptions?limit=2&cursor=${first.body.nextCursor}`, key);
    const codes = [...first.body.data, ...second.body.data].map(({ code }: { code: string }) => code);
    expect(codes.filter((code) => code === 'duplicate')).toHaveLength(1);
    expect(codes.filter((code) => code === 'conflict')).toHaveLength(1);
    expect((await bed.ask('GET', 'exceptions', other)).body.data).toEqual([]);
  });

  test('a statement names its buckets and exactly its events, and another tenant has none', async () => {
    const usage = [{ subject: 'acme', from: '2023-11-16T18:15:46.680Z', to: '2023-11-17T00:00:00Z' }, { subject: 'beta', from: '2023-11-16T00:00:00Z', to: '2023-11-16T19:07:30Z' }];
    const question = { requestId: 'req_1', subscriptionId: 'sub_1', chargeKey: 'prompt', meterKey: 'prompt_tokens', meterVersion: 1, usage, groupBy: ['model'] };
    await bed.request('org_1:test', [question], '2023-12-01T00:00:00Z');
    const id = statementIdOf('org_1:test', 'req_1');
    const statement = await eventually('the statement', async (saw) => {
      const answer = await bed.ask('GET', `statements/${id}`, key);
      saw(answer.body);
      return answer.status === 200 ? answer.body : undefined;
    });
    expect(statement).toMatchObject({ id, subscriptionId: 'sub_1', quantities: [{ groupBy: { model: 'chat' }, value: '26', events: 1 }, { groupBy: { model: 'code' }, value: '375', events: 2 }], buckets: `/api/v1/usage/statements/${id}/buckets`, evidence: expect.stringMatching(/^[0-9a-f]{64}$/) });
    await bed.send(key, [completion('late', '2023-11-16T18:30:00Z', 1_000)]);
    await query('from=2023-11-16T18:30:00Z&to=2023-11-16T18:45:00Z', ({ body }) => body.data[0]?.value === '1000');
    const ids: string[] = [];
    let cursor = '';
    do {
      const { body } = await bed.ask('GET', `statements/${id}/events?limit=1${cursor}`, key);
      ids.push(...body.data.map((event: { id: string; value: string }) => `${event.id} ${event.value}`));
      cursor = body.hasMore ? `&cursor=${body.nextCursor}` : '';
    } while (cursor !== '');
    expect(ids).toEqual(['1 374', '2 26', '3 1']);
    expect((await bed.ask('GET', statement.buckets, key)).body.data).toEqual([
      { subject: 'acme', from: '2023-11-16T18:15:46.680Z', to: '2023-11-16T18:30:00Z', sealed: false, quantities: [{ groupBy: { model: 'chat' }, value: '26', events: 1 }, { groupBy: { model: 'code' }, value: '374', events: 1 }] },
      { subject: 'acme', from: '2023-11-16T19:00:00Z', to: '2023-11-16T19:15:00Z', sealed: false, quantities: [{ groupBy: { model: 'code' }, value: '1', events: 1 }] }]);
    expect(await bed.ask('GET', `statements/${id}`, other)).toMatchObject({ status: 404, body: { code: 'statement_not_found' } });
    expect(await bed.ask('GET', `statements/${id}/events`, other)).toMatchObject({ status: 404 });
    expect((await bed.ask('GET', `/internal/v1/usage/statements/${id}/recompute?tenant=org_1:test`, 'service-token')).body).toMatchObject({ evidence: statement.evidence });
    expect((await bed.ask('POST', '/internal/v1/usage/quantities', 'service-token', { tenant: 'org_1:test', meterKey: 'prompt_tokens', usage: [usage[0]], groupBy: [] })).body).toMatchObject({ quantities: [{ group: {}, value: '1401', events: 4 }] });
    expect(await bed.ask('GET', `/internal/v1/usage/statements/${id}/recompute?tenant=org_1:test`, key)).toMatchObject({ status: 403 });
  }, TIMEOUT_MS);
});
