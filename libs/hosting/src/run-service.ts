import type { ServiceName, ServiceReports } from '@valueverse/contracts';
import { FileAnchors, KafkaFeed, PostgresFeed, RolesMissing, type Feed } from '@valueverse/event-log';
import { ServiceClient } from '@valueverse/auth';
import { smtpTransport } from '@valueverse/notifications';
import { RemoteBillingReader } from '@valueverse/billing';
import { RemoteUsageReader, type RadiusAddress } from '@valueverse/usage';
import { createHost, createLogger, faultsReport, localShared, PortTaken, printConfig, readConfig, redisShared, startTracing, stopOnSignals, type ConfigFault, type Logger } from '@valueverse/platform';
import { cursorSecretOf, installation, type Installation, type InstallationSecrets } from './installation';
import { RemoteInvoiceDocuments, remoteReports } from './remote';
import { serviceConfig, SERVICE_PORTS, type ServiceConfig } from './service-config';
import { hostBilling, hostNotifications, hostPayments, hostUsage, type HostedService } from './services';
import { connectServices, FeedNotReady, linkModule, migrateServices, rawRoutes, webModule } from './web';

const MASTER_KEY_BYTES = 32;
const API_VERSION = '1';

/** The main function of a service that runs as a process of its own: settings from the environment. `--check` only reads them, `--migrate` only migrates. */
export const runService = async (name: ServiceName, argv: readonly string[] = process.argv, env: NodeJS.ProcessEnv = process.env): Promise<void> => {
  const schema = serviceConfig(name, SERVICE_PORTS[name]);
  const read = readConfig(schema, env);
  const faults = 'faults' in read ? read.faults : combinationFaults(read.config);
  if ('faults' in read || faults.length > 0) {
    process.stderr.write(`${faultsReport(faults)}\n  next: see docs/CONFIGURATION.md\n`);
    process.exitCode = 1;
    return;
  }
  if (argv.includes('--check')) process.stdout.write(`${printConfig(schema, read.config)}\n`);
  else await start(name, read.config, argv.includes('--migrate'));
};

/** What is wrong with settings that are each well formed. */
const combinationFaults = (config: ServiceConfig): ConfigFault[] => [
  ...(config.FEED === 'kafka' && config.KAFKA_BROKERS === undefined ? [{ name: 'KAFKA_BROKERS', detail: 'is required where FEED is kafka' }] : []),
  ...(config.FEED === 'postgres' && config.FEED_DATABASE_URL === undefined ? [{ name: 'FEED_DATABASE_URL', detail: 'is required where FEED is postgres' }] : []),
  ...(Buffer.from(config.VV_MASTER_KEY, 'base64').length === MASTER_KEY_BYTES ? [] : [{ name: 'VV_MASTER_KEY', detail: `has to be ${MASTER_KEY_BYTES} bytes in base64; make one with: openssl rand -base64 ${MASTER_KEY_BYTES}` }]),
];

const start = async (name: ServiceName, config: ServiceConfig, onlyMigrate: boolean): Promise<void> => {
  const logger = createLogger({ service: name, level: config.LOG_LEVEL });
  try {
    if (onlyMigrate) await migrateOnly(name, config, logger);
    else await serve(name, config, logger);
  } catch (error) {
    logger.debug({ err: error }, 'the start failed');
    const { sentence, next } = startFailure(error, config);
    process.stderr.write(`the ${name} service could not start: ${sentence}\n  next: ${next}\n`);
    process.exit(1);
  }
};

const startFailure = (error: unknown, config: ServiceConfig): { sentence: string; next: string } => {
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof FeedNotReady) {
    return config.FEED === 'kafka'
      ? { sentence: `Kafka at ${config.KAFKA_BROKERS?.join(', ')} is not ready: ${message}`, next: 'start the brokers, or check KAFKA_BROKERS' }
      : { sentence: `the database of the feed is not ready: ${message}`, next: 'start it, or check FEED_DATABASE_URL' };
  }
  if (error instanceof RolesMissing) return { sentence: `the user of DATABASE_URL may not create roles; an administrator has to run this once:\n\n${error.sql}\n`, next: 'start the service again' };
  if (error instanceof PortTaken) return { sentence: `port ${error.port} is taken by another process`, next: `set ${error.setting} to another one` };
  return { sentence: message, next: 'check DATABASE_URL, or look closer with LOG_LEVEL=debug' };
};

/** Brings the database and the feed up to this release and ends. */
const migrateOnly = async (name: ServiceName, config: ServiceConfig, logger: Logger): Promise<void> => {
  const feed = feedOf(name, config);
  const shared = installation({ feed, secrets: secretsOf(config), logger, anchors: new FileAnchors(config.VV_ANCHOR_FILE), databaseUrl: () => config.DATABASE_URL, reports: () => [] });
  const hosted = hostedService(name, shared, config, urlsOf(config));
  await migrateServices(shared, [hosted], (done) => process.stdout.write(`${done} is up to date\n`));
  await hosted.close();
  await feed.close();
};

const urlsOf = (config: ServiceConfig): Readonly<Record<ServiceName, string>> =>
  ({ usage: config.USAGE_URL, billing: config.BILLING_URL, payments: config.PAYMENTS_URL, notifications: config.NOTIFICATIONS_URL });

const serve = async (name: ServiceName, config: ServiceConfig, logger: Logger): Promise<void> => {
  const tracing = await startTracing(`valueverse-${name}`, logger);
  const secrets = secretsOf(config);
  const feed = feedOf(name, config);
  const urls = urlsOf(config);
  let reports: readonly ServiceReports[] = [];
  const between = config.REDIS_URL === undefined ? localShared() : redisShared({ url: config.REDIS_URL, namespace: config.KAFKA_NAMESPACE ?? 'main', logger });
  const shared = installation({ feed, secrets, logger, anchors: new FileAnchors(config.VV_ANCHOR_FILE), databaseUrl: () => config.DATABASE_URL, reports: () => reports, shared: between });
  const hosted = hostedService(name, shared, config, urls);
  reports = [hosted.service.reports, ...remoteReports(urls, name, secrets.serviceToken)];
  await migrateServices(shared, [hosted]);
  const host = await createHost({
    service: name, module: webModule(shared, [hosted], [linkModule(hosted.service, shared)]), port: config.PORT, address: config.ADDRESS, drainMs: config.DRAIN_MS, cursorSecret: cursorSecretOf(secrets), routes: rawRoutes([hosted]),
    logger, cache: between.cache, rateLimiter: between.rateLimiter, health: shared.health, metrics: shared.metrics, clock: shared.clock, ids: shared.ids, docs: { title: `ValueVerse ${name}`, version: API_VERSION },
  });
  await connectServices(host.app, [hosted]);
  const url = await host.listen();
  shared.health.markStarted();
  logger.info({ url, feed: feed.kind }, `the ${name} service listens`);
  stopOnSignals(logger, async () => {
    await host.close();
    await hosted.close();
    await feed.close();
    await between.close();
    await tracing.stop();
  });
};

const hostedService = (name: ServiceName, shared: Installation, config: ServiceConfig, urls: Readonly<Record<ServiceName, string>>): HostedService => {
  const client = (other: ServiceName): ServiceClient => new ServiceClient(urls[other], shared.secrets.serviceToken);
  switch (name) {
    case 'usage': {
      const billing = new RemoteBillingReader(client('billing'));
      return hostUsage(shared, () => billing, radiusOf(config));
    }
    case 'billing': return hostBilling(shared, new RemoteUsageReader(client('usage')));
    case 'payments': return hostPayments(shared, { ...(config.SANDBOX_URL === undefined ? {} : { sandboxUrl: config.SANDBOX_URL }), ...(config.STRIPE_URL === undefined ? {} : { stripeUrl: config.STRIPE_URL }) });
    case 'notifications': return hostNotifications(shared, { transport: smtpTransport(config.SMTP_URL, config.MAIL_FROM), documents: new RemoteInvoiceDocuments(client('billing')) });
  }
};

const radiusOf = ({ RADIUS_PORT: port, RADIUS_ADDRESS: address }: ServiceConfig): RadiusAddress | undefined => (port === undefined ? undefined : { port, address });

const secretsOf = (config: ServiceConfig): InstallationSecrets =>
  ({ masterKey: Buffer.from(config.VV_MASTER_KEY, 'base64'), operatorToken: config.VV_OPERATOR_TOKEN, serviceToken: config.VV_SERVICE_TOKEN });

const feedOf = (name: ServiceName, config: ServiceConfig): Feed => {
  if (config.FEED === 'postgres') return new PostgresFeed(config.FEED_DATABASE_URL!);
  return new KafkaFeed({ brokers: config.KAFKA_BROKERS!, clientId: `valueverse-${name}`, replication: config.KAFKA_REPLICATION, ...(config.KAFKA_NAMESPACE === undefined ? {} : { namespace: config.KAFKA_NAMESPACE }) });
};
