import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { newContext, runInContext } from '@valueverse/event-log';
import { ServiceClient } from './service-client';

test('the other service is asked as part of the trace of the work at hand', async () => {
  const asked: IncomingHttpHeaders[] = [];
  const server = createServer((request, response) => { asked.push(request.headers); response.setHeader('content-type', 'application/json').end('{"ok":true}'); });
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  const client = new ServiceClient(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, 'service-token');
  const context = newContext();
  expect(await runInContext(context, () => client.get('/x'))).toEqual({ ok: true });
  expect(await client.get('/x')).toEqual({ ok: true });
  expect(asked.map(({ traceparent, authorization }) => [traceparent, authorization])).toEqual([[context.traceparent, 'Bearer service-token'], [undefined, 'Bearer service-token']]);
  server.closeAllConnections();
  server.close();
});
