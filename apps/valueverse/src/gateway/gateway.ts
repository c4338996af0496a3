import { Agent, createServer, type RequestListener, type Server, type ServerResponse } from 'node:http';
import { forward } from './forward';
import { sendProblem } from './problems';
import { Replicas } from './replicas';
import { backendOf, type Backend } from './routes';

export interface GatewayOptions {
  readonly port: number;
  readonly address?: string;
  /** The replicas of each backend; one without any is not served. */
  readonly targets: Readonly<Partial<Record<Backend, readonly string[]>>>;
  /** Ports on 127.0.0.1 that lead to one backend whatever the path is: by these the services ask each other. */
  readonly inner?: Readonly<Partial<Record<Backend, number | undefined>>>;
}
export interface Gateway {
  readonly port: number;
  close(): Promise<void>;
}

const LOOPBACK = '127.0.0.1';
/** Shorter than services keep theirs, so that no request meets a connection that is being closed. */
const IDLE_CONNECTION_MS = 4_000;
/** Longer than clients and load balancers keep theirs, for the same reason. */
const IDLE_CLIENT_MS = 72_000;
const CLOSE_TIMEOUT_MS = 10_000;
const CLOSE_IDLE_EVERY_MS = 100;
const HEALTH = /^\/health(\/(live|ready|startup))?(\?|$)/;

/** One address before the replicas of all services. */
export const startGateway = async ({ port, address = LOOPBACK, targets, inner = {} }: GatewayOptions): Promise<Gateway> => {
  const agent = new Agent({ keepAlive: true, timeout: IDLE_CONNECTION_MS });
  const pools = new Map((Object.entries(targets) as [Backend, readonly string[]][]).filter(([, urls]) => urls.length > 0).map(([name, urls]) => [name, new Replicas(name, urls)] as const));
  const servers: Server[] = [];
  const close = async (): Promise<void> => {
    pools.forEach((pool) => pool.stop());
    // What is on its way is answered first, within reason.
    const tooLong = setTimeout(() => servers.forEach((server) => server.closeAllConnections()), CLOSE_TIMEOUT_MS);
    // A connection whose answer went out just before would stay open for as long as it may be kept.
    const idle = setInterval(() => servers.forEach((server) => server.closeIdleConnections()), CLOSE_IDLE_EVERY_MS);
    await Promise.all(servers.map((server) => new Promise<void>((resolve) => { server.close(() => resolve()); })));
    clearInterval(idle);
    clearTimeout(tooLong);
    agent.destroy();
  };
  try {
    const main = await listen(port, address, (incoming, outgoing) => {
      const path = incoming.url ?? '/';
      if (HEALTH.test(path)) { answerHealth(path, outgoing, [...pools.values()]); return; }
      const backend = backendOf(path);
      const pool = backend === undefined ? undefined : pools.get(backend);
      if (pool === undefined) sendProblem(outgoing, 404, 'not_found', 'there is nothing here');
      else void forward(incoming, outgoing, pool, agent);
    });
    servers.push(main);
    for (const [backend, innerPort] of Object.entries(inner) as [Backend, number | undefined][]) {
      const pool = pools.get(backend);
      if (pool !== undefined && innerPort !== undefined) servers.push(await listen(innerPort, LOOPBACK, (incoming, outgoing) => { void forward(incoming, outgoing, pool, agent); }));
    }
    await Promise.all([...pools.values()].map((pool) => pool.watch()));
    return { port: (main.address() as { port: number }).port, close };
  } catch (error) {
    await close();
    throw error;
  }
};

const listen = (port: number, address: string, onRequest: RequestListener): Promise<Server> => new Promise((resolve, reject) => {
  const server = createServer({ keepAliveTimeout: IDLE_CLIENT_MS }, onRequest);
  server.once('error', reject);
  server.listen(port, address, () => resolve(server));
});

/** In the form in which services answer it: ready when each service has a replica that is. */
const answerHealth = (path: string, outgoing: ServerResponse, pools: readonly Replicas[]): void => {
  const parts = pools.map(({ name, all }) => {
    const ready = all.filter(({ state }) => state === 'ready').length;
    const why = all.filter(({ state }) => state !== 'ready').map(({ url, reason }) => `${url.host}: ${reason}`).join('; ');
    return [name, { status: ready > 0 ? 'up' : 'down', ready, replicas: all.length, ...(why === '' ? {} : { reason: why }) }] as const;
  });
  const isReady = parts.every(([, { status }]) => status === 'up');
  const asksForReadiness = path.startsWith('/health/ready') || path.startsWith('/health/startup');
  const body = { status: isReady ? 'ok' : 'error', details: Object.fromEntries(parts) };
  outgoing.writeHead(asksForReadiness && !isReady ? 503 : 200, { 'Content-Type': 'application/json; charset=utf-8', 'Cache-Control': 'no-store' })
    .end(JSON.stringify(path.startsWith('/health/live') ? { status: 'ok' } : body));
};
