/** Objects as the sandbox says them: those fields of Stripe's objects that it keeps. Amounts are minor units, instants seconds since 1970. */
interface Base { readonly id: string; readonly object: string; readonly created: number; readonly livemode: false }
export interface PaymentError { readonly type: 'card_error'; readonly code: string; readonly decline_code?: string; readonly message: string }
export interface Intent extends Base {
  readonly object: 'payment_intent'; readonly amount: number; readonly amount_received: number; readonly currency: string; readonly customer: string | null; readonly payment_method: string; readonly description: string | null;
  readonly status: 'requires_payment_method' | 'requires_action' | 'processing' | 'succeeded' | 'canceled';
  readonly metadata: Readonly<Record<string, string>>; readonly latest_charge: string | null;
  readonly next_action: { readonly type: 'redirect_to_url'; readonly redirect_to_url: { readonly url: string; readonly return_url: string | null } } | null; readonly last_payment_error: PaymentError | null;
}
export interface Charge extends Base {
  readonly object: 'charge'; readonly amount: number; readonly amount_captured: number; readonly amount_refunded: number; readonly currency: string; readonly customer: string | null; readonly payment_intent: string; readonly payment_method: string;
  readonly status: 'succeeded' | 'failed'; readonly paid: boolean; readonly refunded: boolean; readonly disputed: boolean; readonly balance_transaction: string; readonly metadata: Readonly<Record<string, string>>;
}
export interface Refund extends Base {
  readonly object: 'refund'; readonly amount: number; readonly currency: string; readonly charge: string; readonly payment_intent: string; readonly status: 'pending' | 'succeeded' | 'failed'; readonly failure_reason?: string;
  readonly reason: string | null; readonly metadata: Readonly<Record<string, string>>; readonly balance_transaction: string | null; readonly failure_balance_transaction?: string;
}
export interface Dispute extends Base {
  readonly object: 'dispute'; readonly amount: number; readonly currency: string; readonly charge: string; readonly payment_intent: string; readonly reason: string; readonly status: 'warning_needs_response' | 'warning_closed' | 'needs_response' | 'under_review' | 'won' | 'lost';
  readonly balance_transactions: readonly BalanceTransaction[]; readonly evidence_details: { readonly due_by: number; readonly has_evidence: boolean }; readonly metadata: Readonly<Record<string, string>>;
}
export interface BalanceTransaction extends Base {
  readonly object: 'balance_transaction'; readonly amount: number; readonly fee: number; readonly net: number; readonly currency: string; readonly type: 'charge' | 'refund' | 'refund_failure' | 'adjustment' | 'payout'; readonly reporting_category: string; readonly source: string;
}
export interface Customer extends Base { readonly object: 'customer'; readonly metadata: Readonly<Record<string, string>>; readonly invoice_settings?: { readonly default_payment_method: string | null } }
export interface Payout extends Base { readonly object: 'payout'; readonly amount: number; readonly currency: string; readonly status: 'paid'; readonly arrival_date: number; readonly balance_transaction: string }
/** A card of a customer. One that was made of no token, and one whose customer let it go, belongs to nobody. */
export interface Card extends Base { readonly object: 'payment_method'; readonly type: 'card'; readonly customer: string | null; readonly metadata: Readonly<Record<string, string>>; readonly card: { readonly brand: string; readonly last4: string; readonly exp_month: number; readonly exp_year: number } }
/** A page at which a customer enters a card. */
export interface CheckoutSession extends Base {
  readonly object: 'checkout.session'; readonly mode: 'setup'; readonly status: 'open' | 'complete'; readonly url: string; readonly customer: string; readonly success_url: string; readonly metadata: Readonly<Record<string, string>>;
  readonly setup_intent: { readonly id: string; readonly object: 'setup_intent'; readonly status: 'succeeded'; readonly payment_method: string } | null;
}
/** A page at which a customer changes which cards there are. */
export interface PortalSession extends Base { readonly object: 'billing_portal.session'; readonly customer: string; readonly return_url: string; readonly url: string }
export type SandboxObject = Intent | Charge | Refund | Dispute | BalanceTransaction | Customer | Payout | Card | CheckoutSession | PortalSession;
export type Kind = SandboxObject['object'];
export type OfKind<K extends Kind> = Extract<SandboxObject, { object: K }>;

/** What a card costs at the sandbox: 2.9 % and 30 of the minor unit, never more than the amount. */
const FEE_PER_MILLE = 29;
const FEE_FIXED = 30;
export const feeOf = (amount: number): number => Math.min(amount, Math.floor((amount * FEE_PER_MILLE) / 1000) + FEE_FIXED);

/** What a bank takes for a dispute at the sandbox, in the minor unit, however it ends. */
export const DISPUTE_FEE = 1_500;

/** What Stripe's API calls an error. */
export class WireError extends Error {
  constructor(readonly status: number, readonly error: { readonly type: string; readonly code?: string; readonly message: string; readonly decline_code?: string; readonly param?: string; readonly payment_intent?: Intent }) { super(error.message); }
}
export const missing = (what: string, param: string): WireError => new WireError(404, { type: 'invalid_request_error', code: 'resource_missing', message: `No such ${what}`, param });
export const invalid = (message: string, param?: string, code?: string): WireError =>
  new WireError(400, { type: 'invalid_request_error', message, ...(param === undefined ? {} : { param }), ...(code === undefined ? {} : { code }) });
