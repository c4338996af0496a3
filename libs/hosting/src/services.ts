import type { DynamicModule } from '@nestjs/common';
import { ALL_EVENTS, CLOCK_EVENTS, IDENTITY_EVENTS, type BillingReader, type InvoiceDocuments, type ServiceName, type UsageReader } from '@valueverse/contracts';
import { familyOf } from '@valueverse/event-log';
import { authFor, CREDENTIALS, type ServiceAuth } from '@valueverse/auth';
import { billingContext, billingShape } from '@valueverse/billing';
import { identityContext, identityShape } from '@valueverse/identity';
import { notificationsContext, notificationsShape, type MailTransport } from '@valueverse/notifications';
import { paymentsContext, paymentsShape } from '@valueverse/payments';
import { usageContext, usageShape, type RadiusAddress } from '@valueverse/usage';
import { Service, type ContextParts, type ContextShape, type RawRoutes } from '@valueverse/platform';
import { authSecretsOf, tenantSecretsKeyOf, type Installation } from './installation';

/** A service with its contexts inside, ready to be migrated and started, and the modules with its controllers. */
export interface HostedService {
  readonly service: Service;
  readonly modules: readonly DynamicModule[];
  /** Routes that stand beside Nest. */
  readonly routes: readonly RawRoutes[];
  /** Opens what it listens to beside HTTP. Fails with `PortTaken`. */
  listen?(): Promise<void>;
  /** Closes what the contexts opened for themselves and the connections; its work stops with its application. */
  close(): Promise<void>;
}

/** What every service reads beside the facts of its contexts: who may ask, and what time test clocks have. */
const COMMON: ContextShape = { name: 'common', definitions: [...IDENTITY_EVENTS, ...CLOCK_EVENTS], readModels: [], migrations: [CREDENTIALS] };

/** Everything that this release publishes, whichever version of it. */
const PUBLISHED: ReadonlySet<string> = new Set(ALL_EVENTS.map(({ type }) => familyOf(type)));

const serviceOf = (installation: Installation, name: ServiceName, contexts: readonly ContextShape[]): { service: Service; auth: ServiceAuth } => {
  const { feed, clock, logger, health, metrics, anchors, secrets, shared } = installation;
  const service = new Service({
    name, databaseUrl: installation.databaseUrl(name), feed, clock, logger, health, metrics, anchors, fanOut: shared.fanOut, masterKey: secrets.masterKey, contexts: [COMMON, ...contexts], published: PUBLISHED,
    hasPublished: async (owner) => (await installation.reports().find((reports) => reports.service === owner)?.hasPublished()) ?? false,
  });
  return { service, auth: authFor(service, authSecretsOf(secrets)) };
};

const hosted = (service: Service, auth: ServiceAuth, contexts: readonly { parts: ContextParts; module: DynamicModule; routes?: readonly RawRoutes[] }[], close: () => Promise<void> = async () => undefined): HostedService => {
  service.use([{ consumers: auth.consumers, jobs: [] }, ...contexts.map(({ parts }) => parts)], auth.isTenant);
  return { service, modules: contexts.map(({ module }) => module), routes: contexts.flatMap(({ routes }) => routes ?? []), close: async () => { await close(); await service.stop(); } };
};

/** `billing` is asked when everything is made; `radius` is where RADIUS accounting comes in; nowhere when it is not given. */
export const hostUsage = (installation: Installation, billing: () => BillingReader, radius?: RadiusAddress): HostedService & { reader: UsageReader } => {
  const { service, auth } = serviceOf(installation, 'usage', [usageShape]);
  const usage = usageContext(service, { auth, ids: installation.ids, secretsKey: tenantSecretsKeyOf(installation.secrets), billing });
  const listen = async (): Promise<void> => { if (radius !== undefined) await usage.listen(radius); };
  return { ...hosted(service, auth, [usage]), reader: usage.reader, listen };
};

export const hostBilling = (installation: Installation, usage: UsageReader): HostedService & { documents: InvoiceDocuments; reader: BillingReader } => {
  const { service, auth } = serviceOf(installation, 'billing', [billingShape, identityShape]);
  const reports = (): ReturnType<Installation['reports']> => installation.reports();
  const billing = billingContext(service, { auth, usage, reports });
  const identity = identityContext(service, { auth, digestKey: authSecretsOf(installation.secrets).digestKey, ids: installation.ids, reports });
  return { ...hosted(service, auth, [billing, identity], () => identity.close()), documents: billing.documents, reader: billing.reader };
};

/** `places` says where the sandbox and Stripe are, where the one does not run inside and the other is not at its own address. */
export const hostPayments = (installation: Installation, places: { readonly sandboxUrl?: string; readonly stripeUrl?: string } = {}): HostedService => {
  const { service, auth } = serviceOf(installation, 'payments', [paymentsShape]);
  return hosted(service, auth, [paymentsContext(service, { auth, secretsKey: tenantSecretsKeyOf(installation.secrets), ...places })]);
};

export const hostNotifications = (installation: Installation, deps: { transport: MailTransport; documents: InvoiceDocuments }): HostedService => {
  const { service, auth } = serviceOf(installation, 'notifications', [notificationsShape]);
  return hosted(service, auth, [notificationsContext(service, { auth, ...deps })]);
};
