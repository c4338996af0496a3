import { Agent, get, type IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { Body, Controller, Get, Header, HttpCode, HttpException, Inject, Module, Param, Post, Query, Req, StreamableFile, UseGuards } from '@nestjs/common';
import { ApiOkResponse } from '@nestjs/swagger';
import { type Clock, fixedClock, Refused } from '@valueverse/kernel';
import { eventually } from '@valueverse/testing';
import { HealthRegistry } from '../health/registry';
import { createLogger } from '../logging/logger';
import { Problem } from '../problem/problem';
import { registerRefusals } from '../problem/refusals';
import { RateLimit, RateLimitGuard } from '../rate-limit/rate-limit.guard';
import { CLOCK } from '../tokens';
import {
  CurrencyField, DecimalString, Flag, Free, InstantField, Key, ListOf, Metadata, MoneyString, Nested, OneOf, Text, TextList, Whole, ZoneField,
} from './fields';
import { BODY_BYTES_MAX, createHost, type Host, PortTaken } from './host';
import { Cursors, PageQuery } from './pagination';
import type { RawRoutes } from './raw-routes';
import { requestContext } from './request-context';

class Line {
  @DecimalString() quantity!: string;
  @Text({ optional: true, max: 5 }) note?: string;
}
class Order {
  @Key() key!: string;
  @MoneyString({ optional: true }) amount?: string;
  @CurrencyField({ optional: true }) currency?: string;
  @ZoneField({ optional: true }) zone?: string;
  @InstantField({ optional: true }) at?: string;
  @OneOf(['monthly', 'yearly'], { optional: true }) interval?: string;
  @Whole({ optional: true, min: 1, max: 9 }) count?: number;
  @Flag({ optional: true }) draft?: boolean;
  @Nested(() => Line, { optional: true }) line?: Line;
  @ListOf(() => Line, { optional: true, max: 2 }) lines?: Line[];
  @TextList({ optional: true }) names?: string[];
  @Metadata() metadata?: Record<string, string>;
  @Free({ optional: true }) data?: unknown;
}

let release: () => void = () => undefined;
const held = new Promise<void>((resolve) => { release = resolve; });
let end: () => void = () => undefined;
const ended = new Promise<void>((resolve) => { end = resolve; });
async function* inTwoParts(): AsyncGenerator<string> { yield 'beginning '; await ended; yield 'end'; }

@Controller('api/v1/orders')
class OrdersController {
  constructor(@Inject(CLOCK) private readonly clock: Clock, private readonly cursors: Cursors) {}

  @Post() create(@Body() order: Order) { return order; }
  @Get() list(@Query() query: PageQuery) {
    const after = this.cursors.read(query.cursor, 'orders of t1');
    const from = Number(after?.[0] ?? 0);
    const rows = [1, 2, 3, 4, 5].filter((n) => n > from).slice(0, query.limit + 1);
    return this.cursors.page(rows, query, 'orders of t1', (n) => [String(n)], (n) => ({ n }));
  }
  @Get('now') @Header('Cache-Control', 'max-age=5') @ApiOkResponse({ description: 'The time' }) now() { return { now: this.clock.now() }; }
  @Get('context') context() { return { ...requestContext() }; }
  @Post('context') contextBehindBody(@Body() _order: Order) { return { traceId: requestContext()?.traceId }; }
  @Post('raw') @HttpCode(200) raw(@Req() request: { rawBody: Buffer }, @Body() body: unknown) { return { raw: request.rawBody.toString(), body }; }
  @Get('refused/:code') refused(@Param('code') code: string) { throw new Refused(code, 'the rule says no', '/amount'); }
  @Get('broken') broken() { throw new Error('password=hunter2 at db.internal'); }
  @Get('slow') async slow() { await held; return { done: true }; }
  @Get('long') long() { return new StreamableFile(Readable.from(inTwoParts(), { objectMode: false })); }
  @Get('gone') gone() { throw new HttpException('it was deleted', 404); }
  @Get('busy') busy() { throw new Problem(503, 'not_yet_known', 'wait', { retryAfterSeconds: 1.2 }); }
  @Get('limited') @UseGuards(RateLimitGuard) @RateLimit({ name: 'default', quota: 2, windowSeconds: 60 }) limited() { return {}; }
}
@Module({ controllers: [OrdersController] })
class OrdersModule {}

/** A route beside Nest, on a path that Nest serves by another method. */
const beside: RawRoutes = {
  paths: { '/api/v1/orders/gone': { put: { operationId: 'ordersPut', responses: { 200: { description: 'put' } } } } },
  register: (scope, { clock }) => {
    scope.addContentTypeParser('text/plain', { parseAs: 'string' }, (_request, body, done) => done(null, body));
    scope.put('/api/v1/orders/gone', async ({ body }) => {
      if (body === 'broken') throw new Error('password=hunter2 at db.internal');
      return { body, now: clock.now(), traceId: requestContext()?.traceId };
    });
  },
};

const lines: string[] = [];
let host: Host;
const open = (more: { port?: number; health?: HealthRegistry; drainMs?: number } = {}) => createHost({
  service: 'orders', module: OrdersModule, port: 0, cursorSecret: 'a secret of this test', clock: fixedClock('2026-10-01T00:00:00Z'),
  logger: createLogger({ service: 'orders', level: 'debug', destination: { write: (line: string) => { lines.push(line); } } }),
  docs: { title: 'Orders', version: '1' }, routes: [beside], ...more,
});
beforeAll(async () => {
  registerRefusals({ order_unknown: 404 });
  host = await open();
}, 60_000);
afterAll(() => host.close());

const send = async (method: 'GET' | 'POST' | 'PUT' | 'DELETE' | 'HEAD', url: string, payload?: unknown, headers: Record<string, string> = {}) => {
  const text = payload === undefined || typeof payload === 'string' || Buffer.isBuffer(payload);
  const response = await host.app.inject({
    method, url, headers: { ...(payload === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    ...(payload === undefined ? {} : { payload: text ? payload as string : JSON.stringify(payload) }),
  });
  const isJson = String(response.headers['content-type']).includes('json');
  return { status: response.statusCode, headers: response.headers, text: response.payload, body: (isJson && response.payload ? JSON.parse(response.payload) : {}) as Record<string, never> };
};

describe('problems', () => {
  test('a path that is not there', async () => {
    const { status, headers, body } = await send('GET', '/api/v1/nowhere?key=secret');
    expect(status).toBe(404);
    expect(headers['content-type']).toBe('application/problem+json');
    expect(body).toEqual({
      type: '/docs/problems#not_found', title: 'Not found', status: 404, detail: 'there is no such path', instance: '/api/v1/nowhere', code: 'not_found', traceId: headers['x-request-id'],
    });
  });

  test.each<[string, number, string, () => ReturnType<typeof send>]>([
    ['a method that is not served', 405, 'method_not_allowed', () => send('DELETE', '/api/v1/orders')],
    ['a method that is not served under a parameter', 405, 'method_not_allowed', () => send('DELETE', '/api/v1/orders/refused/x')],
    ['a 404 of a handler', 404, 'not_found', () => send('GET', '/api/v1/orders/gone')],
    ['text that is not JSON', 400, 'malformed_json', () => send('POST', '/api/v1/orders', '{"key":')],
    ['bytes that are not UTF-8', 400, 'malformed_json', () => send('POST', '/api/v1/orders', Buffer.from([0x22, 0xff, 0x22]))],
    ['a body without end in depth', 400, 'too_deep', () => send('POST', '/api/v1/orders', `{"data":${'['.repeat(40)}${']'.repeat(40)}}`)],
    ['a content type that is not taken', 415, 'unsupported_media_type', () => send('POST', '/api/v1/orders', '<a/>', { 'content-type': 'application/xml' })],
    ['a form', 415, 'unsupported_media_type', () => send('POST', '/api/v1/orders', 'a=b', { 'content-type': 'application/x-www-form-urlencoded' })],
    ['a body that is too large', 413, 'body_too_large', () => send('POST', '/api/v1/orders', ' '.repeat(BODY_BYTES_MAX + 1))],
    ['a broken rule', 409, 'order_closed', () => send('GET', '/api/v1/orders/refused/order_closed')],
    ['a refusal with a status of its own', 404, 'order_unknown', () => send('GET', '/api/v1/orders/refused/order_unknown')],
    ['a refusal of the kernel', 400, 'invalid_decimal', () => send('GET', '/api/v1/orders/refused/invalid_decimal')],
    ['what nobody foresaw', 500, 'internal_error', () => send('GET', '/api/v1/orders/broken')],
    ['a path that cannot be decoded', 400, 'bad_url', () => send('GET', '/api/v1/%ff')],
  ])('%s: %s %s', async (_what, status, code, request) => {
    const answer = await request();
    expect(answer).toMatchObject({ status, body: { status, code, instance: expect.stringMatching(/^\//) as string, traceId: expect.stringMatching(/^[0-9a-f]{32}$/) as string } });
    expect(answer.headers['content-type']).toBe('application/problem+json');
    expect(answer.headers['x-content-type-options']).toBe('nosniff');
    expect(answer.text).not.toMatch(/hunter2|internal\b.*db|node_modules/);
  });

  test('a wrong method names the right ones, a wait says how long', async () => {
    expect((await send('DELETE', '/api/v1/orders')).headers['allow']).toBe('GET, HEAD, POST');
    expect((await send('GET', '/api/v1/orders/busy')).headers['retry-after']).toBe('2');
  });

  test('a refusal points at its field', async () => {
    expect((await send('GET', '/api/v1/orders/refused/order_closed')).body['errors']).toEqual([{ pointer: '/amount', code: 'order_closed', detail: 'the rule says no' }]);
  });

  test('a refusal has one status', () => expect(() => registerRefusals({ order_unknown: 409 })).toThrow(/404/));
});

describe('validation', () => {
  test.each<[string, unknown, string, string]>([
    ['a missing field', {}, '/key', 'missing_field'],
    ['null, which is absent', { key: null }, '/key', 'missing_field'],
    ['no body at all', '', '/key', 'missing_field'],
    ['an unknown field', { key: 'k', tenantId: 'x' }, '/tenantId', 'unknown_field'],
    ['a name that reaches into the prototype', '{"key":"k","__proto__":{"a":1}}', '/__proto__', 'unknown_field'],
    ['the same with an escape', '{"key":"k","\\u005f_proto__":{"a":1}}', '/__proto__', 'unknown_field'],
    ['a constructor deep inside', { key: 'k', data: { a: { constructor: 1 } } }, '/data/a/constructor', 'unknown_field'],
    ['a key with a blank', { key: 'a b' }, '/key', 'invalid_key'],
    ['a long key', { key: 'k'.repeat(257) }, '/key', 'too_long'],
    ['money as a number', { key: 'k', amount: 12.34 }, '/amount', 'decimal_string_expected'],
    ['money as an exponent', { key: 'k', amount: '1e3' }, '/amount', 'decimal_string_expected'],
    ['negative money', { key: 'k', amount: '-1' }, '/amount', 'below_minimum'],
    ['an unknown currency', { key: 'k', currency: 'usd' }, '/currency', 'unknown_currency'],
    ['an unknown zone', { key: 'k', zone: 'Mars/Base' }, '/zone', 'unknown_zone'],
    ['a time without an offset', { key: 'k', at: '2026-10-01T00:00:00' }, '/at', 'invalid_time'],
    ['a word that is none of ours', { key: 'k', interval: 'weekly' }, '/interval', 'invalid_value'],
    ['a half', { key: 'k', count: 1.5 }, '/count', 'whole_number_expected'],
    ['too much', { key: 'k', count: 10 }, '/count', 'above_maximum'],
    ['a flag in words', { key: 'k', draft: 'true' }, '/draft', 'boolean_expected'],
    ['a fault inside', { key: 'k', line: { quantity: 1 } }, '/line/quantity', 'decimal_string_expected'],
    ['an unknown field inside', { key: 'k', line: { quantity: '1', x: 1 } }, '/line/x', 'unknown_field'],
    ['a text for an object', { key: 'k', line: 'x' }, '/line', 'object_expected'],
    ['a list for an object', { key: 'k', line: [] }, '/line', 'object_expected'],
    ['a fault in a list', { key: 'k', lines: [{ quantity: '1' }, { quantity: '1', note: 'longer' }] }, '/lines/1/note', 'too_long'],
    ['a null in a list', { key: 'k', lines: [null] }, '/lines/0', 'object_expected'],
    ['a long list', { key: 'k', lines: [1, 2, 3] }, '/lines', 'too_many'],
    ['an object for a list', { key: 'k', lines: {} }, '/lines', 'list_expected'],
    ['a number among texts', { key: 'k', names: ['a', 1] }, '/names/1', 'string_expected'],
    ['metadata that is not text', { key: 'k', metadata: { 'a/b': 1 } }, '/metadata/a~1b', 'string_expected'],
    ['a text that turns its direction', { key: 'k', names: ['\u202eabc'] }, '/names/0', 'invalid_characters'],
  ])('%s', async (_what, payload, pointer, code) => {
    expect(await send('POST', '/api/v1/orders', payload)).toMatchObject({ status: 400, body: { code: 'invalid_request', errors: [{ pointer, code }] } });
  });

  test('every fault comes at once', async () => {
    const { body } = await send('POST', '/api/v1/orders', { amount: 1, zone: 'x', other: 1 });
    expect((body['errors'] as unknown as { code: string }[]).map(({ code }) => code).sort()).toEqual(['decimal_string_expected', 'missing_field', 'unknown_field', 'unknown_zone']);
  });

  test('what is well formed arrives, instants in UTC, free data as it is, null as absent', async () => {
    const { status, body } = await send('POST', '/api/v1/orders', {
      key: 'k', amount: '12.30', at: '2026-10-01T02:00:00+02:00', zone: null, line: { quantity: '0.0000025' }, metadata: { a: 'b' }, data: { deep: [null, { n: 1 }] },
    });
    expect(status).toBe(201);
    expect(body).toMatchObject({ key: 'k', amount: '12.30', line: { quantity: '0.0000025' }, metadata: { a: 'b' }, data: { deep: [null, { n: 1 }] } });
    expect(body['at']).toMatch(/^2026-10-01T00:00:00(\.0+)?Z$/);
    expect(body).not.toHaveProperty('zone');
  });

  test('cloud events are JSON too and their bytes are kept', async () => {
    const payload = '{ "specversion": "1.0" }';
    for (const type of ['application/cloudevents+json; charset=UTF-8', 'application/cloudevents-batch+json', 'application/json']) {
      expect((await send('POST', '/api/v1/orders/raw', payload, { 'content-type': type })).body).toEqual({ raw: payload, body: { specversion: '1.0' } });
    }
  });
});

describe('pages', () => {
  test('a list is read to its end', async () => {
    const first = (await send('GET', '/api/v1/orders?limit=2')).body as unknown as { nextCursor: string };
    expect(first).toMatchObject({ data: [{ n: 1 }, { n: 2 }], hasMore: true });
    const last = await send('GET', `/api/v1/orders?cursor=${first.nextCursor}`);
    expect(last.body).toEqual({ data: [{ n: 3 }, { n: 4 }, { n: 5 }], hasMore: false, nextCursor: null });
  });

  test.each(['0', '101', 'x', '1.5'])('a limit of %s is refused', async (limit) => {
    expect(await send('GET', `/api/v1/orders?limit=${limit}`)).toMatchObject({ status: 400, body: { errors: [{ pointer: '/limit' }] } });
  });
  test('a parameter that comes twice is refused', async () => expect((await send('GET', '/api/v1/orders?limit=1&limit=2')).status).toBe(400));

  test('a cursor that was changed, made up, or given by another list is refused', async () => {
    const other = new Cursors('a secret of this test').write(['2'], 'orders of t2');
    const first = (await send('GET', '/api/v1/orders?limit=2')).body as unknown as { nextCursor: string };
    const changed = first.nextCursor.slice(0, -2) + (first.nextCursor.endsWith('AA') ? 'BB' : 'AA');
    for (const cursor of [other, changed, 'x', '', 'a.b', `${first.nextCursor}=`]) {
      expect(await send('GET', `/api/v1/orders?cursor=${cursor}`)).toMatchObject({ status: 400 });
    }
    expect((await send('GET', `/api/v1/orders?cursor=${other}`)).body['code']).toBe('invalid_cursor');
  });
});

describe('every response', () => {
  test('carries the security headers, and a handler has the last word on caching', async () => {
    const { headers } = await send('GET', '/api/v1/orders/now');
    expect(headers).toMatchObject({
      'strict-transport-security': 'max-age=31536000; includeSubDomains', 'x-content-type-options': 'nosniff', 'referrer-policy': 'no-referrer',
      'cross-origin-opener-policy': 'same-origin', 'cache-control': 'max-age=5', 'content-security-policy': expect.stringContaining("default-src 'none'") as string,
    });
    expect(headers).not.toHaveProperty('x-powered-by');
    expect((await send('GET', '/api/v1/nowhere')).headers['cache-control']).toBe('no-store');
  });

  test('goes on with the trace of the caller, behind the body too', async () => {
    const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
    const headers = { traceparent: `00-${traceId}-00f067aa0ba902b7-01` };
    const { body } = await send('GET', '/api/v1/orders/context', undefined, headers);
    expect(body).toMatchObject({ traceId, traceparent: expect.stringMatching(new RegExp(`^00-${traceId}-(?!00f067aa0ba902b7)[0-9a-f]{16}-01$`)) as string });
    expect((await send('POST', '/api/v1/orders/context', { key: 'k' }, headers)).body).toEqual({ traceId });
  });

  test.each(['', 'rubbish', `00-${'0'.repeat(32)}-00f067aa0ba902b7-01`, `ff-${'1'.repeat(32)}-00f067aa0ba902b7-01`])('begins a trace for "%s"', async (traceparent) => {
    const { body } = await send('GET', '/api/v1/orders/context', undefined, { traceparent });
    expect(body['traceId']).toMatch(/^(?!0{32}|1{32})[0-9a-f]{32}$/);
  });
});

test('the log has the trace, the cause of a 500, and no secret', async () => {
  lines.length = 0;
  await send('GET', '/api/v1/orders/broken?key=vv_test_sk_abc', undefined, { authorization: 'Bearer vv_live_sk_abcdefgh_1234' });
  const logged = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(logged).toContainEqual(expect.objectContaining({ level: 'error', service: 'orders', message: 'a request failed unexpectedly', traceId: expect.stringMatching(/^[0-9a-f]{32}$/) as string }));
  expect(lines.join('')).not.toContain('vv_live_sk_abcdefgh_1234');
  expect(lines.join('')).not.toContain('vv_test_sk_abc');
});

test('a rate limit counts down, then refuses with the time to wait', async () => {
  expect((await send('GET', '/api/v1/orders/limited')).headers).toMatchObject({ 'ratelimit-policy': '"default";q=2;w=60', 'ratelimit': '"default";r=1;t=30' });
  await send('GET', '/api/v1/orders/limited');
  const refused = await send('GET', '/api/v1/orders/limited', undefined, { 'x-forwarded-for': '203.0.113.7' });
  expect(refused).toMatchObject({ status: 429, body: { code: 'rate_limited' } });
  expect(Number(refused.headers['retry-after'])).toBeGreaterThan(20);
});

test('metrics are told by route, not by path', async () => {
  await send('GET', '/api/v1/orders/refused/some_code');
  const { text, headers } = await send('GET', '/metrics');
  expect(headers['content-type']).toContain('text/plain');
  expect(text).toContain('valueverse_http_request_duration_seconds_count{method="GET",route="/api/v1/orders/refused/:code",status="409"}');
});

test('the document is OpenAPI 3.1 with stable ids, and its page is served', async () => {
  const { body } = await send('GET', '/docs/openapi.json');
  expect(body).toMatchObject({
    openapi: '3.1.0', components: { securitySchemes: { bearer: { type: 'http' } }, schemas: { Problem: {}, Order: { required: ['key'] } } },
    paths: { '/api/v1/orders': { get: { operationId: 'ordersList', responses: { default: { content: { 'application/problem+json': {} } } } }, post: { operationId: 'ordersCreate' } } },
  });
  const page = await send('GET', '/docs');
  expect(page.status).toBeLessThan(400);
  expect(page.headers['content-security-policy']).toContain("script-src 'self'");
});

test('a route beside Nest has its own parsers, and everything else of the host', async () => {
  const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
  const put = (text: string, type = 'text/plain') => send('PUT', '/api/v1/orders/gone', text, { 'content-type': type, 'traceparent': `00-${traceId}-00f067aa0ba902b7-01` });
  const { status, headers, body } = await put('hello');
  expect([status, headers['x-request-id'], headers['x-content-type-options'], body]).toEqual([200, traceId, 'nosniff', { body: 'hello', now: '2026-10-01T00:00:00Z', traceId }]);
  expect((await put('{}', 'application/json')).body).toMatchObject({ status: 415, code: 'unsupported_media_type', traceId });
  const broken = await put('broken');
  expect([broken.body, broken.headers['content-type']]).toEqual([expect.objectContaining({ status: 500, code: 'internal_error', traceId }), 'application/problem+json']);
  expect(broken.text).not.toContain('hunter2');
  const wrong = await send('DELETE', '/api/v1/orders/gone');
  expect([wrong.status, wrong.headers['allow']]).toEqual([405, 'GET, HEAD, PUT']);
  expect((await send('GET', '/metrics')).text).toContain('valueverse_http_request_duration_seconds_count{method="PUT",route="/api/v1/orders/gone",status="200"}');
  const { paths } = (await send('GET', '/docs/openapi.json')).body as unknown as { paths: Record<string, Record<string, { operationId: string; responses: object }>> };
  expect(Object.entries(paths['/api/v1/orders/gone']!).map(([method, { operationId, responses }]) => `${method} ${operationId} ${'default' in responses}`)).toEqual(['get ordersGone true', 'put ordersPut true']);
});

describe('health', () => {
  test('live needs nobody, ready needs every part, and both end well', async () => {
    const health = new HealthRegistry();
    let fault: string | undefined = 'no connection';
    health.register('database', () => { if (fault) throw new Error(fault); });
    const other = await open({ health });
    const get = async (path: string) => { const { statusCode, payload } = await other.app.inject({ method: 'GET', url: path }); return [statusCode, JSON.parse(payload)] as [number, object]; };
    expect(await get('/health/live')).toEqual([200, { status: 'ok' }]);
    expect((await get('/health/startup'))[0]).toBe(503);
    health.markStarted();
    expect((await get('/health/startup'))[0]).toBe(200);
    expect(await get('/health/ready')).toMatchObject([503, { status: 'error', error: { database: { status: 'down', reason: 'no connection' } } }]);
    expect(await get('/health')).toMatchObject([200, { status: 'error', draining: false }]);
    fault = undefined;
    expect(await get('/health/ready')).toMatchObject([200, { status: 'ok', info: { database: { status: 'up' } } }]);
    health.drain();
    expect(await get('/health/ready')).toEqual([503, { status: 'draining' }]);
    expect((await get('/health/live'))[0]).toBe(200);
    expect(() => health.register('database', () => undefined)).toThrow();
    await other.close();
  });
});

test('a taken port is told by its number, and a closed host gives it back', async () => {
  const first = await open();
  const address = await first.listen();
  const port = Number(new URL(address).port);
  const second = await open({ port });
  await expect(second.listen()).rejects.toEqual(new PortTaken(port));
  expect((await fetch(`${address}/health/live`)).status).toBe(200);
  await first.close();
  const third = await open({ port });
  await eventually('the port to be free', () => third.listen());
  await Promise.all([second.close(), third.close()]);
});

test('a host closes though a client keeps its connection, whose answer began before and ended after', async () => {
  const closing = await open({});
  closing.health.markStarted();
  const address = await closing.listen();
  const agent = new Agent({ keepAlive: true });
  const answer = await new Promise<IncomingMessage>((resolve, reject) => { get(`${address}/api/v1/orders/long`, { agent }, resolve).once('error', reject); });
  expect(answer.headers.connection).toBe('keep-alive');
  const closed = closing.close();
  await eventually('the host to stop listening', async () => fetch(`${address}/health/live`).then(() => undefined, () => true));
  end();
  expect(Buffer.concat(await answer.toArray()).toString()).toBe('beginning end');
  // Left open it would hold up the end until all connections are cut, which is longer than this test may take.
  await closed;
  agent.destroy();
}, 10_000);

test('a host that closes says so first and still answers what is on its way', async () => {
  const closing = await open({ drainMs: 300 });
  closing.health.markStarted();
  const address = await closing.listen();
  const slow = fetch(`${address}/api/v1/orders/slow`);
  const closed = closing.close();
  expect((await fetch(`${address}/health/ready`)).status).toBe(503);
  await eventually('the host to stop listening', async () => fetch(`${address}/health/live`).then(() => undefined, () => true));
  release();
  expect(await (await slow).json()).toEqual({ done: true });
  await closed;
});
