import type { PaymentAttemptDeclined } from '@valueverse/contracts';
import type { ApproveCreditRefund, RefuseCreditRefund, RequestCreditRefund } from '../../credits/domain/credit-refunds';

/** Where and when a declined payment is tried again. */
export interface NextTry { readonly retryAt: string; readonly methodId: string; readonly provider: string }

/** Amounts are decimals of major units. `at` is the instant of the clock that the payment lives on. `creditId`: it is prepaid, and stands for the invoice too. */
export interface RequestPayment {
  readonly creditId?: string;
  readonly type: 'RequestPayment'; readonly paymentId: string; readonly invoiceId: string; readonly accountId: string;
  readonly amount: string; readonly currency: string; readonly methodId: string; readonly provider: string; readonly at: string;
}
/** The method is that of the request where none is named. `amount` is what it asks for; as much as before where it is not given. */
export interface StartAttempt { readonly type: 'StartAttempt'; readonly paymentId: string; readonly attempt: number; readonly amount?: string; readonly methodId?: string; readonly provider?: string; readonly at: string }
/** The provider took this amount. */
export interface RecordSuccess {
  readonly type: 'RecordSuccess'; readonly paymentId: string; readonly attempt: number; readonly amount: string; readonly currency: string;
  readonly providerReference: string; readonly fee?: string; readonly at: string;
}
/** `next` says when it is tried again; the payment fails where it is not. */
export interface RecordDecline {
  readonly type: 'RecordDecline'; readonly paymentId: string; readonly attempt: number; readonly declineCode: string;
  readonly declineClass: PaymentAttemptDeclined['declineClass']; readonly next?: NextTry; readonly at: string;
}
/** The order went out, and nobody knows what came of it. */
export interface RecordLoss { readonly type: 'RecordLoss'; readonly paymentId: string; readonly attempt: number; readonly reason: string; readonly at: string }
/** The provider has the order, and the money comes later. */
export interface RecordPending { readonly type: 'RecordPending'; readonly paymentId: string; readonly attempt: number; readonly providerReference: string; readonly at: string }
export interface RecordAction { readonly type: 'RecordAction'; readonly paymentId: string; readonly attempt: number; readonly providerReference: string; readonly url: string; readonly at: string }
/** Nothing is to be collected any more. An attempt that is under way is not stopped: what comes of it is recorded. */
export interface CancelPayment { readonly type: 'CancelPayment'; readonly paymentId: string; readonly reason: string; readonly at: string }

/** `isAutomatic`: nobody waits for an answer. Then it is as much of the amount as is left, and nothing where nothing is. */
export interface RequestRefund { readonly isAutomatic?: true | undefined; readonly type: 'RequestRefund'; readonly paymentId: string; readonly refundId: string; readonly amount?: string; readonly attempt?: number; readonly reason: string; readonly at: string }
export interface RecordRefund { readonly type: 'RecordRefund'; readonly paymentId: string; readonly refundId: string; readonly providerReference: string; readonly at: string }
export interface RecordRefundFailure { readonly type: 'RecordRefundFailure'; readonly paymentId: string; readonly refundId: string; readonly code: string; readonly at: string }
/**
 * What the provider says of a refund of the money that it calls `chargeReference`. `key` is ours, by which it was ordered. One that was made at the provider's own pages is known as `refundId`, which follows from the provider's name of it. `code` says why it
 * failed.
 */
export interface RecordProviderRefund {
  readonly type: 'RecordProviderRefund'; readonly paymentId: string; readonly refundId: string; readonly key?: string; readonly providerReference: string; readonly chargeReference: string;
  readonly amount: string; readonly currency: string; readonly status: 'pending' | 'succeeded' | 'failed'; readonly code?: string; readonly reason: string; readonly at: string;
}
interface AskedBack { readonly paymentId: string; readonly disputeId: string; readonly amount: string; readonly currency: string; readonly reason: string; readonly providerReference: string; /** What the provider calls the money that it is about. */ readonly chargeReference: string; readonly evidenceDueBy?: string; readonly at: string }
/** The bank takes money back for its customer. */
export interface OpenDispute extends AskedBack { readonly type: 'OpenDispute'; readonly fee?: string }
/** The bank asks, and takes nothing. */
export interface OpenInquiry extends AskedBack { readonly type: 'OpenInquiry' }
export interface CloseInquiry { readonly type: 'CloseInquiry'; readonly paymentId: string; readonly disputeId: string; readonly at: string }
export interface CloseDispute { readonly type: 'CloseDispute'; readonly paymentId: string; readonly disputeId: string; readonly outcome: 'won' | 'lost'; readonly at: string }
/** Money that came in by hand did not last: a cheque bounced, a transfer was called back. All that is not gone already where no amount is given. */
export interface RecordReversal { readonly type: 'RecordReversal'; readonly paymentId: string; readonly disputeId: string; readonly providerReference: string; readonly amount?: string; readonly reason: string; readonly at: string }
/** What no invoice took is left to the account; never more than what is still there of the payment. */
export interface CreditAccount { readonly type: 'CreditAccount'; readonly paymentId: string; readonly creditId: string; readonly amount: string; readonly at: string }
export type PaymentCommand = RequestPayment | StartAttempt | RecordSuccess | RecordDecline | RecordLoss | RecordPending | RecordAction | CancelPayment | RequestRefund | RecordRefund | RecordRefundFailure | RecordProviderRefund | OpenDispute | CloseDispute | OpenInquiry | CloseInquiry | RecordReversal | CreditAccount
  | OfPayment<RequestCreditRefund> | OfPayment<ApproveCreditRefund> | OfPayment<RefuseCreditRefund>;
/** Of a credit that a payment left. */
export type OfPayment<C> = C & { readonly paymentId: string };
