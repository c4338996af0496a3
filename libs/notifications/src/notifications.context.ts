import { type DynamicModule, Module } from '@nestjs/common';
import type { ServiceAuth } from '@valueverse/auth';
import {
  AccountChanged, AccountOpened, CreditNoteIssued, InvoiceFinalized, NOTIFICATION_EVENTS, PaymentActionRequired, PaymentFailed, PaymentMethodExpiryAnnounced, PaymentRetryScheduled, PaymentSucceeded, type InvoiceDocuments,
} from '@valueverse/contracts';
import { type ContextParts, type ContextShape, type FactMeasure, registerRefusals, type Service } from '@valueverse/platform';
import { INBOX_MAILS } from './inbox/mail-book';
import { ACCOUNT_CONTACTS } from './messages/account-contacts';
import { CONTACT_LANGUAGES, INVOICE_CONTACTS } from './messages/bill-to';
import { messageView } from './messages/messages';
import { MessagesController } from './messages/messages.controller';
import { MAILS_UNDER_WAY, sendJob } from './messages/send-job';
import { writer } from './messages/writer';
import { NOTIFICATIONS_SERVICE } from './tokens';
import type { MailTransport } from './transport/mail-transport';

registerRefusals({ message_not_found: 404 });

/** What notifications needs of the service that hosts it, before it can be made. */
export const notificationsShape: ContextShape = {
  name: 'notifications',
  definitions: [...NOTIFICATION_EVENTS, AccountOpened, AccountChanged, InvoiceFinalized, CreditNoteIssued, PaymentSucceeded, PaymentFailed, PaymentRetryScheduled, PaymentActionRequired, PaymentMethodExpiryAnnounced],
  readModels: [messageView],
  migrations: [INVOICE_CONTACTS, MAILS_UNDER_WAY, INBOX_MAILS, CONTACT_LANGUAGES, ACCOUNT_CONTACTS],
};

const MAILS: FactMeasure = {
  metric: { subsystem: 'notifications', what: 'mails', help: 'E-mails that were queued, taken by the mail server, or failed for good', labels: ['outcome'] },
  on: { MessageQueued: () => ({ outcome: 'queued' }), MessageSent: () => ({ outcome: 'sent' }), MessageFailed: () => ({ outcome: 'failed' }) },
};

export interface NotificationsDeps {
  readonly auth: ServiceAuth;
  readonly transport: MailTransport;
  /** Billing's, in process or over HTTP. */
  readonly documents: InvoiceDocuments;
}

@Module({})
class NotificationsModule {}

/** Notifications for a service: what it reads and does, and its controllers. */
export const notificationsContext = (service: Service, { auth, transport, documents }: NotificationsDeps): { parts: ContextParts; module: DynamicModule } => ({
  parts: {
    consumers: [writer(service.clock, service.keys)],
    jobs: [sendJob({ service, transport, documents })],
    measures: [MAILS],
  },
  module: { module: NotificationsModule, imports: [auth.module], controllers: [MessagesController], providers: [{ provide: NOTIFICATIONS_SERVICE, useValue: service }] },
});
