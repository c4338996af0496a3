import { createServer } from 'node:net';
import type { DynamicModule } from '@nestjs/common';
import type { ServiceReports } from '@valueverse/contracts';
import { Database, FileAnchors, PostgresFeed } from '@valueverse/event-log';
import { connectServices, cursorSecretOf, hostBilling, hostNotifications, hostPayments, hostUsage, installation, migrateServices, rawRoutes, webModule, type HostedService, type Installation } from '@valueverse/hosting';
import { InboxModule, smtpTransport, startInbox } from '@valueverse/notifications';
import { createHost, createLogger, PortTaken, startEmbeddedPostgres, startTracing, type EmbeddedPostgres, type Host } from '@valueverse/platform';
import { DataFolder, type FirstKeys } from './data-folder';
import { firstKeys } from './first-keys';
import type { EmbeddedSettings } from './settings';

/** A running embedded edition. */
export interface Edition {
  readonly url: string;
  readonly keys: FirstKeys;
  readonly operatorToken: string;
  readonly dataDir: string;
  /** Where PostgreSQL keeps its data: elsewhere when its user cannot reach the data folder. */
  readonly databaseDir: string;
  readonly hasInbox: boolean;
  stop(): Promise<void>;
}
export type Progress = (step: string) => void;

const INBOX_CONNECTIONS_MAX = 2;
const API_DESCRIPTION = 'Usage into money: events, meters, plans, subscriptions, invoices, payments.';

/** Starts all services in this process, on PostgreSQL from npm or the one of `DATABASE_URL`. What was started is stopped when a later step fails. */
export const startEdition = async (settings: EmbeddedSettings, organization: string, progress: Progress = () => undefined): Promise<Edition> => {
  const undo: (() => Promise<void>)[] = [];
  const stop = async (): Promise<void> => { for (const step of undo.splice(0).reverse()) await step().catch(() => undefined); };
  try {
    return await start(settings, organization, progress, undo, stop);
  } catch (error) {
    await stop();
    throw error;
  }
};

const start = async (settings: EmbeddedSettings, organization: string, progress: Progress, undo: (() => Promise<void>)[], stop: () => Promise<void>): Promise<Edition> => {
  await refuseTakenPort(settings.VV_PORT);
  const logger = createLogger({ service: 'valueverse', level: settings.LOG_LEVEL });
  const tracing = await startTracing('valueverse', logger);
  undo.push(() => tracing.stop());
  const folder = new DataFolder(settings.VV_DATA);
  folder.prepare();
  const secrets = folder.secrets();
  const postgres = settings.DATABASE_URL === undefined ? await startEmbeddedPostgres({ dataDir: folder.postgres }) : undefined;
  if (postgres !== undefined) undo.push(() => postgres.stop());
  const databaseUrl = settings.DATABASE_URL ?? postgres!.url;
  progress('PostgreSQL');
  const feed = new PostgresFeed(databaseUrl);
  undo.push(() => feed.close());
  let reports: readonly ServiceReports[] = [];
  const shared = installation({ feed, secrets, logger, anchors: new FileAnchors(folder.anchors), databaseUrl: () => databaseUrl, reports: () => reports });
  const { hosted, inbox } = await compose(shared, settings, undo);
  reports = hosted.map(({ service }) => service.reports);
  undo.push(async () => { await Promise.all(hosted.map((service) => service.close())); });
  await migrateServices(shared, hosted, (name) => progress(name));
  const host = await listen(shared, hosted, settings.VV_PORT, inbox === undefined ? [] : [InboxModule.of(inbox)]);
  undo.push(() => host.host.close());
  shared.health.markStarted();
  const keys = await firstKeys(folder, host.url, secrets.operatorToken, organization);
  folder.noteServer({ url: host.url, pid: process.pid });
  undo.push(async () => folder.forgetServer());
  return { url: host.url, keys, operatorToken: secrets.operatorToken, dataDir: folder.path, databaseDir: databaseDirOf(postgres, folder), hasInbox: inbox !== undefined, stop };
};

const databaseDirOf = (postgres: EmbeddedPostgres | undefined, folder: DataFolder): string => postgres?.dataDir ?? folder.path;

const compose = async (shared: Installation, settings: EmbeddedSettings, undo: (() => Promise<void>)[]): Promise<{ hosted: HostedService[]; inbox: Database | undefined }> => {
  // Each of the two asks the other, by name once both are there.
  const usage = hostUsage(shared, () => billing.reader, settings.RADIUS_PORT === undefined ? undefined : { port: settings.RADIUS_PORT, address: settings.RADIUS_ADDRESS });
  const billing = hostBilling(shared, usage.reader);
  const payments = hostPayments(shared);
  const inbox = settings.SMTP_URL === undefined ? await openInbox(shared, undo) : undefined;
  const transport = smtpTransport(settings.SMTP_URL ?? inbox!.url, settings.MAIL_FROM);
  return { hosted: [usage, billing, payments, hostNotifications(shared, { transport, documents: billing.documents })], inbox: inbox?.database };
};

/** A mail server for this machine, on a port that nobody else needs to know. */
const openInbox = async (shared: Installation, undo: (() => Promise<void>)[]): Promise<{ url: string; database: Database }> => {
  const database = new Database({ url: shared.databaseUrl('notifications'), schema: 'notifications', connectionsMax: INBOX_CONNECTIONS_MAX });
  undo.push(() => database.close());
  const inbox = await startInbox({ database, port: 0 });
  undo.push(() => inbox.stop());
  return { url: inbox.url, database };
};

const listen = async (shared: Installation, hosted: readonly HostedService[], port: number, more: readonly DynamicModule[]): Promise<{ host: Host; url: string }> => {
  const { secrets, logger, health, metrics, clock, ids } = shared;
  const host = await createHost({
    service: 'valueverse', module: webModule(shared, hosted, more), port, cursorSecret: cursorSecretOf(secrets), routes: rawRoutes(hosted), logger, health, metrics, clock, ids,
    docs: { title: 'ValueVerse', version: '1', description: API_DESCRIPTION },
  });
  await connectServices(host.app, hosted);
  return { host, url: await host.listen() };
};

/** Looks before anything is started, so that the answer comes at once. */
const refuseTakenPort = (port: number): Promise<void> => new Promise((resolve, reject) => {
  if (port === 0) { resolve(); return; }
  const probe = createServer();
  probe.once('error', (error: NodeJS.ErrnoException) => reject(error.code === 'EADDRINUSE' ? new PortTaken(port) : error));
  probe.listen(port, '127.0.0.1', () => probe.close(() => resolve()));
});
