import { dispatch, Refused, type Decider } from '@valueverse/kernel';
import type {
  PaymentAttemptDeclined, PaymentAttemptLost, PaymentAttemptStarted, PaymentFailed, PaymentRequested, PaymentSucceeded,
} from '@valueverse/contracts';
import { afterDecline } from './after-decline';

export type PaymentEvent = PaymentRequested | PaymentAttemptStarted | PaymentAttemptDeclined | PaymentAttemptLost | PaymentSucceeded | PaymentFailed;

/** Amounts are decimals of major units. `at` is the instant of the clock that the payment lives on. */
export interface RequestPayment {
  readonly type: 'RequestPayment'; readonly paymentId: string; readonly invoiceId: string; readonly accountId: string;
  readonly amount: string; readonly currency: string; readonly methodId: string; readonly provider: string; readonly at: string;
}
export interface StartAttempt { readonly type: 'StartAttempt'; readonly paymentId: string; readonly attempt: number; readonly at: string }
/** The provider took this amount. */
export interface RecordSuccess {
  readonly type: 'RecordSuccess'; readonly paymentId: string; readonly attempt: number; readonly amount: string; readonly currency: string;
  readonly providerReference: string; readonly at: string;
}
export interface RecordDecline {
  readonly type: 'RecordDecline'; readonly paymentId: string; readonly attempt: number; readonly declineCode: string;
  readonly declineClass: PaymentAttemptDeclined['declineClass']; readonly at: string;
}
/** The order went out, and nobody knows what came of it. */
export interface RecordLoss { readonly type: 'RecordLoss'; readonly paymentId: string; readonly attempt: number; readonly reason: string; readonly at: string }
export type PaymentCommand = RequestPayment | StartAttempt | RecordSuccess | RecordDecline | RecordLoss;

export interface PaymentState {
  readonly status: 'none' | 'pending' | 'processing' | 'unknown' | 'succeeded' | 'failed';
  /** The number of the last attempt; 0 before the first. */
  readonly attempt: number;
  readonly request?: PaymentRequested;
}

/** One key per attempt: however often the attempt is sent, the provider charges once. */
export const providerKeyOf = (paymentId: string, attempt: number): string => `pay:${paymentId}:att:${attempt}`;

const isUnderWay = ({ status }: PaymentState): boolean => status === 'processing' || status === 'unknown';

/** What was asked, of a payment that there is and an attempt that was started. */
const requestOf = (state: PaymentState, attempt: number): PaymentRequested => {
  if (state.request === undefined) throw new Refused('payment_not_found', 'there is no payment with this id');
  if (attempt < 1 || attempt > state.attempt) throw new Refused('unknown_attempt', 'this attempt was never started');
  return state.request;
};

/**
 * One invoice's money on its way. What a provider says may come late, twice and in any order: a success is recorded once and always, also
 * after a failure, because the money is there; a decline or a loss counts only for an attempt that is under way.
 * Refuses with `payment_not_found`, `unknown_attempt`, and `attempt_out_of_order` for an attempt before its turn.
 */
export const payment: Decider<PaymentCommand, PaymentEvent, PaymentState> = {
  initial: { status: 'none', attempt: 0 },
  decide: dispatch<PaymentCommand, PaymentState, readonly PaymentEvent[]>({
    RequestPayment: ({ at, ...command }, { request }) => (request === undefined ? [{ ...command, type: 'PaymentRequested', requestedAt: at }] : []),
    StartAttempt: ({ paymentId, attempt, at }, state) => {
      if (state.request === undefined) throw new Refused('payment_not_found', 'there is no payment with this id');
      if (attempt <= state.attempt || state.status === 'succeeded' || state.status === 'failed') return [];
      if (attempt !== state.attempt + 1 || isUnderWay(state)) throw new Refused('attempt_out_of_order', 'the attempt before this one is not over');
      return [{ type: 'PaymentAttemptStarted', paymentId, attempt, providerKey: providerKeyOf(paymentId, attempt), startedAt: at }];
    },
    RecordSuccess: ({ paymentId, attempt, amount, currency, providerReference, at }, state) => {
      const { invoiceId, accountId } = requestOf(state, attempt);
      if (state.status === 'succeeded') return [];
      return [{ type: 'PaymentSucceeded', paymentId, invoiceId, accountId, amount, currency, attempt, providerReference, succeededAt: at }];
    },
    RecordDecline: ({ paymentId, attempt, declineCode, declineClass, at }, state) => {
      const request = requestOf(state, attempt);
      if (!isUnderWay(state) || attempt !== state.attempt) return [];
      const declined: PaymentAttemptDeclined = { type: 'PaymentAttemptDeclined', paymentId, attempt, declineCode, declineClass, declinedAt: at };
      return [declined, ...afterDecline(request, declined)];
    },
    RecordLoss: ({ paymentId, attempt, reason, at }, state) => {
      requestOf(state, attempt);
      if (state.status !== 'processing' || attempt !== state.attempt) return [];
      return [{ type: 'PaymentAttemptLost', paymentId, attempt, reason, lostAt: at }];
    },
  }),
  evolve: dispatch<PaymentEvent, PaymentState, PaymentState>({
    PaymentRequested: (request, state) => ({ ...state, status: 'pending', request }),
    PaymentAttemptStarted: ({ attempt }, state) => ({ ...state, status: 'processing', attempt }),
    PaymentAttemptDeclined: (_, state) => ({ ...state, status: 'pending' }),
    PaymentAttemptLost: (_, state) => ({ ...state, status: 'unknown' }),
    PaymentSucceeded: (_, state) => ({ ...state, status: 'succeeded' }),
    PaymentFailed: (_, state) => ({ ...state, status: 'failed' }),
  }),
};
