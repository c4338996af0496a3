import 'reflect-metadata';
import { randomBytes } from 'node:crypto';
import { Database } from '@valueverse/event-log';
import { InboxModule, startInbox } from '@valueverse/notifications';
import { createHost, createLogger, defineConfig, faultsReport, port, readConfig, stopOnSignals, url } from '@valueverse/platform';

const CONNECTIONS_MAX = 2;
const CURSOR_SECRET_BYTES = 32;

const inboxConfig = defineConfig({
  PORT: port(undefined, { description: 'The port of the page' }),
  SMTP_PORT: port(undefined, { description: 'Where mails are taken' }),
  DATABASE_URL: url({ secret: true, description: 'The database of notifications, which keeps the mails' }),
});

/** The inbox as a process of its own: takes the mails of this machine's services and shows them at `/mail`. */
const main = async (): Promise<void> => {
  const read = readConfig(inboxConfig, process.env);
  if ('faults' in read) throw new Error(faultsReport(read.faults));
  const { config } = read;
  const logger = createLogger({ service: 'inbox', level: 'warn' });
  const database = new Database({ url: config.DATABASE_URL, schema: 'notifications', connectionsMax: CONNECTIONS_MAX });
  const host = await createHost({ service: 'inbox', module: InboxModule.of(database), port: config.PORT, cursorSecret: randomBytes(CURSOR_SECRET_BYTES), logger });
  const inbox = await startInbox({ database, port: config.SMTP_PORT });
  await host.listen();
  host.health.markStarted();
  stopOnSignals(logger, async () => {
    await inbox.stop();
    await host.close();
    await database.close();
  });
};

main().catch((error: unknown) => {
  process.stderr.write(`the inbox could not start: ${error instanceof Error ? error.message : String(error)}\n  next: npm run status\n`);
  process.exit(1);
});
