import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

const APPS: Readonly<Record<string, string>> = { usage: 'usage-service', billing: 'billing-engine', payments: 'payment-service', notifications: 'notification-service' };

/** Runs the services' own programs with `--migrate`; `vv` itself opens no database. Answers the first exit code that is not 0. */
export const migrateServices = (services: readonly string[]): number => {
  const wanted = services.length === 0 ? Object.keys(APPS) : services;
  const unknown = wanted.find((service) => APPS[service] === undefined);
  if (unknown !== undefined) {
    process.stderr.write(`${unknown} is not a service; there are ${Object.keys(APPS).join(', ')}\n`);
    return 1;
  }
  for (const service of wanted) {
    const main = join(__dirname, '..', '..', '..', APPS[service]!, 'dist', 'main.js');
    const { status } = spawnSync(process.execPath, [main, '--migrate'], { stdio: 'inherit' });
    if (status !== 0) return status ?? 1;
  }
  return 0;
};
