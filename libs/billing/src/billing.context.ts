import { type DynamicModule, Module } from '@nestjs/common';
import { BILLING_EVENTS, CLOCK_EVENTS, MeterArchived, MeterCreated, MeterRestored, MeterVersionAdded, StatementIssued, StatementsRequested, LateUsageFound, type BillingReader, type ServiceReports, type UsageReader } from '@valueverse/contracts';
import type { ServiceAuth } from '@valueverse/auth';
import { registerRefusals, type ContextParts, type ContextShape, type FactMeasure, type Service } from '@valueverse/platform';
import { accountsModel } from './accounts/account.model';
import { AccountsController } from './accounts/accounts.controller';
import { balancesModel } from './balances/balance.model';
import { BillingHost } from './billing-host';
import { CatalogController } from './catalog/catalog.controller';
import { knownMeters } from './catalog/known-meters';
import { AddOnsController, FeaturesController, ProductsController } from './catalog/item-kinds';
import { itemsModel } from './catalog/item.model';
import { plansModel } from './catalog/plan.model';
import { PlansController } from './catalog/plans.controller';
import { SimulateController } from './catalog/simulate.controller';
import { clockJob, clockReactor } from './clocks/advance-clock';
import { clocksModel } from './clocks/clock.model';
import { ClocksController } from './clocks/clocks.controller';
import { CouponsController } from './coupons/coupons.controller';
import { redemptionsModel } from './coupons/redemptions';
import { RedemptionsController } from './coupons/redemptions.controller';
import { COUPONS } from './coupons/schema';
import { creditNotesModel } from './credit-notes/credit-note.model';
import { CreditNotesController } from './credit-notes/credit-notes.controller';
import { DocumentsController } from './documents/documents.controller';
import { Documents } from './documents/documents';
import { DownloadsController } from './documents/downloads.controller';
import { EntitiesController } from './entities/entities.controller';
import { entitiesModel } from './entities/entity.model';
import { takeStatements } from './invoicing/answers';
import { billingCycle, billingCycleJobs } from './invoicing/billing-cycle';
import { invoicesModel } from './invoicing/invoice.model';
import { lateUsage } from './invoicing/late-usage';
import { CyclesController } from './invoicing/cycles.controller';
import { ManualInvoicesController } from './invoicing/manual-invoices.controller';
import { thresholdJob, watchThresholds } from './invoicing/interim';
import { InvoicesController } from './invoicing/invoices.controller';
import { applyPayments, RECEIVED_EVENTS } from './received/apply-payments';
import { receivedPaymentsModel } from './received/received-payment.model';
import { ReceivedPaymentsController } from './received/received-payments.controller';
import { ACCOUNT_SUBJECTS, BILLING_CYCLES, BILLING_SCHEMA, INVOICE_REQUEST_KEYS, KNOWN_METERS_AGGREGATION, KNOWN_METERS_ARCHIVED, LATE_USAGE } from './schema';
import { SettingsController } from './settings/settings.controller';
import { settingsModel } from './settings/settings.model';
import { subscriptionsModel } from './subscriptions/subscription.model';
import { BillingReaderController } from './subscriptions/remote-billing-reader';
import { ChangesController } from './subscriptions/changes.controller';
import { moveHandler } from './subscriptions/moves';
import { MovesController } from './subscriptions/moves.controller';
import { SubscriptionsController } from './subscriptions/subscriptions.controller';
import { builtInEngine } from './taxes/built-in-engine';
import type { TaxEngine } from './taxes/tax-engine';
import { TaxRatesController } from './taxes/tax-rates.controller';

export const billingShape: ContextShape = {
  name: 'billing',
  definitions: [...BILLING_EVENTS, ...CLOCK_EVENTS, MeterCreated, MeterVersionAdded, MeterArchived, MeterRestored, StatementIssued, LateUsageFound, StatementsRequested, ...RECEIVED_EVENTS],
  readModels: [accountsModel, plansModel, itemsModel, redemptionsModel, settingsModel, subscriptionsModel, invoicesModel, receivedPaymentsModel, creditNotesModel, balancesModel, entitiesModel, clocksModel],
  migrations: [BILLING_SCHEMA, KNOWN_METERS_ARCHIVED, ACCOUNT_SUBJECTS, LATE_USAGE, KNOWN_METERS_AGGREGATION, BILLING_CYCLES, COUPONS, INVOICE_REQUEST_KEYS],
};

const INVOICES: FactMeasure = {
  metric: { subsystem: 'billing', what: 'invoices', help: 'Invoices that came to a status; money that fits no invoice is unmatched', labels: ['status'] },
  on: {
    InvoiceDrafted: () => ({ status: 'drafted' }), InvoiceFinalized: () => ({ status: 'finalized' }), InvoicePaid: () => ({ status: 'paid' }), InvoiceVoided: () => ({ status: 'void' }), InvoiceDropped: () => ({ status: 'dropped' }), InvoicePaymentUnmatched: () => ({ status: 'unmatched' }),
  },
};

export interface BillingDependencies {
  readonly auth: ServiceAuth;
  readonly usage: UsageReader;
  readonly reports: () => readonly ServiceReports[];
  /** Says which taxes lines have; the rates of the catalogue if not given. */
  readonly taxes?: TaxEngine;
}

registerRefusals({
  clock_not_found: 404, invoice_not_found: 404, plan_not_found: 404, product_not_found: 404, feature_not_found: 404, add_on_not_found: 404, coupon_not_found: 404, tax_rate_not_found: 404, redemption_not_found: 404,
  phase_not_found: 404, charge_not_found: 404, end_before_start: 400, period_too_long: 400, before_start: 400, too_far_ahead: 400,
});

@Module({})
class BillingModule {}

/** The billing context of one service: its consumers and jobs, and the module with its controllers. */
export const billingContext = (service: Service, { auth, usage, reports, taxes = builtInEngine }: BillingDependencies): { parts: ContextParts; module: DynamicModule; documents: Documents; reader: BillingReader } => {
  const host = new BillingHost(service, usage, taxes, reports);
  const documents = new Documents(service);
  return {
    documents,
    reader: host.reader,
    parts: { consumers: [knownMeters, billingCycle, watchThresholds, takeStatements, lateUsage, applyPayments, clockReactor(host)], jobs: [...billingCycleJobs(host), moveHandler(host), thresholdJob(host), clockJob(host)], measures: [INVOICES] },
    module: {
      module: BillingModule, imports: [auth.module],
      controllers: [AccountsController, PlansController, SimulateController, CatalogController, ProductsController, FeaturesController, AddOnsController, CouponsController, RedemptionsController, TaxRatesController, SettingsController,
        SubscriptionsController, ChangesController, MovesController, CyclesController, ManualInvoicesController, InvoicesController, CreditNotesController, ReceivedPaymentsController, EntitiesController, ClocksController, DownloadsController, DocumentsController, BillingReaderController],
      providers: [{ provide: BillingHost, useValue: host }, { provide: Documents, useValue: documents }],
    },
  };
};

