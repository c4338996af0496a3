import { createServer } from 'node:net';
import type { DynamicModule } from '@nestjs/common';
import type { ServiceReports } from '@valueverse/contracts';
import { FileAnchors, PostgresFeed } from '@valueverse/event-log';
import { cursorSecretOf, hostBilling, hostNotifications, hostPayments, hostUsage, installation, startServices, webModule, type HostedService, type Installation } from '@valueverse/hosting';
import { inboxModule, smtpTransport, startInbox, type Inbox } from '@valueverse/notifications';
import { createHost, createLogger, PortTaken, startEmbeddedPostgres, type EmbeddedPostgres, type Host } from '@valueverse/platform';
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
  const folder = new DataFolder(settings.VV_DATA);
  folder.prepare();
  const secrets = folder.secrets();
  const postgres = settings.DATABASE_URL === undefined ? await startEmbeddedPostgres({ dataDir: folder.postgres }) : undefined;
  if (postgres !== undefined) undo.push(() => postgres.stop());
  const databaseUrl = settings.DATABASE_URL ?? postgres!.url;
  progress('PostgreSQL');
  const feed = new PostgresFeed(databaseUrl);
  undo.push(() => feed.close());
  const logger = createLogger({ service: 'valueverse', level: settings.LOG_LEVEL });
  let reports: readonly ServiceReports[] = [];
  const shared = installation({ feed, secrets, logger, anchors: new FileAnchors(folder.anchors), databaseUrl: () => databaseUrl, reports: () => reports });
  const { hosted, inbox } = await compose(shared, settings, undo);
  reports = hosted.map(({ service }) => service.reports);
  undo.push(async () => { await Promise.all(hosted.map((service) => service.close())); });
  await startServices(shared, hosted, (name) => progress(name));
  const host = await listen(shared, hosted, settings.VV_PORT, inbox === undefined ? [] : [inboxModule(inbox)]);
  undo.push(() => host.host.close());
  shared.health.markStarted();
  const keys = await firstKeys(folder, host.url, secrets.operatorToken, organization);
  folder.noteServer({ url: host.url, pid: process.pid });
  undo.push(async () => folder.forgetServer());
  return { url: host.url, keys, operatorToken: secrets.operatorToken, dataDir: folder.path, databaseDir: databaseDirOf(postgres, folder), hasInbox: inbox !== undefined, stop };
};

const databaseDirOf = (postgres: EmbeddedPostgres | undefined, folder: DataFolder): string => postgres?.dataDir ?? folder.path;

const compose = async (shared: Installation, settings: EmbeddedSettings, undo: (() => Promise<void>)[]): Promise<{ hosted: HostedService[]; inbox: Inbox | undefined }> => {
  const usage = hostUsage(shared);
  const billing = hostBilling(shared, usage.reader);
  const payments = hostPayments(shared);
  const inbox = settings.SMTP_URL === undefined ? await startInbox({ databaseUrl: shared.databaseUrl('notifications') }) : undefined;
  if (inbox !== undefined) undo.push(() => inbox.close());
  const transport = smtpTransport(settings.SMTP_URL ?? inbox!.smtpUrl, settings.MAIL_FROM);
  return { hosted: [usage, billing, payments, hostNotifications(shared, { transport, documents: billing.documents })], inbox };
};

const listen = async (shared: Installation, hosted: readonly HostedService[], port: number, more: readonly DynamicModule[]): Promise<{ host: Host; url: string }> => {
  const { secrets, logger, health, metrics, clock, ids } = shared;
  const host = await createHost({
    service: 'valueverse', module: webModule(hosted, more), port, cursorSecret: cursorSecretOf(secrets), logger, health, metrics, clock, ids,
    docs: { title: 'ValueVerse', version: '1', description: API_DESCRIPTION },
  });
  return { host, url: await host.listen() };
};

/** Looks before anything is started, so that the answer comes at once. */
const refuseTakenPort = (port: number): Promise<void> => new Promise((resolve, reject) => {
  if (port === 0) { resolve(); return; }
  const probe = createServer();
  probe.once('error', (error: NodeJS.ErrnoException) => reject(error.code === 'EADDRINUSE' ? new PortTaken(port) : error));
  probe.listen(port, '127.0.0.1', () => probe.close(() => resolve()));
});
