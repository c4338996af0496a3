import { parseInstant } from '@valueverse/kernel';
import { rowOf, type Service } from '@valueverse/platform';
import type { PaymentProvider } from '../providers/provider';
import { successOf } from './attempt-jobs';
import type { PaymentCommand } from './domain/payment';
import { type PaymentRow, paymentView } from './payments';

/** What a provider says went back: of which of its charges, and by which key that was ordered, where it was here. */
export interface WentBack { readonly chargeReference: string; readonly attemptKey?: string }

/**
 * What is disputed, or was given back, was paid: where nobody here has heard of that yet it is recorded first, so that whoever is told of the one knows of the other. An attempt whose answer was lost is known by its key. Throws where the provider does not
 * say so.
 */
export const takenBefore = async (service: Service, provider: PaymentProvider, { tenant, now, paymentId }: { readonly tenant: string; readonly now: string; readonly paymentId: string }, { chargeReference, attemptKey }: WentBack): Promise<PaymentCommand[]> => {
  const payment = await service.database.transaction({ role: 'api', tenant, readOnly: true }, (tx) => rowOf<PaymentRow>(tx, paymentView, paymentId));
  const attempt = payment?.attempts.find(({ providerReference }) => providerReference === chargeReference) ?? payment?.attempts.find(({ providerKey }) => providerKey === attemptKey);
  if (attempt === undefined || attempt.status === 'succeeded') return [];
  const found = await provider.read({ tenant, now, reference: chargeReference }, new AbortController().signal);
  if (found.status !== 'succeeded') throw new Error(`the provider says that money of ${chargeReference} went back, and not that it was paid: ${found.status}`);
  return [successOf({ paymentId, attempt: attempt.number }, found, parseInstant(now))];
};
