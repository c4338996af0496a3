import type { PaymentAttemptDeclined } from '@valueverse/contracts';

export type DeclineClass = PaymentAttemptDeclined['declineClass'];

/** What is asked of a provider: once per key, however often it is sent. */
export interface ChargeOrder {
  readonly tenant: string;
  /** Of one attempt. A provider that has seen the key answers what it answered before. */
  readonly key: string;
  /** In minor units of the currency. */
  readonly amountMinor: bigint;
  readonly currency: string;
  readonly token: string;
  /** What the payer's statement and the provider's dashboard show: the id of the invoice. */
  readonly reference: string;
}

/** What came of an order. `amountMinor` is what was really taken, which is what is recorded. */
export type ProviderAnswer =
  | { readonly status: 'succeeded'; readonly reference: string; readonly amountMinor: bigint; readonly currency: string }
  | { readonly status: 'declined'; readonly code: string; readonly class: DeclineClass };

/**
 * A party outside that moves money. Whatever throws or does not answer in time means that nobody knows: it is never taken for a decline.
 * Never called inside a transaction of ours.
 */
export interface PaymentProvider {
  /** As it is named in requests and facts. */
  readonly name: string;
  /** Whether the provider would take the token. */
  knowsToken(tenant: string, token: string): Promise<boolean>;
  charge(order: ChargeOrder, signal: AbortSignal): Promise<ProviderAnswer>;
  /** What became of a key. `undefined` is proof that nothing was done under it; not to know is an error. */
  find(order: Pick<ChargeOrder, 'tenant' | 'key'>, signal: AbortSignal): Promise<ProviderAnswer | undefined>;
}

/** The providers of this installation, by name. */
export class Providers {
  private readonly byName: ReadonlyMap<string, PaymentProvider>;

  constructor(providers: readonly PaymentProvider[]) {
    this.byName = new Map(providers.map((provider) => [provider.name, provider]));
    if (this.byName.size !== providers.length) throw new Error('two payment providers of one name');
  }

  get names(): readonly string[] { return [...this.byName.keys()]; }
  find(name: string): PaymentProvider | undefined { return this.byName.get(name); }
}
