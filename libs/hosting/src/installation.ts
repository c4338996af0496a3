import { hkdfSync } from 'node:crypto';
import type { Clock, IdSource } from '@valueverse/kernel';
import type { ServiceName, ServiceReports } from '@valueverse/contracts';
import type { AnchorStore, Feed } from '@valueverse/event-log';
import { digestKeyOf, type AuthSecrets } from '@valueverse/auth';
import { HealthRegistry, localShared, measuredFeed, Metrics, systemClock, systemIds, type Logger, type BetweenProcesses } from '@valueverse/platform';

/** The secrets of an installation; the same for all of its services and replicas. */
export interface InstallationSecrets {
  /** 32 bytes: wraps the keys of personal data, and what else is secret is derived from it. */
  readonly masterKey: Buffer;
  readonly operatorToken: string;
  readonly serviceToken: string;
}

/** What the services of one process share. */
export interface Installation {
  readonly feed: Feed;
  readonly secrets: InstallationSecrets;
  readonly logger: Logger;
  readonly anchors: AnchorStore;
  readonly clock: Clock;
  readonly ids: IdSource;
  readonly health: HealthRegistry;
  readonly metrics: Metrics;
  readonly shared: BetweenProcesses;
  databaseUrl(service: ServiceName): string;
  /** Every service's word on clocks and credentials, from wherever it runs. */
  reports(): readonly ServiceReports[];
}

export const installation = (given: Pick<Installation, 'feed' | 'secrets' | 'logger' | 'anchors' | 'databaseUrl' | 'reports'> & Partial<Pick<Installation, 'shared' | 'clock'>>): Installation => {
  const metrics = new Metrics();
  metrics.collectProcess();
  return { clock: systemClock, ids: systemIds, health: new HealthRegistry(), metrics, shared: localShared(), ...given, feed: measuredFeed(given.feed, metrics) };
};

export const authSecretsOf = ({ masterKey, operatorToken, serviceToken }: InstallationSecrets): AuthSecrets => ({ digestKey: digestKeyOf(masterKey), operatorToken, serviceToken });

/** Seals what tenants share with others and we have to use, such as the secrets of NAS. */
export const tenantSecretsKeyOf = ({ masterKey }: InstallationSecrets): Buffer => Buffer.from(hkdfSync('sha256', masterKey, '', 'valueverse secrets of tenants', 32));

/** Signs cursors: the same in all replicas, and of no use for anything else. */
export const cursorSecretOf = ({ masterKey }: InstallationSecrets): Buffer => Buffer.from(hkdfSync('sha256', masterKey, '', 'valueverse cursors', 32));
