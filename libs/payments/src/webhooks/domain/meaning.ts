import { attemptOfKey } from '../../collection/domain/payment';

/** What an event of a provider asks us to look at. Nothing of its content is believed: the provider is asked how things stand, so that the order in which events come does not matter. */
export type Meaning =
  | { readonly look: 'attempt'; readonly paymentId: string; readonly attempt: number }
  | { readonly look: 'refunds'; readonly chargeReference: string }
  | { readonly look: 'dispute'; readonly disputeReference: string; readonly chargeReference: string }
  | { readonly look: 'setup'; readonly reference: string; readonly accountId: string }
  | { readonly look: 'payout'; readonly reference: string }
  | { readonly look: 'method'; readonly token?: string; readonly customer?: string }
  | { readonly look: 'nothing'; readonly reason: string }
  | { readonly look: 'failed'; readonly reason: string };

interface Event { readonly type: string; readonly data?: { readonly object?: Readonly<Record<string, unknown>> } }
const text = (value: unknown): string | undefined => (typeof value === 'string' && value !== '' ? value : undefined);
const idOf = (value: unknown): string | undefined => text(value) ?? text((value as { id?: unknown } | null | undefined)?.id);

type Read = (object: Readonly<Record<string, unknown>>) => Meaning;
/** By the key that we gave the attempt: our own words, in a body that is signed. */
const attempt: Read = ({ metadata }) => {
  const own = attemptOfKey(text((metadata as Record<string, unknown> | undefined)?.['attempt']) ?? '');
  return own === undefined ? { look: 'nothing', reason: 'a payment that was not made here' } : { look: 'attempt', ...own };
};
/** A page at which a card was entered names the account; any other page is of an attempt, or of somebody else. */
const page: Read = (object) => {
  const { id, metadata } = object;
  const accountId = text((metadata as Record<string, unknown> | undefined)?.['account']);
  return text(id) === undefined || accountId === undefined ? attempt(object) : { look: 'setup', reference: text(id)!, accountId };
};
const refunds: Read = ({ payment_intent: intent }) => {
  const reference = idOf(intent);
  return reference === undefined ? { look: 'nothing', reason: 'a refund of no payment' } : { look: 'refunds', chargeReference: reference };
};
const dispute: Read = ({ id, payment_intent: intent }) => {
  const [disputeReference, chargeReference] = [text(id), idOf(intent)];
  return disputeReference === undefined || chargeReference === undefined ? { look: 'failed', reason: 'a dispute without its id or its payment' } : { look: 'dispute', disputeReference, chargeReference };
};
const method: Read = ({ id, customer }) => (text(id) === undefined ? { look: 'failed', reason: 'a method without its id' } : { look: 'method', token: text(id)!, ...(idOf(customer) === undefined ? {} : { customer: idOf(customer)! }) });
/** Which method the customer has chosen may have changed. */
const customer: Read = ({ id }) => (text(id) === undefined ? { look: 'failed', reason: 'a customer without its id' } : { look: 'method', customer: text(id)! });
const payout: Read = ({ id }) => (text(id) === undefined ? { look: 'failed', reason: 'a payout without its id' } : { look: 'payout', reference: text(id)! });
const noted = (reason: string): Read => () => ({ look: 'nothing', reason });
const OF_STRIPE_BILLING = noted('of the invoices and subscriptions that the provider makes by itself: here billing makes them');

/** Every type that is known, and how it is read. */
const READS: Readonly<Record<string, Read>> = {
  'payment_intent.succeeded': attempt, 'payment_intent.payment_failed': attempt, 'payment_intent.processing': attempt, 'payment_intent.requires_action': attempt, 'payment_intent.canceled': attempt, 'payment_intent.created': attempt,
  'checkout.session.completed': page, 'checkout.session.async_payment_succeeded': attempt, 'checkout.session.async_payment_failed': attempt, 'checkout.session.expired': noted('a page that nobody used'),
  'charge.succeeded': attempt, 'charge.failed': attempt, 'charge.updated': noted('news of a charge that moves no money'), 'charge.refunded': refunds, 'charge.refund.updated': refunds, 'refund.created': refunds, 'refund.updated': refunds, 'refund.failed': refunds,
  'charge.dispute.created': dispute, 'charge.dispute.updated': dispute, 'charge.dispute.closed': dispute, 'charge.dispute.funds_withdrawn': dispute, 'charge.dispute.funds_reinstated': dispute,
  'payout.created': payout, 'payout.paid': payout, 'payout.failed': payout, 'payout.updated': payout, 'payout.canceled': payout, 'payout.reconciliation_completed': payout,
  'payment_method.attached': method, 'payment_method.updated': method, 'payment_method.automatically_updated': method, 'payment_method.detached': method,
  'customer.created': noted('customers are made by us'), 'customer.updated': customer, 'customer.deleted': noted('a customer was removed at the provider; its next payment says so'),
  'customer.subscription.created': OF_STRIPE_BILLING, 'customer.subscription.updated': OF_STRIPE_BILLING, 'customer.subscription.deleted': OF_STRIPE_BILLING, 'invoice.paid': OF_STRIPE_BILLING, 'invoice.payment_failed': OF_STRIPE_BILLING,
  'setup_intent.succeeded': noted('the method is attached by whoever asked for it'), 'setup_intent.setup_failed': noted('nothing was attached'),
};

/** `undefined` for a type that is not known. */
export const meaningOf = ({ type, data }: Event): Meaning | undefined => {
  const read = Object.hasOwn(READS, type) ? READS[type] : undefined;
  if (read === undefined) return undefined;
  return typeof data?.object === 'object' && data.object !== null ? read(data.object) : { look: 'failed', reason: 'an event without its object' };
};
