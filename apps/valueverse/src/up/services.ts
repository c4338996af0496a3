import { join } from 'node:path';
import { SERVICES, type ServiceName } from '@valueverse/contracts';
import type { InstallationSecrets } from '@valueverse/hosting';
import { freePorts, startPart, type PartProcess } from '@valueverse/platform';
import type { KeptPart } from './keeper';

const APPS = join(__dirname, '..', '..', '..');
const MAINS: Readonly<Record<ServiceName, string>> = {
  usage: 'usage-service', billing: 'billing-engine', payments: 'payment-service', notifications: 'notification-service',
};
const READY_TIMEOUT_MS = 120_000;
const ANSWER_TIMEOUT_MS = 4_000;
/** The gateway looks at each replica four times a second. */
const DRAIN_MS = 1_500;
/** Longer than a service gives itself to answer what is on its way. */
const STOP_TIMEOUT_MS = 30_000;

/** Where the parts are that all services need. */
export interface Surroundings {
  readonly databases: Readonly<Record<ServiceName, string>>;
  readonly brokers: readonly string[];
  readonly copies: number;
  readonly redisUrl: string | undefined;
  /** The user's own mail server, else the inbox. */
  readonly smtpUrl: string | undefined;
  readonly secrets: InstallationSecrets;
  readonly folder: string;
}

/** The ports of one installation: of the replicas of each service, of the gateway's inner ways, and of the inbox. */
export interface Ports {
  readonly gateway: number;
  readonly replicas: Readonly<Record<ServiceName, readonly number[]>>;
  readonly inner: Readonly<Record<ServiceName, number>>;
  readonly inboxHttp: number;
  readonly inboxSmtp: number;
}

/** All at once, so that no two are the same. */
export const choosePorts = async (gateway: number, replicas: number): Promise<Ports> => {
  const free = await freePorts(SERVICES.length * (replicas + 1) + 2);
  const next = (): number => free.pop()!;
  const each = <T>(make: () => T): Record<ServiceName, T> => Object.fromEntries(SERVICES.map((name) => [name, make()])) as Record<ServiceName, T>;
  return { gateway, inboxHttp: next(), inboxSmtp: next(), inner: each(next), replicas: each(() => Array.from({ length: replicas }, next)) };
};

const local = (port: number): string => `http://127.0.0.1:${port}`;
export const logFileOf = (folder: string, name: string): string => join(folder, 'logs', `${name}.log`);

/** The settings of a service, as docs/CONFIGURATION.md has them. Services ask each other by the gateway, which knows who is ready. */
export const serviceEnvironment = (service: ServiceName, port: number, ports: Ports, around: Surroundings): Record<string, string> => ({
  PORT: String(port), DATABASE_URL: around.databases[service], FEED: 'kafka', KAFKA_BROKERS: around.brokers.join(','), KAFKA_REPLICATION: String(around.copies),
  ...(around.redisUrl === undefined ? {} : { REDIS_URL: around.redisUrl }),
  VV_MASTER_KEY: around.secrets.masterKey.toString('base64'), VV_OPERATOR_TOKEN: around.secrets.operatorToken, VV_SERVICE_TOKEN: around.secrets.serviceToken,
  DRAIN_MS: String(DRAIN_MS), VV_ANCHOR_FILE: join(around.folder, 'anchors', `${service}.jsonl`),
  USAGE_URL: local(ports.inner.usage), BILLING_URL: local(ports.inner.billing), PAYMENTS_URL: local(ports.inner.payments), NOTIFICATIONS_URL: local(ports.inner.notifications),
  SMTP_URL: around.smtpUrl ?? `smtp://127.0.0.1:${ports.inboxSmtp}`,
});

/** Every replica of every service. */
export const serviceParts = (ports: Ports, around: Surroundings): KeptPart[] => SERVICES.flatMap((service) => ports.replicas[service].map((port, index) =>
  nodePart(`${service}-${index + 1}`, join(APPS, MAINS[service], 'dist', 'main.js'), local(port), serviceEnvironment(service, port, ports, around), around.folder)));

/** The mail server of this machine, with its page. */
export const inboxPart = (ports: Ports, around: Surroundings): KeptPart =>
  nodePart('inbox', join(__dirname, 'inbox.js'), local(ports.inboxHttp), { PORT: String(ports.inboxHttp), SMTP_PORT: String(ports.inboxSmtp), DATABASE_URL: around.databases.notifications }, around.folder);

export const gatewayPart = (ports: Ports, folder: string, hasInbox: boolean): KeptPart => {
  const targets = SERVICES.map((service) => [`${service.toUpperCase()}_TARGETS`, ports.replicas[service].map(local).join(',')] as const);
  const inner = SERVICES.map((service) => [`${service.toUpperCase()}_PORT`, String(ports.inner[service])] as const);
  return nodePart('gateway', join(__dirname, '..', 'gateway', 'main.js'), local(ports.gateway), {
    PORT: String(ports.gateway), ...Object.fromEntries([...targets, ...inner]), ...(hasInbox ? { INBOX_TARGETS: local(ports.inboxHttp) } : {}),
  }, folder);
};

const nodePart = (name: string, main: string, url: string, env: Readonly<Record<string, string>>, folder: string): KeptPart => {
  const log = logFileOf(folder, name);
  const start = (): Promise<PartProcess> => startPart({
    name, command: process.execPath, args: [main], env: { ...inherited(), ...env }, logFile: log, isReady: () => isReady(url), readyTimeoutMs: READY_TIMEOUT_MS, stopTimeoutMs: STOP_TIMEOUT_MS,
  });
  return { name, log, url, start };
};

const inherited = (): Record<string, string> => Object.fromEntries(Object.entries(process.env).filter((entry): entry is [string, string] => entry[1] !== undefined));

export const isReady = async (url: string): Promise<boolean> => {
  try {
    return (await fetch(`${url}/health/ready`, { signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS) })).ok;
  } catch {
    return false;
  }
};
