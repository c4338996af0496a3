import { join } from 'node:path';
import { SERVICES, type ServiceName } from '@valueverse/contracts';
import type { InstallationSecrets } from '@valueverse/hosting';
import { freePort, startPart, type PartProcess } from '@valueverse/platform';
import type { KeptPart } from './keeper';

const APPS = join(__dirname, '..', '..', '..');
const MAINS: Readonly<Record<ServiceName, string>> = {
  usage: 'usage-service', billing: 'billing-engine', payments: 'payment-service', notifications: 'notification-service',
};
const READY_TIMEOUT_MS = 120_000;
const ANSWER_TIMEOUT_MS = 4_000;
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

const each = async <T>(make: (name: ServiceName) => Promise<T>): Promise<Record<ServiceName, T>> =>
  Object.fromEntries(await Promise.all(SERVICES.map(async (name) => [name, await make(name)] as const))) as Record<ServiceName, T>;

export const choosePorts = async (gateway: number, replicas: number): Promise<Ports> => ({
  gateway, inner: await each(freePort), inboxHttp: await freePort(), inboxSmtp: await freePort(),
  replicas: await each(() => Promise.all(Array.from({ length: replicas }, freePort))),
});

const local = (port: number): string => `http://127.0.0.1:${port}`;
export const logFileOf = (folder: string, name: string): string => join(folder, 'logs', `${name}.log`);

/** The settings of a service, as docs/CONFIGURATION.md has them. Services ask each other by the gateway, which knows who is ready. */
export const serviceEnvironment = (service: ServiceName, port: number, ports: Ports, around: Surroundings): Record<string, string> => ({
  PORT: String(port), DATABASE_URL: around.databases[service], FEED: 'kafka', KAFKA_BROKERS: around.brokers.join(','), KAFKA_REPLICATION: String(around.copies),
  ...(around.redisUrl === undefined ? {} : { REDIS_URL: around.redisUrl }),
  VV_MASTER_KEY: around.secrets.masterKey.toString('base64'), VV_OPERATOR_TOKEN: around.secrets.operatorToken, VV_SERVICE_TOKEN: around.secrets.serviceToken,
  VV_ANCHOR_FILE: join(around.folder, 'anchors', `${service}.jsonl`),
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
