import type { CreditRefundEvent } from '../../credits/domain/credit-refunds';
import type {
  CreditRestored, CreditTakenBack,
  PaymentActionRequired, PaymentAttemptDeclined, PaymentAttemptLost, PaymentAttemptAccepted, PaymentAttemptStarted, PaymentCancelled, DisputeClosed, DisputeOpened, InquiryClosed, InquiryOpened, MoneyCredited, PaymentDuplicated, PaymentFailed,
  RefundSucceeded, RefundFailed, RefundHeldBack, RefundRequested, PaymentRequested, PaymentRetryScheduled, PaymentSucceeded,
} from '@valueverse/contracts';

export type PaymentEvent = PaymentRequested | PaymentAttemptStarted | PaymentAttemptDeclined | PaymentAttemptLost | PaymentAttemptAccepted | PaymentActionRequired | PaymentRetryScheduled | PaymentSucceeded | PaymentFailed
  | PaymentCancelled | PaymentDuplicated | RefundRequested | RefundHeldBack | RefundSucceeded | RefundFailed | DisputeOpened | DisputeClosed | InquiryOpened | InquiryClosed | MoneyCredited | CreditRefundEvent | CreditTakenBack | CreditRestored;
