import type { ServiceName } from '@valueverse/contracts';
import { defineConfig, list, oneOf, port, secret, text, url, whole, type ConfigOf } from '@valueverse/platform';

const PORT_MAX = 65_535;
const REPLICATION_MAX = 9;
const DRAIN_MS = 2_000;
const DRAIN_MS_MAX = 60_000;

/** The settings of a service that runs as a process of its own. */
export const serviceConfig = (name: ServiceName, defaultPort: number) => defineConfig({
  PORT: port(defaultPort, { description: 'The port of the HTTP interface' }),
  ADDRESS: text({ default: '127.0.0.1', description: 'The address to listen on; a container says 0.0.0.0' }),
  DRAIN_MS: whole(0, DRAIN_MS_MAX)({ default: DRAIN_MS, description: 'How long a service that is told to end says that it is not ready and goes on answering, until whoever sends it requests has heard of it' }),
  DATABASE_URL: url({ secret: true, description: `The PostgreSQL database of ${name}` }),
  FEED: oneOf('postgres', 'kafka')({ default: 'kafka', description: 'Where facts travel between services' }),
  FEED_DATABASE_URL: url({ optional: true, secret: true, description: 'The database of the feed, where FEED is postgres' }),
  KAFKA_BROKERS: list({ optional: true, description: 'host:port of brokers, where FEED is kafka' }),
  KAFKA_REPLICATION: whole(1, REPLICATION_MAX)({ default: 3, description: 'Copies of each record in topics that are made' }),
  KAFKA_NAMESPACE: text({ optional: true, description: 'Put before the names of topics and groups, where installations share a cluster' }),
  REDIS_URL: url({ optional: true, secret: true, description: 'Redis, shared by the processes of an installation: rate limits, a cache, hints. Without it each process has its own' }),
  VV_MASTER_KEY: secret({ description: '32 bytes in base64: wraps the keys of personal data' }),
  VV_OPERATOR_TOKEN: secret({ description: 'What vv and operators show' }),
  VV_SERVICE_TOKEN: secret({ description: 'What services show each other' }),
  VV_ANCHOR_FILE: text({ default: `.valueverse/${name}-anchors.jsonl`, description: 'Where the heads of the hash chain are kept, outside the database' }),
  USAGE_URL: url({ default: 'http://127.0.0.1:8001' }),
  BILLING_URL: url({ default: 'http://127.0.0.1:8002' }),
  PAYMENTS_URL: url({ default: 'http://127.0.0.1:8003' }),
  NOTIFICATIONS_URL: url({ default: 'http://127.0.0.1:8004' }),
  SMTP_URL: url({ default: 'smtp://127.0.0.1:1025', secret: true, description: 'Where e-mails are handed over' }),
  MAIL_FROM: text({ default: 'billing@valueverse.invalid', description: 'The sender of e-mails' }),
  RADIUS_PORT: whole(1, PORT_MAX)({ optional: true, description: 'Of the usage service: the UDP port for RADIUS accounting, 1813 by custom. Without it no packets are taken' }),
  RADIUS_ADDRESS: text({ default: '127.0.0.1', description: 'Of the usage service: the address to take accounting packets at; where NAS are to reach it, 0.0.0.0 or one of this machine' }),
  SANDBOX_URL: url({ optional: true, description: 'Of the payment service: where a sandbox provider runs by itself; without it one runs inside, on a loopback socket' }),
  STRIPE_URL: url({ optional: true, description: "Of the payment service: something that speaks Stripe's interface, in the place of Stripe" }),
  LOG_LEVEL: oneOf('debug', 'info', 'warn', 'error')({ default: 'info' }),
});
export type ServiceConfig = ConfigOf<ReturnType<typeof serviceConfig>>;

export const SERVICE_PORTS: Readonly<Record<ServiceName, number>> = { usage: 8001, billing: 8002, payments: 8003, notifications: 8004 };
