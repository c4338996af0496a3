import { randomBytes } from 'node:crypto';
import { SERVICES, type BillingReader, type InvoiceDocuments, type ServiceName, type UsageReader } from '@valueverse/contracts';
import { FileAnchors, KafkaFeed } from '@valueverse/event-log';
import { CATALOG_FILE_SCHEMA } from '@valueverse/billing';
import { smtpTransport } from '@valueverse/notifications';
import { buildOpenApi, createHost, createLogger, pathsOf, type ConfigSchema } from '@valueverse/platform';
import { asyncApiOf } from './asyncapi';
import { cursorSecretOf, installation } from './installation';
import { metricsPage } from './metrics-page';
import { serviceConfig, SERVICE_PORTS } from './service-config';
import { hostBilling, hostNotifications, hostPayments, hostUsage, type HostedService } from './services';
import { rawRoutes, webModule } from './web';

const NOWHERE = 'postgres://nobody@127.0.0.1:1/none';
const DESCRIPTIONS: Readonly<Record<ServiceName, string>> = {
  usage: 'Usage events, meters, queries and statements.', billing: 'Accounts, plans, subscriptions, invoices, test clocks; organizations and keys.',
  payments: 'Payment methods and the collection of invoices.', notifications: 'E-mails that went out.',
};

/** What is generated from the code and committed: path -> content. No database is asked; the applications are made and described, not started. */
export const generatedFiles = async (): Promise<Record<string, string>> => {
  const files: Record<string, string> = { 'docs/CONFIGURATION.md': configurationPage() };
  const unused = <T>(): T => ({}) as T;
  const shared = installation({
    feed: new KafkaFeed({ brokers: ['127.0.0.1:1'], clientId: 'docs' }), secrets: { masterKey: randomBytes(32), operatorToken: 'operator', serviceToken: 'service' }, logger: createLogger({ service: 'docs', level: 'silent' }),
    anchors: new FileAnchors('never-written'), databaseUrl: () => NOWHERE, reports: () => [],
  });
  const hosted: Readonly<Record<ServiceName, () => HostedService>> = {
    usage: () => hostUsage(shared, () => unused<BillingReader>()), billing: () => hostBilling(shared, unused<UsageReader>()), payments: () => hostPayments(shared),
    notifications: () => hostNotifications(shared, { transport: smtpTransport('smtp://127.0.0.1:1', 'billing@valueverse.invalid'), documents: unused<InvoiceDocuments>() }),
  };
  const all = SERVICES.map((name) => hosted[name]());
  for (const [index, name] of SERVICES.entries()) files[`docs/openapi/${name}.json`] = await documentOf(name, all[index]!, shared);
  for (const [index, name] of SERVICES.entries()) files[`docs/asyncapi/${name}.json`] = `${JSON.stringify(asyncApiOf(name, DESCRIPTIONS[name], all[index]!.service.consumptions), null, 2)}\n`;
  files['docs/catalog.schema.json'] = `${JSON.stringify(CATALOG_FILE_SCHEMA, null, 2)}\n`;
  files['docs/METRICS.md'] = await metricsPage(shared.metrics);
  return files;
};

const documentOf = async (name: ServiceName, hosted: HostedService, shared: ReturnType<typeof installation>): Promise<string> => {
  const routes = rawRoutes([hosted]);
  const host = await createHost({ service: name, module: webModule(shared, [hosted]), routes, port: 0, cursorSecret: cursorSecretOf(shared.secrets), logger: shared.logger, metrics: shared.metrics });
  const document = buildOpenApi(host.app, { title: `ValueVerse ${name}`, version: '1', description: DESCRIPTIONS[name] }, pathsOf(routes));
  return `${JSON.stringify(document, null, 2)}\n`;
};

const configurationPage = (): string => {
  const sections = SERVICES.map((name) => `## ${name}\n\n${tableOf(serviceConfig(name, SERVICE_PORTS[name]))}`);
  return `# Settings\n\nGenerated from the schemas in \`libs/hosting/src/service-config.ts\`; \`npm run generate\` writes it again. A secret can also be read from the file that\n\`<NAME>_FILE\` names. \`node apps/<service>/dist/main.js --check\` reads the environment, reports every fault at once and starts nothing.\nTraces have the settings of OpenTelemetry, \`OTEL_*\`: see [traces.md](traces.md).\n\n${sections.join('\n\n')}\n`;
};

const tableOf = (schema: ConfigSchema): string => [
  '| variable | kind | default | meaning |', '|---|---|---|---|',
  ...Object.entries(schema).map(([name, { kind, fallback, optional, secret, description }]) =>
    `| \`${name}\` | ${kind}${secret ? ', secret' : ''} | ${fallback === undefined ? (optional ? 'not set' : 'required') : `\`${String(fallback)}\``} | ${description} |`),
].join('\n');
