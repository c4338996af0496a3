import type { PaymentEvent } from './payment-event';

export type PaymentStatus = 'pending' | 'processing' | 'requires_action' | 'unknown' | 'succeeded' | 'failed' | 'cancelled';
/** Facts that move a payment from a status to another; all others leave it where it is. */
export type Mover = Extract<PaymentEvent['type'], 'PaymentAttemptStarted' | 'PaymentAttemptDeclined' | 'PaymentAttemptLost' | 'PaymentAttemptAccepted' | 'PaymentActionRequired' | 'PaymentSucceeded' | 'PaymentFailed' | 'PaymentCancelled'>;
export interface Transition { readonly from: PaymentStatus; readonly by: Mover; readonly to: PaymentStatus }

const to = (status: PaymentStatus, by: Mover, ...from: readonly PaymentStatus[]): Transition[] => from.map((one) => ({ from: one, by, to: status }));
/** The life of a payment. Money that arrives counts from every status, because it is there; nothing takes a success back. */
export const TRANSITIONS: readonly Transition[] = [
  ...to('processing', 'PaymentAttemptStarted', 'pending'),
  ...to('unknown', 'PaymentAttemptLost', 'processing'),
  ...to('requires_action', 'PaymentActionRequired', 'processing', 'unknown'),
  ...to('processing', 'PaymentAttemptAccepted', 'processing', 'unknown', 'requires_action'),
  ...to('pending', 'PaymentAttemptDeclined', 'processing', 'unknown', 'requires_action'),
  ...to('succeeded', 'PaymentSucceeded', 'pending', 'processing', 'unknown', 'requires_action', 'failed', 'cancelled'),
  ...to('failed', 'PaymentFailed', 'pending'),
  ...to('cancelled', 'PaymentCancelled', 'pending'),
];
const TABLE: ReadonlyMap<string, PaymentStatus> = new Map(TRANSITIONS.map((one) => [`${one.from} ${one.by}`, one.to]));

/** Whether a fact can happen in a status; where it can, what it leads to. */
export const nextStatus = (from: PaymentStatus, by: Mover): PaymentStatus | undefined => TABLE.get(`${from} ${by}`);
/** A status in which no attempt is under way and none will be. */
export const isOver = (status: PaymentStatus): boolean => status === 'succeeded' || status === 'failed' || status === 'cancelled';
/** An attempt of which we do not know yet what it comes to. */
export const isUnderWay = (status: PaymentStatus): boolean => status === 'processing' || status === 'unknown' || status === 'requires_action';

const WORDS: Readonly<Record<Mover, string>> = {
  PaymentAttemptStarted: 'attempt started', PaymentAttemptDeclined: 'declined', PaymentAttemptLost: 'answer lost', PaymentAttemptAccepted: 'on its way', PaymentActionRequired: 'customer has to confirm', PaymentSucceeded: 'money taken',
  PaymentFailed: 'no further attempt', PaymentCancelled: 'cancelled',
};
/** The picture of it, for docs/payments.md. */
export const stateDiagram = (): string => ['stateDiagram-v2', '  [*] --> pending', ...TRANSITIONS.map((one) => `  ${one.from} --> ${one.to}: ${WORDS[one.by]}`)].join('\n');
