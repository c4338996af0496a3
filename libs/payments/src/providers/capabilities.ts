import { Refused } from '@valueverse/kernel';
import type { PaymentProvider, RefusedOrder } from './provider';

/**
 * What a provider may be able to do beside keeping its book. `methods`: it keeps cards for later; `charges`: it takes money from them while the customer is away; `pages`: it has pages of its own, for customers and for tenants; `webhooks`: it announces what happens. What it cannot
 * do it refuses with the code beside it, and nothing is done.
 */
export const NOT_SUPPORTED = { methods: 'methods_not_supported', charges: 'charges_not_supported', pages: 'pages_not_supported', webhooks: 'webhooks_not_supported' } as const;
export type Capability = keyof typeof NOT_SUPPORTED;
export type Capabilities = Readonly<Record<Capability, boolean>>;
export const ALL_CAPABILITIES: Capabilities = { methods: true, charges: true, pages: true, webhooks: true };

/** The answer of a provider to what it cannot do. */
export const notSupported = (provider: string, capability: Capability): RefusedOrder => ({ status: 'refused', code: NOT_SUPPORTED[capability], detail: `the provider ${provider} does not do this: ${capability}` });

/** Refuses what a provider cannot do, before anybody is asked: with `methods_not_supported`, `charges_not_supported`, `pages_not_supported` or `webhooks_not_supported`. */
export const requireCapability = ({ name, can }: Pick<PaymentProvider, 'name' | 'can'>, capability: Capability, pointer?: string): void => {
  if (!can[capability]) throw new Refused(NOT_SUPPORTED[capability], notSupported(name, capability).detail, pointer);
};
