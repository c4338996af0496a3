import { Database } from '@valueverse/event-log';
import { createLogger, defineConfig, faultsReport, migrate, port, printConfig, readConfig, stopOnSignals, systemClock, text, url } from '@valueverse/platform';
import { SandboxServer } from './sandbox-server';
import { SANDBOX_BOOK, SANDBOX_TABLES } from './sandbox-tables';

const SCHEMA = 'sandbox';
const DEFAULT_PORT = 8090;
const config = defineConfig({
  PORT: port(DEFAULT_PORT, { description: 'The port of the sandbox' }), ADDRESS: text({ default: '127.0.0.1', description: 'The address to listen on' }), DATABASE_URL: url({ secret: true, description: 'The PostgreSQL database of its book' }),
});

/** The main function of a sandbox that runs by itself: settings from the environment. `--check` only reads them. */
export const runSandbox = async (argv: readonly string[] = process.argv, env: NodeJS.ProcessEnv = process.env): Promise<void> => {
  const read = readConfig(config, env);
  if ('faults' in read) {
    process.stderr.write(`${faultsReport(read.faults)}\n  next: set DATABASE_URL to a PostgreSQL database of its own\n`);
    process.exitCode = 1;
    return;
  }
  if (argv.includes('--check')) { process.stdout.write(`${printConfig(config, read.config)}\n`); return; }
  const logger = createLogger({ service: SCHEMA });
  const database = new Database({ url: read.config.DATABASE_URL, schema: SCHEMA });
  const server = new SandboxServer(database, systemClock);
  try {
    await migrate(database, [SCHEMA], [SANDBOX_BOOK, SANDBOX_TABLES]);
    logger.info({ url: await server.start(read.config.PORT, read.config.ADDRESS) }, 'the sandbox listens');
  } catch (error) {
    process.stderr.write(`the sandbox could not start: ${error instanceof Error ? error.message : String(error)}\n  next: check DATABASE_URL and PORT\n`);
    process.exit(1);
  }
  stopOnSignals(logger, async () => { await server.stop(); await database.close(); });
};
