import { type DynamicModule, Module } from '@nestjs/common';
import type { ServiceAuth } from '@valueverse/auth';
import { AccountOpened, InvoiceFinalized, InvoicePaid, PAYMENT_EVENTS } from '@valueverse/contracts';
import { type ContextParts, type ContextShape, type FactMeasure, registerRefusals, type Service } from '@valueverse/platform';
import { KNOWN_ACCOUNTS, knownAccountsProjector } from './accounts/known-accounts';
import { attemptJobs } from './collection/attempt-jobs';
import { collector } from './collection/collector';
import { paymentView } from './collection/payments';
import { PaymentsController } from './collection/payments.controller';
import { WAITING_INVOICES } from './collection/waiting-invoices';
import { defaultMethodView, methodView } from './methods/methods';
import { MethodsController } from './methods/methods.controller';
import { providerMeter } from './providers/provider-meter';
import { type PaymentProvider, Providers } from './providers/provider';
import { SANDBOX_BOOK, SandboxBank } from './providers/sandbox/sandbox-bank';
import { SandboxBookController } from './providers/sandbox/sandbox-book.controller';
import { SandboxProvider } from './providers/sandbox/sandbox-provider';
import { PAYMENTS_SERVICE } from './tokens';

registerRefusals({ account_not_found: 404, payment_not_found: 404, payment_method_not_found: 404, unknown_provider: 400, unknown_token: 400 });

/** What payments needs of the service that hosts it, before it can be made. */
export const paymentsShape: ContextShape = {
  name: 'payments',
  definitions: [...PAYMENT_EVENTS, AccountOpened, InvoiceFinalized, InvoicePaid],
  readModels: [methodView, defaultMethodView, paymentView],
  migrations: [KNOWN_ACCOUNTS, WAITING_INVOICES, SANDBOX_BOOK],
};

const PAYMENTS: FactMeasure = {
  metric: { subsystem: 'payments', what: 'payments', help: 'Payments that came to a status', labels: ['status'] },
  on: { PaymentRequested: () => ({ status: 'requested' }), PaymentSucceeded: () => ({ status: 'succeeded' }), PaymentFailed: () => ({ status: 'failed' }) },
};

export interface PaymentsDeps {
  readonly auth: ServiceAuth;
  /** Providers beside the sandbox, which is always there; one of the same name takes its place. */
  readonly providers?: readonly PaymentProvider[];
  /** How long a provider may take, in milliseconds. */
  readonly providerDeadlineMs?: number;
}

@Module({})
class PaymentsModule {}

/** Payments for a service: what it reads and does, and its controllers. */
export const paymentsContext = (service: Service, deps: PaymentsDeps): { parts: ContextParts; module: DynamicModule } => {
  const bank = new SandboxBank(service.database, service.clock);
  const sandbox = new SandboxProvider(bank);
  const others = deps.providers ?? [];
  const providers = new Providers([...(others.some(({ name }) => name === sandbox.name) ? [] : [sandbox]), ...others]);
  return {
    parts: {
      consumers: [knownAccountsProjector, collector(service.clock)],
      jobs: attemptJobs({ service, providers, meter: providerMeter(service.metrics), ...(deps.providerDeadlineMs === undefined ? {} : { deadlineMs: deps.providerDeadlineMs }) }),
      measures: [PAYMENTS],
    },
    module: {
      module: PaymentsModule,
      imports: [deps.auth.module],
      controllers: [MethodsController, SandboxBookController, PaymentsController],
      providers: [{ provide: PAYMENTS_SERVICE, useValue: service }, { provide: Providers, useValue: providers }, { provide: SandboxBank, useValue: bank }],
    },
  };
};
