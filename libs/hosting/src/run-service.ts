import type { ServiceName, ServiceReports } from '@valueverse/contracts';
import { FileAnchors, KafkaFeed, PostgresFeed, type Feed } from '@valueverse/event-log';
import { ServiceClient } from '@valueverse/auth';
import { smtpTransport } from '@valueverse/notifications';
import { RemoteUsageReader } from '@valueverse/usage';
import { checkConfig, createHost, createLogger, faultsReport, readConfig, stopOnSignals, type Logger } from '@valueverse/platform';
import { cursorSecretOf, installation, type Installation, type InstallationSecrets } from './installation';
import { RemoteInvoiceDocuments, remoteReports } from './remote';
import { serviceConfig, SERVICE_PORTS, type ServiceConfig } from './service-config';
import { hostBilling, hostNotifications, hostPayments, hostUsage, type HostedService } from './services';
import { connectServices, linkModule, migrateServices, RAW_CONTENT_TYPES, webModule } from './web';

const MASTER_KEY_BYTES = 32;
const API_VERSION = '1';

/** The main function of a service that runs as a process of its own: settings from the environment. `--check` only reads them, `--migrate` only migrates. */
export const runService = async (name: ServiceName, argv: readonly string[] = process.argv, env: NodeJS.ProcessEnv = process.env): Promise<void> => {
  const schema = serviceConfig(name, SERVICE_PORTS[name]);
  if (argv.includes('--check')) {
    const { exitCode, report } = checkConfig(schema, env);
    process.stdout.write(`${report}\n`);
    process.exitCode = exitCode;
    return;
  }
  const read = readConfig(schema, env);
  if ('faults' in read) {
    process.stderr.write(`${faultsReport(read.faults)}\n`);
    process.exitCode = 1;
    return;
  }
  await start(name, read.config as ServiceConfig, argv.includes('--migrate'));
};

const start = async (name: ServiceName, config: ServiceConfig, onlyMigrate: boolean): Promise<void> => {
  const logger = createLogger({ service: name, level: config.LOG_LEVEL });
  try {
    if (onlyMigrate) await migrateOnly(name, config, logger);
    else await serve(name, config, logger);
  } catch (error) {
    logger.fatal({ err: error }, `the ${name} service could not start`);
    process.stderr.write(`the ${name} service could not start: ${(error as Error).message}\n`);
    process.exit(1);
  }
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
  const secrets = secretsOf(config);
  const feed = feedOf(name, config);
  const urls = urlsOf(config);
  let reports: readonly ServiceReports[] = [];
  const shared = installation({ feed, secrets, logger, anchors: new FileAnchors(config.VV_ANCHOR_FILE), databaseUrl: () => config.DATABASE_URL, reports: () => reports });
  const hosted = hostedService(name, shared, config, urls);
  reports = [hosted.service.reports, ...remoteReports(urls, name, secrets.serviceToken)];
  await migrateServices(shared, [hosted]);
  const host = await createHost({
    service: name, module: webModule(shared, [hosted], [linkModule(hosted.service, shared)]), port: config.PORT, address: config.ADDRESS, cursorSecret: cursorSecretOf(secrets), rawContentTypes: RAW_CONTENT_TYPES,
    logger, health: shared.health, metrics: shared.metrics, clock: shared.clock, ids: shared.ids, docs: { title: `ValueVerse ${name}`, version: API_VERSION },
  });
  await connectServices(host.app, [hosted]);
  const url = await host.listen();
  shared.health.markStarted();
  logger.info({ url, feed: feed.kind }, `the ${name} service listens`);
  stopOnSignals(logger, async () => {
    await host.close();
    await hosted.close();
    await feed.close();
  });
};

const hostedService = (name: ServiceName, shared: Installation, config: ServiceConfig, urls: Readonly<Record<ServiceName, string>>): HostedService => {
  const client = (other: ServiceName): ServiceClient => new ServiceClient(urls[other], shared.secrets.serviceToken);
  switch (name) {
    case 'usage': return hostUsage(shared);
    case 'billing': return hostBilling(shared, new RemoteUsageReader(client('usage')));
    case 'payments': return hostPayments(shared);
    case 'notifications': return hostNotifications(shared, { transport: smtpTransport(config.SMTP_URL, config.MAIL_FROM), documents: new RemoteInvoiceDocuments(client('billing')) });
  }
};

const secretsOf = (config: ServiceConfig): InstallationSecrets => {
  const masterKey = Buffer.from(config.VV_MASTER_KEY, 'base64');
  if (masterKey.length !== MASTER_KEY_BYTES) throw new Error(`VV_MASTER_KEY has to be ${MASTER_KEY_BYTES} bytes in base64; make one with: openssl rand -base64 ${MASTER_KEY_BYTES}`);
  return { masterKey, operatorToken: config.VV_OPERATOR_TOKEN, serviceToken: config.VV_SERVICE_TOKEN };
};

const feedOf = (name: ServiceName, config: ServiceConfig): Feed => {
  if (config.FEED === 'postgres') {
    if (config.FEED_DATABASE_URL === undefined) throw new Error('FEED is postgres and FEED_DATABASE_URL is not set');
    return new PostgresFeed(config.FEED_DATABASE_URL);
  }
  if (config.KAFKA_BROKERS === undefined) throw new Error('FEED is kafka and KAFKA_BROKERS is not set');
  return new KafkaFeed({ brokers: config.KAFKA_BROKERS, clientId: `valueverse-${name}`, replication: config.KAFKA_REPLICATION, ...(config.KAFKA_NAMESPACE === undefined ? {} : { namespace: config.KAFKA_NAMESPACE }) });
};

