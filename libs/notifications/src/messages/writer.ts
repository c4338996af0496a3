import { derivedId, localDateOf, type Clock } from '@valueverse/kernel';
import type { CreditNoteIssued, InvoiceFinalized, MessageQueued, PaymentFailed, PaymentSucceeded } from '@valueverse/contracts';
import { ERASED, type DomainEvent, type Fact, type Reacting, type Reaction, type Reactor, type Tx } from '@valueverse/event-log';
import type { BillTo, BillToCopies } from './bill-to';
import type { QueueMessage, Template } from './domain/message';
import { creditNoteIssued, invoiceFinalized, paymentFailed, paymentSucceeded, type Written } from './domain/templates';
import { messageDecider } from './messages';
import { SEND_MESSAGE, type SendPayload } from './send-job';

/** A message's id follows from what it is about, so that something that is told twice is mailed once. */
export const messageIdOf = (tenant: string, template: Template, aboutId: string): string => derivedId('msg', tenant, template, aboutId);

interface Addressed { readonly template: Template; readonly aboutId: string; readonly invoiceId: string; readonly creditNoteId?: string; readonly billTo: BillTo | undefined; readonly write: (billTo: BillTo) => Written }

/** Writes to customers about their invoices and payments, and hands each message to a job. */
export const writer = (clock: Clock, copies: BillToCopies): Reactor => {
  const on = <E extends DomainEvent>(type: E['type'], reacting: Reacting<E>) => ({ [type]: reacting });
  const queue = ({ tenant, clockId, at }: Fact, { template, aboutId, invoiceId, creditNoteId, billTo, write }: Addressed): Reaction => {
    // Who left no address, or was erased, gets no mail.
    if (billTo?.email === undefined) return {};
    const command: QueueMessage = {
      type: 'QueueMessage', messageId: messageIdOf(tenant, template, aboutId), accountId: billTo.accountId, template, to: billTo.email, ...write(billTo), invoiceId, language: billTo.language, ...(creditNoteId === undefined ? {} : { creditNoteId }),
      at: clockId === undefined ? clock.now() : at,
    };
    return { commands: [{ decider: messageDecider, command }] };
  };
  const aboutInvoices = async (facts: readonly Fact<InvoiceFinalized>[], tx: Tx): Promise<Reaction[]> => {
    const contacts = await copies.keep(tx, facts.map(({ tenant, event }) => ({ tenant, invoice: event })));
    return facts.map((fact, nth) => {
      const { invoiceId, total: amount, amountDue, currency, dueAt, zone = 'UTC' } = fact.event;
      return queue(fact, { template: 'invoice_finalized', aboutId: invoiceId, invoiceId, billTo: contacts[nth], write: (to) => invoiceFinalized({ ...to, amount, currency, amountDue, dueOn: localDateOf(dueAt, zone) }) });
    });
  };
  return {
    kind: 'reactor', name: 'notifications-writer', topics: ['billing.invoices', 'payments.payments', 'notifications.messages'],
    together: async (facts, tx) => {
      const invoices = facts.filter((fact): fact is Fact<InvoiceFinalized> => fact.event.type === 'InvoiceFinalized');
      if (invoices.length === 0) return [];
      const reactions = new Map((await aboutInvoices(invoices, tx)).map((reaction, nth) => [invoices[nth]!, reaction]));
      return facts.map((fact) => reactions.get(fact as Fact<InvoiceFinalized>));
    },
    on: {
      ...on<InvoiceFinalized>('InvoiceFinalized', async (_, fact, tx) => (await aboutInvoices([fact], tx))[0]!),
      ...on<CreditNoteIssued>('CreditNoteIssued', async ({ creditNoteId, invoiceId, number, total: amount, currency, applied, toBalance, toRefund, billTo: to }, fact, tx) => {
        const contact = await copies.of(tx, fact.tenant, invoiceId);
        // The note says who it is made out to now; of an erased customer it reads as a text.
        const billTo = contact === undefined || (to as unknown) === ERASED ? undefined : { ...contact, name: to.name, email: to.email };
        return queue(fact, {
          template: 'credit_note_issued', aboutId: creditNoteId, invoiceId, creditNoteId, billTo, write: (whom) => creditNoteIssued({ ...whom, number, invoiceNumber: whom.number, amount, currency, applied, toBalance, toRefund }),
        });
      }),
      ...on<PaymentSucceeded>('PaymentSucceeded', async ({ paymentId, invoiceId, amount, currency }, fact, tx) => {
        const billTo = await copies.of(tx, fact.tenant, invoiceId);
        return queue(fact, { template: 'payment_succeeded', aboutId: paymentId, invoiceId, billTo, write: (to) => paymentSucceeded({ ...to, amount, currency }) });
      }),
      ...on<PaymentFailed>('PaymentFailed', async ({ paymentId, invoiceId, amount, currency, declineCode }, fact, tx) => {
        const billTo = await copies.of(tx, fact.tenant, invoiceId);
        return queue(fact, { template: 'payment_failed', aboutId: paymentId, invoiceId, billTo, write: (to) => paymentFailed({ ...to, amount, currency, declineCode }) });
      }),
      ...on<MessageQueued>('MessageQueued', ({ messageId }, { id, tenant, at, clockId }) => {
        const payload: SendPayload = { messageId };
        return { jobs: [{ id: derivedId('job', SEND_MESSAGE, id), kind: SEND_MESSAGE, tenant, dueAt: at, clockId, payload }] };
      }),
    },
  };
};
