import { createServer, request, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { eventually } from '@valueverse/testing';
import { startGateway, type Gateway } from './gateway';
import { backendOf } from './routes';

interface Answer { readonly status: number; readonly body: string; readonly headers: Headers }
const servers: Server[] = [];
let gateway: Gateway | undefined;
afterEach(async () => {
  await gateway?.close();
  gateway = undefined;
  for (const server of servers.splice(0)) { server.closeAllConnections(); server.close(); }
});

/** A replica that says its name, unless `serve` says something else; its readiness can be set. */
const replica = async (name: string, serve?: RequestListener, isSilent = () => false) => {
  const state = { ready: true, draining: false, served: 0 };
  const server = createServer((incoming, outgoing) => {
    if (incoming.url === '/health/ready' && isSilent()) { incoming.socket.destroy(); return; }
    if (incoming.url === '/health/ready') { outgoing.writeHead(state.ready ? 200 : 503).end(JSON.stringify({ status: state.draining ? 'draining' : 'error' })); return; }
    state.served++;
    if (serve !== undefined) serve(incoming, outgoing);
    else outgoing.end(name);
  });
  servers.push(server);
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { url, state, close: () => { server.closeAllConnections(); server.close(); } };
};
const open = async (billing: readonly string[], more: Record<string, readonly string[]> = {}): Promise<void> => { gateway = await startGateway({ port: 0, targets: { billing, ...more } }); };
const ask = async (path: string, init: RequestInit = {}): Promise<Answer> => {
  const response = await fetch(`http://127.0.0.1:${gateway!.port}${path}`, init);
  return { status: response.status, body: await response.text(), headers: response.headers };
};
const post = (path: string, body = 'x') => ask(path, { method: 'POST', body });

test('a path leads to its service, the log of each service to that one, and what is private nowhere', () => {
  expect(['/api/v1/usage/events', '/api/v1/payments/methods?x=1', '/api/v1/notifications', '/api/v1/billing', '/api/v1/operator/log/usage', '/api/v1/operator/log/payments/verify', '/mail', '/mail.json', '/docs', '/api/v1/usages']
    .map(backendOf)).toEqual(['usage', 'payments', 'notifications', 'billing', 'usage', 'payments', 'inbox', 'inbox', 'billing', 'billing']);
  expect(['/internal/v1/clocks/x', '/metrics'].map(backendOf)).toEqual([undefined, undefined]);
});

test('replicas take turns; one that is not ready or that refuses is passed over, even for a request that writes', async () => {
  const [a, b] = [await replica('a'), await replica('b')];
  await open([a.url, b.url]);
  expect((await Promise.all([post('/'), post('/'), post('/'), post('/')])).map(({ body }) => body).sort()).toEqual(['a', 'a', 'b', 'b']);
  a.state.ready = false;
  await eventually('the gateway to hear of it', async (saw) => { const { body } = await ask('/health'); saw(body); return body.includes('it answers 503') || undefined; });
  expect((await Promise.all([post('/'), post('/')])).map(({ body }) => body)).toEqual(['b', 'b']);
  a.state.ready = true;
  await eventually('both to be ready', async () => ((await ask('/health')).body.includes('"ready":2') ? true : undefined));
  b.close();
  // It is not looked at between the two lines: the refusal itself is what the gateway goes by.
  expect((await Promise.all(Array.from({ length: 6 }, () => post('/')))).map(({ status, body }) => `${status} ${body}`)).toEqual(Array(6).fill('200 a'));
});

test('a request that was sent and not answered is repeated only if it reads', async () => {
  const [bad, good] = [await replica('bad', (incoming) => { incoming.socket.destroy(); }), await replica('good')];
  await open([bad.url, good.url]);
  const read = await Promise.all([ask('/'), ask('/')]);
  expect(read.map(({ status, body }) => `${status} ${body}`)).toEqual(['200 good', '200 good']);
  const written = await Promise.all([post('/a'), post('/a')]);
  expect(written.map(({ status }) => status).sort()).toEqual([200, 502]);
  const lost = written.find(({ status }) => status === 502)!;
  expect(lost.headers.get('content-type')).toBe('application/problem+json');
  expect(JSON.parse(lost.body)).toMatchObject({ status: 502, code: 'connection_lost', instance: '/a' });
  expect(bad.state.served + good.state.served).toBe(3 + 2);
});

test('one that is on its way out gets nothing; one that is unfit is asked when nobody else is there; without anybody it is 503', async () => {
  const only = await replica('only');
  only.state.ready = false;
  await open([only.url]);
  expect(await post('/')).toMatchObject({ status: 200, body: 'only' });
  expect((await ask('/health/ready')).status).toBe(503);
  only.state.draining = true;
  const refused = await eventually('the gateway to refuse', async () => { const answer = await post('/'); return answer.status === 503 ? answer : undefined; });
  expect(JSON.parse(refused.body)).toMatchObject({ code: 'nobody_there', detail: 'no replica of billing is ready' });
  expect(refused.headers.get('retry-after')).toBe('1');
  expect((await ask('/internal/v1/clocks/x')).status).toBe(404);
});

test('a read that waits for a replica which fell silent is asked elsewhere', async () => {
  let isSilent = false;
  const mute = await replica('mute', () => undefined, () => isSilent);
  const other = await replica('other');
  other.state.draining = true;
  other.state.ready = false;
  await open([mute.url, other.url]);
  const waiting = ask('/');
  await eventually('the request to be with the one that will fall silent', () => mute.state.served || undefined);
  other.state.ready = true;
  await eventually('both to be ready', async () => ((await ask('/health')).body.includes('"ready":2') ? true : undefined));
  isSilent = true;
  expect(await waiting).toMatchObject({ status: 200, body: 'other' });
}, 20_000);

test('bodies pass through in both directions as they come, with the address of the client', async () => {
  const echo = await replica('echo', (incoming, outgoing) => { outgoing.writeHead(201, { 'x-from': String(incoming.headers['x-forwarded-for']) }); incoming.pipe(outgoing); });
  await open([echo.url]);
  const large = 'x'.repeat(3_000_000);
  const answer = await post('/', large);
  expect(answer.status).toBe(201);
  expect(answer.body).toBe(large);
  expect(answer.headers.get('x-from')).toBe('127.0.0.1');
  const parts = await new Promise<string[]>((resolve, reject) => {
    // The first half comes back before the second one is sent.
    const halves = request({ port: gateway!.port, method: 'POST', path: '/', agent: false }, (response) => {
      const heard: string[] = [];
      response.on('data', (chunk: Buffer) => { if (heard.push(chunk.toString()) === 1) halves.end('second'); });
      response.once('end', () => resolve(heard));
    });
    halves.once('error', reject);
    halves.write('first');
  });
  expect(parts).toEqual(['first', 'second']);
});
