import type { SandboxBook } from './sandbox-book';
import { type Card, invalid, missing } from './sandbox-objects';
import { behaviourOf, cardPrefixOf, isCard } from './sandbox-tokens';

/** The card that a token is made into; `undefined` for a token that is not there. As with Stripe's test tokens it is another card each time. */
export const newCard = (book: SandboxBook, token: string, customer: string | null): Card | undefined => (isCard(token) || behaviourOf(token) === undefined ? undefined : {
  id: book.id(cardPrefixOf(token)), object: 'payment_method', type: 'card', customer, created: book.seconds, livemode: false, metadata: {}, card: { brand: 'visa', last4: '4242', exp_month: 12, exp_year: 2034 },
});

/** Gives a customer a card: a new one of a token, or one that the customer has already. A card that was let go is nobody's for ever. */
export const attachCard = async (book: SandboxBook, name: string, customer: string, key?: string): Promise<Card> => {
  if (await book.get('customer', customer) === undefined) throw missing('customer', 'customer');
  const known = await book.get('payment_method', name, true);
  if (known?.customer === customer) return known;
  if (known !== undefined && isCard(name)) throw invalid('This PaymentMethod was previously used without being attached to a Customer or was detached from a Customer, and may not be used again.', 'payment_method');
  const card = newCard(book, name, customer);
  if (card === undefined) throw missing('PaymentMethod', 'payment_method');
  await book.put({ object: card, parent: customer, key });
  book.happened('payment_method.attached', card);
  return card;
};

/** Takes a card from its customer; where it was the one that the customer has chosen, none is chosen any more. */
export const detachCard = async (book: SandboxBook, name: string): Promise<Card> => {
  const card = await book.get('payment_method', name, true);
  if (card === undefined) throw missing('PaymentMethod', 'payment_method');
  if (card.customer === null) throw invalid('The payment method you provided is not attached to a customer so detachment is impossible.', 'payment_method');
  const customer = await book.get('customer', card.customer, true);
  if (customer?.invoice_settings?.default_payment_method === name) await book.put({ object: { ...customer, invoice_settings: { default_payment_method: null } } });
  const free: Card = { ...card, customer: null };
  await book.put({ object: free });
  book.happened('payment_method.detached', free);
  return free;
};

/** What a customer chooses at the page of the provider. */
export const chooseCard = async (book: SandboxBook, customerId: string, name: string): Promise<void> => {
  const customer = await book.get('customer', customerId, true);
  const card = await book.get('payment_method', name);
  if (customer === undefined || card?.customer !== customerId) throw missing('PaymentMethod', 'payment_method');
  const chosen = { ...customer, invoice_settings: { default_payment_method: name } };
  await book.put({ object: chosen });
  book.happened('customer.updated', chosen);
};
