import type { PaymentProvider } from '../provider';
import type { ProviderBook } from '../provider-settings';
import { StripeProvider } from './stripe-provider';

export const STRIPE = 'stripe';
/** Stripe, by the key that each tenant has given. */
export const stripeProvider = (book: ProviderBook, timeoutMs: number, url?: string): PaymentProvider =>
  new StripeProvider({ name: STRIPE, timeoutMs, account: async (tenant) => ({ apiKey: await book.apiKey(tenant, STRIPE), ...(url === undefined ? {} : { url }) }) });
