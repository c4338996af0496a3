import { decimal, instant, nullable, object, oneOf, optional, text, whole } from '@valueverse/contracts';
import type { RefundRow } from '../collection/payments';

/** A refund as it is answered: `attempt` is the attempt whose money is given back. */
export type RefundAnswer = Omit<RefundRow, 'providerKey' | 'chargeReference'>;
export const REFUND = object({
  id: text(), attempt: whole(1), amount: decimal(), status: oneOf('pending', 'succeeded', 'failed'), reason: text(), providerReference: optional(text()), code: optional(text()), createdAt: instant(), endedAt: nullable(instant()), origin: optional(oneOf('provider')),
});
export const toRefund = ({ providerKey: _key, chargeReference: _charge, ...refund }: RefundRow): RefundAnswer => refund;
