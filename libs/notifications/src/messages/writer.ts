import { derivedId, localDateOf, type Clock } from '@valueverse/kernel';
import type { AccountChanged, AccountOpened, CreditNoteIssued, InvoiceFinalized, MessageQueued } from '@valueverse/contracts';
import { ERASED, type DomainEvent, type Fact, type KeyRing, type Reacting, type Reaction, type Reactor, type Tx } from '@valueverse/event-log';
import { aboutPayments } from './about-payments';
import { AccountContacts } from './account-contacts';
import { BillToCopies, type Contact } from './bill-to';
import type { QueueMessage, Template } from './domain/message';
import { creditNoteIssued, invoiceFinalized, type Written } from './domain/templates';
import { messageDecider } from './messages';
import { SEND_MESSAGE, type SendPayload } from './send-job';

/** A message's id follows from what it is about, so that something that is told twice is mailed once. */
export const messageIdOf = (tenant: string, template: Template, aboutId: string): string => derivedId('msg', tenant, template, aboutId);

/** What is written to whom. Nobody where the customer was erased. */
interface Addressed<C extends Contact> { readonly template: Template; readonly aboutId: string; readonly invoiceId?: string; readonly creditNoteId?: string; readonly contact: C | undefined; readonly write: (contact: C) => Written }
/** Queues a message that follows from a fact. */
export type Queue = <C extends Contact>(fact: Fact, addressed: Addressed<C>) => Reaction;

const queueBy = (clock: Clock): Queue => ({ tenant, clockId, at }, { template, aboutId, invoiceId, creditNoteId, contact, write }) => {
  // Who left no address, or was erased, gets no mail.
  if (contact?.email === undefined) return {};
  const command: QueueMessage = {
    type: 'QueueMessage', messageId: messageIdOf(tenant, template, aboutId), accountId: contact.accountId, template, to: contact.email, ...write(contact), language: contact.language,
    ...(invoiceId === undefined ? {} : { invoiceId }), ...(creditNoteId === undefined ? {} : { creditNoteId }), at: clockId === undefined ? clock.now() : at,
  };
  return { commands: [{ decider: messageDecider, command }] };
};

const factsOf = <E extends DomainEvent>(facts: readonly Fact[], ...types: readonly E['type'][]): Fact<E>[] => facts.filter((fact): fact is Fact<E> => types.includes(fact.event.type));

/** Writes to customers about their invoices, payments and cards, and hands each message to a job. */
export const writer = (clock: Clock, keys: KeyRing): Reactor => {
  const on = <E extends DomainEvent>(type: E['type'], reacting: Reacting<E>) => ({ [type]: reacting });
  const [copies, accounts, queue] = [new BillToCopies(keys), new AccountContacts(keys), queueBy(clock)];
  const aboutInvoices = async (facts: readonly Fact<InvoiceFinalized>[], tx: Tx): Promise<Reaction[]> => {
    const contacts = await copies.keep(tx, facts.map(({ tenant, event }) => ({ tenant, invoice: event })));
    await accounts.noteLanguages(tx, facts);
    return facts.map((fact, nth) => {
      const { invoiceId, total: amount, amountDue, currency, dueAt, zone = 'UTC' } = fact.event;
      return queue(fact, { template: 'invoice_finalized', aboutId: invoiceId, invoiceId, contact: contacts[nth], write: (to) => invoiceFinalized({ ...to, amount, currency, amountDue, dueOn: localDateOf(dueAt, zone) }) });
    });
  };
  const keepAccounts = async (facts: readonly Fact<AccountOpened | AccountChanged>[], tx: Tx): Promise<Reaction> => {
    await accounts.keep(tx, facts);
    return {};
  };
  return {
    kind: 'reactor', name: 'notifications-writer', topics: ['billing.accounts', 'billing.invoices', 'payments.methods', 'payments.payments', 'notifications.messages'],
    together: async (facts, tx) => {
      const [invoices, told] = [factsOf<InvoiceFinalized>(facts, 'InvoiceFinalized'), factsOf<AccountOpened | AccountChanged>(facts, 'AccountOpened', 'AccountChanged')];
      const reactions = new Map<Fact, Reaction>();
      if (told.length > 0) {
        const kept = await keepAccounts(told, tx);
        for (const fact of told) reactions.set(fact, kept);
      }
      if (invoices.length > 0) for (const [nth, reaction] of (await aboutInvoices(invoices, tx)).entries()) reactions.set(invoices[nth]!, reaction);
      return facts.map((fact) => reactions.get(fact));
    },
    on: {
      ...on<AccountOpened>('AccountOpened', (_, fact, tx) => keepAccounts([fact], tx)),
      ...on<AccountChanged>('AccountChanged', (_, fact, tx) => keepAccounts([fact], tx)),
      ...on<InvoiceFinalized>('InvoiceFinalized', async (_, fact, tx) => (await aboutInvoices([fact], tx))[0]!),
      ...on<CreditNoteIssued>('CreditNoteIssued', async ({ creditNoteId, invoiceId, number, total: amount, currency, applied, toBalance, toRefund, billTo: to }, fact, tx) => {
        const billTo = await copies.of(tx, fact.tenant, invoiceId);
        // The note says who it is made out to now; of an erased customer it reads as a text.
        const contact = billTo === undefined || (to as unknown) === ERASED ? undefined : { ...billTo, name: to.name, email: to.email };
        return queue(fact, {
          template: 'credit_note_issued', aboutId: creditNoteId, invoiceId, creditNoteId, contact, write: (whom) => creditNoteIssued({ ...whom, number, invoiceNumber: whom.number, amount, currency, applied, toBalance, toRefund }),
        });
      }),
      ...aboutPayments(copies, accounts, queue),
      ...on<MessageQueued>('MessageQueued', ({ messageId }, { id, tenant, at, clockId }) => {
        const payload: SendPayload = { messageId };
        return { jobs: [{ id: derivedId('job', SEND_MESSAGE, id), kind: SEND_MESSAGE, tenant, dueAt: at, clockId, payload }] };
      }),
    },
  };
};
