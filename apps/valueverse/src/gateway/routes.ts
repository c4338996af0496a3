import type { ServiceName } from '@valueverse/contracts';

/** Who answers behind the gateway: the services, and the inbox of this machine. */
export type Backend = ServiceName | 'inbox';

const PREFIXES: readonly (readonly [string, Backend])[] = [
  ['/api/v1/usage', 'usage'], ['/api/v1/billing', 'billing'], ['/api/v1/operator', 'billing'], ['/api/v1/payments', 'payments'], ['/api/v1/notifications', 'notifications'], ['/mail', 'inbox'],
];
/** Each service has a log of its own, and answers for that one alone. */
const LOG = /^\/api\/v1\/operator\/log\/(usage|billing|payments|notifications)(?=$|[/?])/;
/** What a process says to its neighbours and to those who run it, not to the world. */
const PRIVATE = /^\/(internal|metrics)(?=$|[/?])/;

/** Which backend serves a path; undefined for what the world may not ask. */
export const backendOf = (path: string): Backend | undefined => {
  if (PRIVATE.test(path)) return undefined;
  const log = LOG.exec(path)?.[1] as ServiceName | undefined;
  return log ?? PREFIXES.find(([prefix]) => isBelow(path, prefix))?.[1] ?? 'billing';
};

const isBelow = (path: string, prefix: string): boolean => path.startsWith(prefix) && /^($|[/?.])/.test(path.slice(prefix.length));
