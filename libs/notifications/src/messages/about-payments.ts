import { compareInstants, isId, localDateOf } from '@valueverse/kernel';
import type { PaymentActionRequired, PaymentFailed, PaymentMethodExpiryAnnounced, PaymentRetryScheduled, PaymentSucceeded } from '@valueverse/contracts';
import type { DomainEvent, Reacting, Reactor, Tx } from '@valueverse/event-log';
import type { AccountContacts } from './account-contacts';
import type { BillToCopies, Contact } from './bill-to';
import { isPage, paymentActionRequired, paymentFailed, paymentMethodExpiring, paymentRetrying, paymentSucceeded } from './domain/templates';
import type { Queue } from './writer';

/** Who is told of a payment, and of which invoice. */
interface Payer { readonly invoiceId?: string; readonly contact: (Contact & { readonly number: string | undefined }) | undefined }

/** Writes to customers about the money that we collect. A payment goes to whoever its invoice was billed to; one that is paid ahead, and a card, to whoever the account names now. */
export const aboutPayments = (copies: BillToCopies, accounts: AccountContacts, queue: Queue): Reactor['on'] => {
  const on = <E extends DomainEvent>(type: E['type'], reacting: Reacting<E>) => ({ [type]: reacting });
  /** What is paid ahead has a credit in the place of its invoice. */
  const payerOf = async (tx: Tx, tenant: string, { invoiceId, accountId }: { readonly invoiceId: string; readonly accountId: string }): Promise<Payer> => {
    if (!isId('crd', invoiceId)) return { invoiceId, contact: await copies.of(tx, tenant, invoiceId) };
    const { contact } = await accounts.of(tx, tenant, accountId);
    return { contact: contact === undefined ? undefined : { ...contact, number: undefined } };
  };
  return {
    ...on<PaymentSucceeded>('PaymentSucceeded', async (event, fact, tx) => {
      const { paymentId, amount, currency } = event;
      return queue(fact, { template: 'payment_succeeded', aboutId: paymentId, ...await payerOf(tx, fact.tenant, event), write: (to) => paymentSucceeded({ ...to, amount, currency }) });
    }),
    ...on<PaymentFailed>('PaymentFailed', async (event, fact, tx) => {
      const { paymentId, amount, currency, declineCode } = event;
      return queue(fact, { template: 'payment_failed', aboutId: paymentId, ...await payerOf(tx, fact.tenant, event), write: (to) => paymentFailed({ ...to, amount, currency, declineCode }) });
    }),
    // What is tried at once with another card, or soon because a provider was at fault, asks nothing of the customer. What was written before payments said what it is about is passed over.
    ...on<PaymentRetryScheduled>('PaymentRetryScheduled', async ({ paymentId, attempt, declineClass, declineCode, retryAt, scheduledAt, invoiceId, accountId, amount, currency }, fact, tx) => {
      if (declineClass !== 'soft' || compareInstants(retryAt, scheduledAt) <= 0 || invoiceId === undefined || accountId === undefined || amount === undefined || currency === undefined) return {};
      const contact = await copies.of(tx, fact.tenant, invoiceId);
      const { timezone } = await accounts.of(tx, fact.tenant, accountId);
      const retryOn = localDateOf(retryAt, timezone);
      return queue(fact, { template: 'payment_retrying', aboutId: `${paymentId} ${attempt}`, invoiceId, contact, write: (to) => paymentRetrying({ ...to, amount, currency, declineCode, retryOn }) });
    }),
    ...on<PaymentActionRequired>('PaymentActionRequired', async (event, fact, tx) => {
      const { paymentId, attempt, url } = event;
      if (!isPage(url)) return {};
      return queue(fact, { template: 'payment_action_required', aboutId: `${paymentId} ${attempt}`, ...await payerOf(tx, fact.tenant, event), write: (to) => paymentActionRequired({ ...to, url }) });
    }),
    ...on<PaymentMethodExpiryAnnounced>('PaymentMethodExpiryAnnounced', async ({ methodId, accountId, brand, last4, expires }, fact, tx) => {
      const { contact } = await accounts.of(tx, fact.tenant, accountId);
      return queue(fact, { template: 'payment_method_expiring', aboutId: `${methodId} ${expires}`, contact, write: (to) => paymentMethodExpiring({ ...to, brand, last4, expires }) });
    }),
  };
};
