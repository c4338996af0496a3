import { type DynamicModule, Module } from '@nestjs/common';
import type { ServiceAuth } from '@valueverse/auth';
import { AccountChanged, AccountOpened, BalanceReturned, BalanceReturnRefused, InvoiceCredited, InvoiceFinalized, InvoicePaid, InvoicePaymentApplied, InvoicePaymentUnmatched, InvoiceRecovered, InvoiceReopened, InvoiceVoided, PAYMENT_EVENTS } from '@valueverse/contracts';
import { type ContextParts, type ContextShape, type FactMeasure, type RawRoutes, registerRefusals, SealedSecrets, type Service, systemIds } from '@valueverse/platform';
import { changesJob, POLLED_CHANGES } from './changes/poll-changes';
import { silentProviders, watchPolls } from './changes/poll-age';
import { KNOWN_ACCOUNTS, knownAccountsProjector } from './accounts/known-accounts';
import { KNOWN_INVOICE_MOVES, KNOWN_INVOICE_NUMBERS, KNOWN_INVOICE_REOPENINGS, KNOWN_INVOICES, knownInvoicesProjector } from './accounts/known-invoices';
import { ByHandController } from './collection/by-hand.controller';
import { Attempts } from './collection/attempt-jobs';
import { beginAttempt } from './collection/begin-attempt';
import { collector } from './collection/collector';
import { disputeView, paymentView } from './collection/payments';
import { PaymentsController } from './collection/payments.controller';
import { WAITING_INVOICES } from './collection/waiting-invoices';
import { defaultMethodView, methodView } from './methods/methods';
import { detachJob } from './methods/detach-jobs';
import { expiryJob, expiryReactor } from './methods/expiry-jobs';
import { methodLookJob } from './methods/method-looks';
import { setupJob } from './methods/setup-jobs';
import { SetupsController } from './methods/setups.controller';
import { MethodsController } from './methods/methods.controller';
import { providerMeter } from './providers/provider-meter';
import { type PaymentProvider, Providers } from './providers/provider';
import { creditRefunds } from './credits/credit-refunds';
import { creditRefundView, creditView } from './credits/credits';
import { CreditsController } from './credits/credits.controller';
import { payoutJob } from './payouts/payout-jobs';
import { payoutView } from './payouts/payouts';
import { payoutPollJob, POLLED_PAYOUTS } from './payouts/poll-payouts';
import { PayoutsController } from './payouts/payouts.controller';
import { doubtfulPayments } from './collection/doubtful-payments';
import { disputeJob } from './disputes/dispute-jobs';
import { PROVIDER_CUSTOMER_LOOKS, PROVIDER_CUSTOMERS } from './providers/customers';
import { guarded, PROVIDER_DEADLINE_MS } from './providers/guarded-provider';
import { PROVIDER_SETTINGS, ProviderBook } from './providers/provider-settings';
import { ProvidersController } from './providers/providers.controller';
import { STRIPE, stripeProvider } from './providers/stripe/stripe';
import { Sandbox, SANDBOX, sandboxProvider } from './providers/sandbox/sandbox';
import { SandboxBookController } from './providers/sandbox/sandbox-book.controller';
import { SandboxController } from './providers/sandbox/sandbox.controller';
import { SANDBOX_BOOK, SANDBOX_TABLES } from './providers/sandbox/sandbox-tables';
import { LINK_KEY, LinksController } from './links/links.controller';
import { linksRoutes } from './links/links.routes';
import { ReconciliationController } from './reconciliation/reconciliation.controller';
import { refundJob } from './refunds/refund-jobs';
import { refundsLookJob } from './refunds/refund-looks';
import { RefundsController } from './refunds/refunds.controller';
import { ReversalsController } from './refunds/reversals.controller';
import { PAYMENT_SETTINGS } from './settings/settings';
import { MANUAL_BOOK } from './providers/manual/manual-book';
import { manualProvider } from './providers/manual/manual';
import { SettingsController } from './settings/settings.controller';
import { handleWebhook } from './webhooks/handle-webhook';
import { WEBHOOK_BYTES, WEBHOOK_INBOX } from './webhooks/inbox';
import { WebhooksController } from './webhooks/webhooks.controller';
import { webhooksRoutes } from './webhooks/webhooks.routes';
import { PAYMENTS_SERVICE } from './tokens';

registerRefusals({
  account_not_found: 404, payment_not_found: 404, payment_method_not_found: 404, refund_not_found: 404, dispute_not_found: 404, payout_not_found: 404, unknown_provider: 400, unknown_token: 400, token_refused: 400, webhook_not_found: 404, too_many_lines: 400, invoice_not_found: 404, allocations_or_invoice: 400, amount_not_positive: 400, unknown_action: 404, not_an_endpoint: 400, days_not_rising: 400, amount_without_currency: 400, amount_missing: 400, amount_too_fine: 400, amount_too_large: 400, refund_not_positive: 400, default_not_taken_away: 400, not_by_hand: 400, credit_not_found: 404, reversal_not_positive: 400, methods_not_supported: 400, charges_not_supported: 400, pages_not_supported: 400, webhooks_not_supported: 400,
});

/** What payments needs of the service that hosts it, before it can be made. */
export const paymentsShape: ContextShape = {
  name: 'payments',
  definitions: [...PAYMENT_EVENTS, AccountOpened, AccountChanged, BalanceReturned, BalanceReturnRefused, InvoiceCredited, InvoiceFinalized, InvoicePaid, InvoicePaymentApplied, InvoicePaymentUnmatched, InvoiceVoided, InvoiceReopened, InvoiceRecovered],
  readModels: [methodView, defaultMethodView, paymentView, disputeView, creditView, creditRefundView, payoutView],
  migrations: [KNOWN_ACCOUNTS, WAITING_INVOICES, SANDBOX_BOOK, SANDBOX_TABLES, PROVIDER_CUSTOMERS, PAYMENT_SETTINGS, PROVIDER_SETTINGS, WEBHOOK_INBOX, KNOWN_INVOICES, KNOWN_INVOICE_NUMBERS, PROVIDER_CUSTOMER_LOOKS, KNOWN_INVOICE_REOPENINGS, POLLED_PAYOUTS, KNOWN_INVOICE_MOVES, POLLED_CHANGES, WEBHOOK_BYTES, MANUAL_BOOK],
};

const PAYMENTS: FactMeasure = {
  metric: { subsystem: 'payments', what: 'payments', help: 'Payments that came to a status', labels: ['status'] },
  on: { PaymentRequested: () => ({ status: 'requested' }), PaymentSucceeded: () => ({ status: 'succeeded' }), PaymentFailed: () => ({ status: 'failed' }), PaymentCancelled: () => ({ status: 'cancelled' }) },
};

export interface PaymentsDeps {
  readonly auth: ServiceAuth;
  /** 32 bytes that seal the keys and secrets of providers. */
  readonly secretsKey: Buffer;
  /** Providers beside the sandbox, which is always there; one of the same name takes its place. */
  readonly providers?: readonly PaymentProvider[];
  /** Where a sandbox listens that runs by itself; without it one runs inside, on a loopback socket. */
  readonly sandboxUrl?: string;
  /** Where Stripe is, where that is not Stripe's own address. */
  readonly stripeUrl?: string;
  /** How long a provider may take, in milliseconds. */
  readonly providerDeadlineMs?: number;
}

@Module({})
class PaymentsModule {}

/** Payments for a service: what it reads and does, and its controllers. */
export const paymentsContext = (service: Service, deps: PaymentsDeps): { parts: ContextParts; module: DynamicModule; routes: readonly RawRoutes[] } => {
  const deadlineMs = deps.providerDeadlineMs ?? PROVIDER_DEADLINE_MS;
  const sandbox = new Sandbox(service.database, service.clock, deps.sandboxUrl);
  const others = deps.providers ?? [];
  const book = new ProviderBook(service.database, new SealedSecrets(deps.secretsKey));
  const own = others.some(({ name }) => name === SANDBOX) ? [] : [sandboxProvider(sandbox, deadlineMs)];
  const stripe = others.some(({ name }) => name === STRIPE) ? [] : [stripeProvider(book, deadlineMs, deps.stripeUrl)];
  const meter = providerMeter(service.metrics);
  watchPolls(service);
  const providers = new Providers([...own, ...stripe, manualProvider(service), ...others].map((provider) => guarded(provider, { deadlineMs, meter })));
  return {
    routes: [webhooksRoutes(service, book), linksRoutes(service, { providers, book }, systemIds, deps.secretsKey)],
    parts: {
      consumers: [knownAccountsProjector, knownInvoicesProjector, collector(service.clock), expiryReactor(service), creditRefunds(service.clock)],
      jobs: [...new Attempts(service, { providers, linkKey: deps.secretsKey }).jobs, beginAttempt, refundJob(service, providers), refundsLookJob(service, providers), changesJob(service, providers), disputeJob(service, providers), payoutJob(providers), payoutPollJob(service, providers), expiryJob, methodLookJob(service, providers), detachJob(service, providers), setupJob(providers), handleWebhook(service)],
      workers: [sandbox],
      measures: [PAYMENTS],
      looks: { 'payments in doubt': () => doubtfulPayments(service), 'what is new at providers': () => silentProviders(service) },
    },
    module: {
      module: PaymentsModule,
      imports: [deps.auth.module],
      controllers: [SetupsController, MethodsController, SettingsController, SandboxBookController, SandboxController, ProvidersController, WebhooksController, ReconciliationController, RefundsController, ReversalsController, LinksController, PayoutsController, CreditsController, ByHandController, PaymentsController],
      providers: [{ provide: PAYMENTS_SERVICE, useValue: service }, { provide: Providers, useValue: providers }, { provide: Sandbox, useValue: sandbox }, { provide: ProviderBook, useValue: book }, { provide: LINK_KEY, useValue: deps.secretsKey }],
    },
  };
};
