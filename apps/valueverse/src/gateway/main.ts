import { faultsReport, readConfig } from '@valueverse/platform';
import { startGateway } from './gateway';
import { gatewayConfig } from './settings';

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
  process.stderr.write(`the gateway could not start: ${error instanceof Error ? error.message : String(error)}\n  next: see apps/valueverse/src/gateway/settings.ts\n`);
  process.exit(1);
});
