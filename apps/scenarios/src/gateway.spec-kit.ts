import { createServer, request, type Server } from 'node:http';
import type { ServiceName } from '@valueverse/contracts';

/** Which service serves a path, as an ingress has it. */
const PREFIXES: readonly (readonly [string, ServiceName])[] = [
  ['/api/v1/usage', 'usage'], ['/api/v1/billing', 'billing'], ['/api/v1/operator', 'billing'], ['/api/v1/payments', 'payments'], ['/api/v1/notifications', 'notifications'],
];

/** Four services behind one address. */
export const startGateway = (port: number, ports: Readonly<Record<ServiceName, number>>): Promise<Server> => new Promise((resolve) => {
  const server = createServer((incoming, outgoing) => {
    const service = PREFIXES.find(([prefix]) => incoming.url?.startsWith(prefix))?.[1] ?? 'billing';
    const forwarded = request({ host: '127.0.0.1', port: ports[service], method: incoming.method, path: incoming.url, headers: incoming.headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
    });
    forwarded.on('error', () => { outgoing.writeHead(502).end(); });
    incoming.pipe(forwarded);
  });
  server.listen(port, '127.0.0.1', () => resolve(server));
});
