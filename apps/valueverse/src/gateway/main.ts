import { defineConfig, faultsReport, list, port, readConfig, text, whole } from '@valueverse/platform';
import { startGateway } from './gateway';

const DEFAULT_PORT = 8000;
const PORT_MAX = 65_535;
const targets = (of: string) => list({ default: [], description: `The addresses of the replicas of ${of}` });
const inner = (of: string) => whole(1, PORT_MAX)({ optional: true, description: `A port on 127.0.0.1 that leads to ${of} alone` });

const gatewayConfig = defineConfig({
  PORT: port(DEFAULT_PORT, { description: 'The port that all services are behind' }),
  ADDRESS: text({ default: '127.0.0.1', description: 'The address to listen on' }),
  USAGE_TARGETS: targets('usage'), BILLING_TARGETS: targets('billing'), PAYMENTS_TARGETS: targets('payments'), NOTIFICATIONS_TARGETS: targets('notifications'), INBOX_TARGETS: targets('the inbox'),
  USAGE_PORT: inner('usage'), BILLING_PORT: inner('billing'), PAYMENTS_PORT: inner('payments'), NOTIFICATIONS_PORT: inner('notifications'),
});

/** The gateway as a process of its own: settings from the environment. */
const main = async (): Promise<void> => {
  const read = readConfig(gatewayConfig, process.env);
  if ('faults' in read) throw new Error(faultsReport(read.faults));
  const { config } = read;
  const gateway = await startGateway({
    port: config.PORT, address: config.ADDRESS,
    targets: { usage: config.USAGE_TARGETS, billing: config.BILLING_TARGETS, payments: config.PAYMENTS_TARGETS, notifications: config.NOTIFICATIONS_TARGETS, inbox: config.INBOX_TARGETS },
    inner: { usage: config.USAGE_PORT, billing: config.BILLING_PORT, payments: config.PAYMENTS_PORT, notifications: config.NOTIFICATIONS_PORT },
  });
  process.stdout.write(`the gateway listens on ${gateway.port}\n`);
  const end = (): void => { gateway.close().then(() => process.exit(0), () => process.exit(1)); };
  process.once('SIGTERM', end);
  process.once('SIGINT', end);
};

main().catch((error: unknown) => {
  process.stderr.write(`the gateway could not start: ${error instanceof Error ? error.message : String(error)}\n  next: see apps/valueverse/src/gateway/main.ts for its settings\n`);
  process.exit(1);
});
