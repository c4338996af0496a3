import { setTimeout as pause } from 'node:timers/promises';
import type { DynamicModule, Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import type { Clock, IdSource } from '@valueverse/kernel';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { type Cache, MemoryCache } from '../cache/cache';
import { HealthRegistry } from '../health/registry';
import { createLogger, type Logger, NestLogger } from '../logging/logger';
import { Metrics } from '../metrics/metrics';
import { type OpenApiOptions, serveDocs } from '../openapi/openapi';
import { PlatformModule, type PlatformParts } from '../platform.module';
import { pathOf, ProblemFilter } from '../problem/problem.filter';
import { MemoryRateLimiter, type RateLimiter } from '../rate-limit/rate-limiter';
import { systemClock, systemIds } from '../system-clock';
import { parseJsonBody } from './json-body';
import { Cursors } from './pagination';
import { addRawRoutes, pathsOf, type RawRoutes } from './raw-routes';
import { contextOf, runInContext } from './request-context';
import { methodsByPath } from './routes';
import { securityHeaders } from './security-headers';
import { beginRequestSpan, endRequestSpan } from '../tracing/request-span';
import { validationPipe } from './validation';

/** What to host. What is not given is made: in process, on the wall clock. */
export interface HostOptions {
  readonly service: string;
  /** The application: its controllers name whole paths, `/api/v1/...`. */
  readonly module: Type | DynamicModule;
  readonly port: number;
  /** 127.0.0.1 when it is not given: a container says 0.0.0.0. */
  readonly address?: string;
  /** Signs cursors; the same in all replicas. */
  readonly cursorSecret: string | Buffer;
  readonly logger?: Logger;
  readonly health?: HealthRegistry;
  readonly metrics?: Metrics;
  readonly clock?: Clock;
  readonly ids?: IdSource;
  readonly cache?: Cache;
  readonly rateLimiter?: RateLimiter;
  readonly bodyBytesMax?: number;
  /** How long a closing host answers "not ready" before it stops to listen, in milliseconds: until balancers have heard of it. */
  readonly drainMs?: number;
  /** Routes beside Nest. */
  readonly routes?: readonly RawRoutes[];
  /** The addresses of proxies whose `X-Forwarded-For` is believed; none when it is not given. */
  readonly trustedProxies?: readonly string[];
  /** Serves the OpenAPI document and its page. */
  readonly docs?: OpenApiOptions;
  /** Last changes before the application is initialised: websockets, guards. */
  readonly configure?: (app: NestFastifyApplication) => void | Promise<void>;
}

/** An application that is ready to listen. */
export interface Host {
  readonly app: NestFastifyApplication;
  readonly health: HealthRegistry;
  readonly logger: Logger;
  /** Returns the URL. Fails with {@link PortTaken}. */
  listen(): Promise<string>;
  /** Says "not ready", lets modules stop their consumers, answers what is on its way, closes. A second call waits for the first. */
  close(): Promise<void>;
}

/** Somebody listens on the port already. */
export class PortTaken extends Error {
  readonly code = 'port_taken';
  /** `setting` is the one that names the port. */
  constructor(readonly port: number, readonly setting = 'PORT') {
    super(`the port ${port} is taken by another process`);
    this.name = 'PortTaken';
  }
}

export const BODY_BYTES_MAX = 5 * 1024 * 1024;
const PATH_PART_LENGTH_MAX = 1024;
const REQUEST_TIMEOUT_MS = 60_000;
const KEEP_ALIVE_TIMEOUT_MS = 72_000;
const TOO_LARGE = 413;
const CLOSE_TIMEOUT_MS = 20_000;
const CLOSE_IDLE_EVERY_MS = 100;
const JSON_TYPES = ['application/json', 'application/merge-patch+json', 'application/cloudevents+json', 'application/cloudevents-batch+json'];
const QUIET_PATHS = /^\/(health|metrics)(\/|$)/;

/** Makes a Nest application on Fastify with everything that each of our services has. Does not listen yet. */
export async function createHost(options: HostOptions): Promise<Host> {
  const logger = options.logger ?? createLogger({ service: options.service });
  const health = options.health ?? new HealthRegistry();
  const metrics = options.metrics ?? new Metrics();
  const adapter = new FastifyAdapter({
    bodyLimit: options.bodyBytesMax ?? BODY_BYTES_MAX,
    requestTimeout: REQUEST_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    forceCloseConnections: 'idle',
    routerOptions: { maxParamLength: PATH_PART_LENGTH_MAX },
    trustProxy: options.trustedProxies ? [...options.trustedProxies] : false,
    // No hook runs for a path that cannot be read.
    frameworkErrors: (error: Error, request: FastifyRequest, reply: FastifyReply) => {
      addHeaders(request, reply);
      filter.answer(error, request, reply);
    },
  } as object);
  const instance = adapter.getInstance() as unknown as FastifyInstance;
  const filter = new ProblemFilter(logger, methodsByPath(instance));
  addHooks(instance, logger, metrics, health);
  addParsers(adapter, instance, options);

  const parts: PlatformParts = {
    logger, health, metrics, clock: options.clock ?? systemClock, ids: options.ids ?? systemIds, cursors: new Cursors(options.cursorSecret),
    cache: options.cache ?? new MemoryCache(), rateLimiter: options.rateLimiter ?? new MemoryRateLimiter(),
  };
  const routes = options.routes ?? [];
  addRawRoutes(instance, routes, parts, filter);
  const app = await NestFactory.create<NestFastifyApplication>({ module: HostModule, imports: [PlatformModule.of(parts), options.module] }, adapter,
    { bodyParser: false, abortOnError: false, logger: new NestLogger(logger) });
  app.useGlobalFilters(filter);
  app.useGlobalPipes(validationPipe());
  await options.configure?.(app);
  if (options.docs) serveDocs(app, options.docs, pathsOf(routes));
  await app.init();
  await instance.ready();
  let closing: Promise<void> | undefined;
  return {
    app, health, logger,
    listen: () => listen(app, options),
    close: () => (closing ??= close(app, health, options.drainMs ?? 0)),
  };
}

/** The root of the application; what it holds is given when it is made. */
class HostModule {}

const addHeaders = (request: FastifyRequest, reply: FastifyReply) =>
  reply.headers({ ...securityHeaders(pathOf(request)), 'X-Request-Id': contextOf(request).traceId });

function addHooks(instance: FastifyInstance, logger: Logger, metrics: Metrics, health: HealthRegistry): void {
  const durations = metrics.histogram({
    subsystem: 'http', what: 'request_duration', unit: 'seconds', help: 'From the first byte of a request to the last of its answer', labels: ['method', 'route', 'status'],
  });
  instance.addHook('onRequest', (request, reply, done) => {
    if (!QUIET_PATHS.test(request.routeOptions.url ?? '')) beginRequestSpan(request);
    addHeaders(request, reply);
    runInContext(contextOf(request), done);
  });
  // The body is read by events of the socket, which know nothing of the request: the context is entered again behind it.
  instance.addHook('preValidation', (request, _reply, done) => runInContext(contextOf(request), done));
  // A connection that is kept alive would hold up the end of a closing host until its client gives it up.
  instance.addHook('onSend', (_request, reply, payload, done) => {
    if (health.isDraining) reply.header('Connection', 'close');
    done(null, payload);
  });
  // Closing at once would reset the connection under a client that is still sending, and it would never read the answer. Kept open, the rest
  // of the body is read and thrown away; the timeout of requests bounds that.
  instance.addHook('onSend', (_request, reply, _payload, done) => {
    if (reply.statusCode === TOO_LARGE) reply.removeHeader('connection');
    done();
  });
  instance.addHook('onResponse', (request, reply, done) => {
    const route = request.routeOptions.url ?? 'none';
    endRequestSpan(request, reply);
    durations.observe({ method: request.method, route, status: String(reply.statusCode) }, reply.elapsedTime / 1000);
    if (!QUIET_PATHS.test(route)) {
      const { traceId, tenant, correlationId } = contextOf(request);
      const fields = { traceId, ...(tenant === undefined ? {} : { tenant }), ...(correlationId === undefined ? {} : { correlationId }), method: request.method, route, status: reply.statusCode, durationMs: Math.round(reply.elapsedTime) };
      logger[reply.statusCode >= 500 ? 'warn' : 'debug'](fields, 'answered');
    }
    done();
  });
}

function addParsers(adapter: FastifyAdapter, instance: FastifyInstance, options: HostOptions): void {
  const limit = { bodyLimit: options.bodyBytesMax ?? BODY_BYTES_MAX };
  instance.removeAllContentTypeParsers();
  const parse = (_request: unknown, body: Buffer, done: (error: Error | null, value?: unknown) => void) => {
    let value: unknown;
    try {
      value = parseJsonBody(body);
    } catch (error) {
      done(error as Error);
      return;
    }
    done(null, value);
  };
  for (const type of JSON_TYPES) adapter.useBodyParser(type, true, limit, parse as never);
}

async function listen(app: NestFastifyApplication, { port, address = '127.0.0.1' }: HostOptions): Promise<string> {
  try {
    await app.listen(port, address);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') throw new PortTaken(port);
    throw error;
  }
  return app.getUrl();
}

async function close(app: NestFastifyApplication, health: HealthRegistry, drainMs: number): Promise<void> {
  health.drain();
  if (drainMs > 0) await pause(drainMs);
  const server = app.getHttpServer();
  const tooLong = setTimeout(() => server.closeAllConnections(), CLOSE_TIMEOUT_MS);
  // A connection whose answer went out just before would stay open for as long as it may be kept.
  const idle = setInterval(() => server.closeIdleConnections(), CLOSE_IDLE_EVERY_MS);
  try {
    await app.close();
  } finally {
    clearTimeout(tooLong);
    clearInterval(idle);
  }
}

/**
 * Calls `stop` once at the first SIGTERM or SIGINT and then ends the process; a second signal ends it at once.
 * For the main file of an app: libraries do not listen to signals.
 */
export function stopOnSignals(logger: Logger, stop: () => Promise<void>): void {
  let stopping = false;
  const onSignal = (signal: NodeJS.Signals) => {
    if (stopping) process.exit(1);
    stopping = true;
    logger.info({ signal }, 'stopping');
    stop().then(() => process.exit(0), (error: unknown) => {
      logger.fatal({ err: error }, 'the stop failed');
      process.exit(1);
    });
  };
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);
}
