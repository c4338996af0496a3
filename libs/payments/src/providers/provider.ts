import { Refused } from '@valueverse/kernel';
import type { PaymentAttemptDeclined } from '@valueverse/contracts';
import type { Capabilities } from './capabilities';

/** `hard`: this card never works again; `soft`: another day it may; `fraud`: nobody should try it again; `technical`: not the card's fault. */
export type DeclineClass = PaymentAttemptDeclined['declineClass'];

/** Whose account at the provider is spoken to, and when it is there: `now` is the present of the clock that the payment lives on. */
export interface Speaking { readonly tenant: string; readonly now: string }

export interface CustomerOrder extends Speaking { readonly accountId: string }
/** `key` is of one request to attach it: sent twice it is attached once, also where the token makes a new method each time. */
export interface MethodOrder extends Speaking { readonly key: string; readonly customer: string; readonly token: string }

/** What is asked of a provider: once per key, however often it is sent. */
export interface ChargeOrder extends Speaking {
  /** Of one attempt. A provider that has seen the key answers what it answered before. */
  readonly key: string;
  readonly paymentId: string;
  /** In minor units of the currency. */
  readonly amountMinor: bigint;
  readonly currency: string;
  readonly customer: string;
  readonly token: string;
  /** What the payer's statement and the provider's dashboard show: the id of the invoice. */
  readonly description: string;
  /** Where the page of a bank leads the customer back to. */
  readonly returnUrl: string;
}
/** A charge whose bank wants the customer there: it is asked for again, with the customer. `key` is the one of the attempt. */
export interface ConfirmOrder extends ReferenceOrder { readonly key: string; readonly token: string; readonly returnUrl: string }
/** Where to look for what became of a key: what the customer was charged from this instant on. */
export interface FindOrder extends Speaking { readonly key: string; readonly customer: string; readonly since: string }
export interface RefundOrder extends Speaking { readonly key: string; readonly refundId: string; readonly reference: string; readonly amountMinor: bigint; readonly currency: string }
export interface ReferenceOrder extends Speaking { readonly reference: string }

/**
 * Nobody knows what came of it: it is looked up before anything is tried again. `isReplay`: the key was given this answer before, and will never be given another. `isAnswer`: this says nothing against the
 * provider, which has answered, or was not asked because of something of this tenant's alone.
 */
export interface Unknown { readonly status: 'unknown'; readonly reason: string; readonly isReplay?: boolean; readonly isAnswer?: boolean }
/** Nothing was done, and it is sure that nothing was: it can be sent again. `isAnswer` as above: a key that is not taken, or too many requests under it, are no fault that others would meet. */
export interface Unavailable { readonly status: 'unavailable'; readonly reason: string; readonly isAnswer?: boolean }
/** What the provider refuses for good: the order is wrong, not the moment. */
export interface RefusedOrder { readonly status: 'refused'; readonly code: string; readonly detail: string }
export type NoAnswer = Unknown | Unavailable | RefusedOrder;

/** Money that was really taken, with the fee of the provider where it says so. In minor units. */
export interface Taken { readonly status: 'succeeded'; readonly reference: string; readonly amountMinor: bigint; readonly currency: string; readonly feeMinor?: bigint }
export type ChargeOutcome =
  | Taken
  | { readonly status: 'declined'; readonly code: string; readonly class: DeclineClass; readonly reference?: string }
  /** The bank takes it only with its customer there: nothing was done, and `confirm` asks for it. */
  | { readonly status: 'needs_customer'; readonly reference: string }
  /** The money is on its way and arrives, or not, within days. */
  | { readonly status: 'processing'; readonly reference: string }
  /** The customer has to confirm it, at `url`. */
  | { readonly status: 'requires_action'; readonly reference: string; readonly url: string };
/** What became of a key or a reference; `absent` is proof that nothing was done under it. */
export type Found = ChargeOutcome | { readonly status: 'absent' } | NoAnswer;

/** What is left of an answer when the customer was asked for where the bank wanted it. */
export type Settled = Exclude<Found, { readonly status: 'needs_customer' }>;

export type RefundOutcome =
  | { readonly status: 'succeeded'; readonly reference: string; readonly amountMinor: bigint; readonly currency: string }
  | { readonly status: 'pending'; readonly reference: string }
  | { readonly status: 'failed'; readonly reference?: string; readonly code: string };
export type FoundRefund = RefundOutcome | { readonly status: 'absent' } | NoAnswer;

/**
 * A refund as its provider has it, in minor units. `key` is ours, by which it was ordered: one that was made at the provider's own pages has none. `attemptKey` is that of the attempt whose money it is, where that was made here. `code` says
 * why it failed.
 */
export interface ProviderRefund {
  readonly reference: string; readonly chargeReference: string; readonly attemptKey?: string; readonly key?: string; readonly amountMinor: bigint; readonly currency: string; readonly state: 'pending' | 'succeeded' | 'failed'; readonly code?: string;
}
/** What was made at the provider from an instant on, after another one. */
export interface MadeOrder extends Speaking { readonly since: string; readonly after?: string }
/** Refunds that were made from an instant on, or all of a charge. */
export type RefundsOrder = MadeOrder | (Speaking & { readonly chargeReference: string; readonly after?: string });
export interface RefundsPage { readonly refunds: readonly ProviderRefund[]; readonly next?: string }
export interface DisputesPage { readonly disputes: readonly ProviderDispute[]; readonly next?: string }

/** A customer who takes money back through the bank. An `inquiry` is a question of the bank that takes nothing yet: it is closed, or becomes a dispute. Amounts in minor units. */
export interface ProviderDispute {
  readonly reference: string; readonly chargeReference: string; readonly amountMinor: bigint; readonly currency: string; readonly reason: string;
  readonly status: 'inquiry' | 'inquiry_closed' | 'needs_response' | 'under_review' | 'won' | 'lost'; readonly evidenceDueBy?: string;
  /** What the bank takes for it, however it ends. */
  readonly feeMinor?: bigint;
  /** The key of the attempt whose money it is, where that was made here. */
  readonly attemptKey?: string;
}
/** Money that goes to the tenant's bank, in minor units. */
export interface ProviderPayout {
  readonly status: 'found'; readonly reference: string; readonly amountMinor: bigint; readonly currency: string; readonly state: 'pending' | 'in_transit' | 'paid' | 'failed' | 'cancelled'; readonly createdAt: string; readonly arrivesAt: string;
}
/** A line of the provider's balance: `net` = `amount` - `fee`, in minor units; `source` is the charge, refund, dispute or payout that it is of. */
export interface BalanceEntry {
  readonly reference: string; readonly type: 'charge' | 'refund' | 'dispute' | 'payout' | 'fee' | 'other'; readonly amountMinor: bigint; readonly feeMinor: bigint; readonly currency: string; readonly source: string; readonly at: string;
  /** What its customer paid or was given, where the balance is in another currency. */
  readonly paid?: { readonly amountMinor: bigint; readonly currency: string };
  /** Our key by which the charge, or the refund, was ordered. */
  readonly key?: string;
  /** The charge that a refund or a dispute is of. */
  readonly chargeReference?: string;
}
/** Something that has lines on the balance: a charge, a refund, a dispute or a payout, by what the provider calls it. */
export interface ThingOrder extends ReferenceOrder { readonly type: 'charge' | 'refund' | 'dispute' | 'payout' }
/** Which lines of the balance: from one instant to another, or those that a payout is made of. */
export interface BalanceOrder extends Speaking { readonly from?: string; readonly to?: string; readonly payout?: string; readonly after?: string }
export interface PayoutsPage { readonly payouts: readonly Omit<ProviderPayout, 'status'>[]; readonly next?: string }
export interface BalancePage { readonly entries: readonly BalanceEntry[]; readonly next?: string }

/** A method as its provider has it; `token` is what it is charged by, `customer` whose it is, `createdAt` when it was entered there. */
export interface MethodDetails { readonly status: 'attached'; readonly token: string; readonly customer: string; readonly createdAt: string; readonly brand?: string; readonly last4?: string; readonly expires?: string }

export type CardAtProvider = Omit<MethodDetails, 'status' | 'customer' | 'createdAt'>;

/** A page of the provider at which a customer enters a card that may be charged later, in a currency. */
export interface SetupOrder extends Speaking { readonly key: string; readonly setupId: string; readonly accountId: string; readonly customer: string; readonly currency: string; readonly isDefault: boolean; readonly returnUrl: string }
export interface OpenPage { readonly status: 'open'; readonly reference: string; readonly url: string }
/** How such a page stands: `complete` with the card that was entered. */
export type SetupState = { readonly status: 'open' | 'expired' | 'absent' } | { readonly status: 'complete'; readonly accountId: string; readonly isDefault: boolean; readonly method: CardAtProvider };

/**
 * A party outside that moves money. What it says is data: also that nobody knows (`unknown`), which is never taken for a decline, and that nothing was done
 * (`unavailable`). Nothing here throws but a bug. Never called inside a transaction of ours. Every adapter passes `describeProvider` of `provider.spec-kit.ts`.
 */
export interface PaymentProvider {
  /** As it is named in requests and facts. */
  readonly name: string;
  /** What it does at all: everything else is `refused` with the code of `NOT_SUPPORTED`. */
  readonly can: Capabilities;
  /** What amounts have to be multiples of, in minor units of a currency. An order of anything else is `refused` with `amount_too_fine`, and nobody is asked. */
  stepOf(currency: string): bigint;
  /** One customer per account, however often it is asked for. */
  customer(order: CustomerOrder, signal: AbortSignal): Promise<{ readonly status: 'made'; readonly reference: string } | NoAnswer>;
  /** Makes a token ready to be charged while the customer is away. `refused` with `unknown_token` where there is no such token. */
  attach(order: MethodOrder, signal: AbortSignal): Promise<MethodDetails | NoAnswer>;
  setup(order: SetupOrder, signal: AbortSignal): Promise<OpenPage | NoAnswer>;
  readSetup(order: ReferenceOrder, signal: AbortSignal): Promise<SetupState | NoAnswer>;
  /** A page at which a customer sees and changes what the provider has. */
  portal(order: Speaking & { readonly customer: string; readonly returnUrl: string }, signal: AbortSignal): Promise<OpenPage | NoAnswer>;
  /** What a token that was attached looks like now: banks replace cards. `absent` where it is not there, or no customer has it any more. */
  method(order: ReferenceOrder, signal: AbortSignal): Promise<MethodDetails | { readonly status: 'absent' } | NoAnswer>;
  /** Takes a method from its customer, for ever. One that is not there, or that no customer has, is `detached` too. */
  detach(order: ReferenceOrder, signal: AbortSignal): Promise<{ readonly status: 'detached' } | NoAnswer>;
  /** Which of its methods a customer has chosen to be charged, by its token. `absent` where there is no such customer any more. */
  chosenMethod(order: ReferenceOrder, signal: AbortSignal): Promise<{ readonly status: 'found'; readonly token?: string } | { readonly status: 'absent' } | NoAnswer>;
  charge(order: ChargeOrder, signal: AbortSignal): Promise<ChargeOutcome | NoAnswer>;
  find(order: FindOrder, signal: AbortSignal): Promise<Found>;
  /** What a charge has come to by now. */
  read(order: ReferenceOrder, signal: AbortSignal): Promise<Found>;
  /** Asks for a charge that `needs_customer` with the customer there: as a rule it `requires_action` then. Once per key, however often it is sent. */
  confirm(order: ConfirmOrder, signal: AbortSignal): Promise<Settled>;
  /** Ends a charge that waits for its customer. One that has succeeded meanwhile says so. */
  cancel(order: ReferenceOrder, signal: AbortSignal): Promise<Found>;
  refund(order: RefundOrder, signal: AbortSignal): Promise<RefundOutcome | NoAnswer>;
  findRefund(order: Pick<RefundOrder, 'tenant' | 'now' | 'key' | 'reference'>, signal: AbortSignal): Promise<FoundRefund>;
  /** Which refunds there are, the latest first, page by page, each as it stands now. */
  refunds(order: RefundsOrder, signal: AbortSignal): Promise<({ readonly status: 'page' } & RefundsPage) | NoAnswer>;
  dispute(order: ReferenceOrder, signal: AbortSignal): Promise<ProviderDispute | { readonly status: 'absent' } | NoAnswer>;
  /** Which disputes and inquiries there are, the latest first, page by page, each as it stands now. */
  disputes(order: MadeOrder, signal: AbortSignal): Promise<({ readonly status: 'page' } & DisputesPage) | NoAnswer>;
  payout(order: ReferenceOrder, signal: AbortSignal): Promise<ProviderPayout | { readonly status: 'absent' } | NoAnswer>;
  /** Which payouts there are, the latest first, page by page. */
  payouts(order: MadeOrder, signal: AbortSignal): Promise<({ readonly status: 'page' } & PayoutsPage) | NoAnswer>;
  /** All lines of the balance that are of one thing, whenever they came. `absent` where there is no such thing. */
  linesOf(order: ThingOrder, signal: AbortSignal): Promise<{ readonly status: 'lines'; readonly entries: readonly BalanceEntry[] } | { readonly status: 'absent' } | NoAnswer>;
  /** What moved on the balance, oldest last, page by page. */
  balance(order: BalanceOrder, signal: AbortSignal): Promise<({ readonly status: 'page' } & BalancePage) | NoAnswer>;
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
  /** The one that a request names, at `pointer`. Refuses with `unknown_provider`. */
  named(name: string, pointer?: string): PaymentProvider {
    const provider = this.find(name);
    if (provider === undefined) throw new Refused('unknown_provider', `there is no such provider here, there is ${this.names.join(', ')}`, pointer);
    return provider;
  }
}
