import { Money } from '@valueverse/kernel';
import { type Job, rowOf, type Service } from '@valueverse/platform';
import { methodsOfAccount, methodView, type MethodRow } from '../methods/methods';
import type { ChargeOrder, PaymentProvider, Providers } from '../providers/provider';
import { settingsOf } from '../settings/settings';
import { type DeclinedTry, nextTry } from './domain/retries';
import type { NextTry } from './domain/payment-command';
import { type AttemptRow, type PaymentRow, paymentView } from './payments';

/** An attempt with all that its provider has to be told. */
export interface OpenAttempt { readonly provider: PaymentProvider; readonly payment: PaymentRow; readonly attempt: AttemptRow; readonly order: Omit<ChargeOrder, 'customer'> }

type OfAttempt = Job<{ readonly paymentId: string; readonly attempt: number }>;

/** An attempt, also one that is over. Throws for one that was never started. */
export const attemptOf = async (service: Service, providers: Providers, { tenant, payload, now }: OfAttempt): Promise<OpenAttempt> => {
  const { payment, method, attempt } = await service.database.transaction({ role: 'api', tenant, readOnly: true }, async (tx) => {
    const found = await rowOf<PaymentRow>(tx, paymentView, payload.paymentId);
    const one = found?.attempts.find(({ number }) => number === payload.attempt);
    return { payment: found, attempt: one, method: one === undefined ? undefined : await rowOf<MethodRow>(tx, methodView, one.methodId) };
  });
  if (payment === undefined || attempt === undefined || method === undefined) throw new Error(`the attempt ${payload.attempt} of the payment ${payload.paymentId}, or its method, is not there`);
  const provider = providers.find(attempt.provider);
  if (provider === undefined) throw new Error(`the provider ${attempt.provider} is not set up here`);
  const { currency, invoiceId } = payment;
  return { provider, payment, attempt, order: { tenant, now, key: attempt.providerKey, paymentId: payment.id, amountMinor: Money.parse(payment.amount, currency).minor, currency, token: method.token, description: invoiceId } };
};
/** `undefined` when the attempt is over. */
export const openAttemptOf = async (service: Service, providers: Providers, job: OfAttempt): Promise<OpenAttempt | undefined> => {
  const found = await attemptOf(service, providers, job);
  return found.attempt.endedAt === null ? found : undefined;
};

/** When and by what a payment is tried again should this attempt be declined now. */
export const nextTryOf = (service: Service, { payment, attempt }: OpenAttempt, tenant: string, declineClass: DeclinedTry['class'], at: string): Promise<NextTry | undefined> =>
  service.database.transaction({ role: 'api', tenant, readOnly: true }, async (tx) => {
    const { retryDays } = await settingsOf(tx, tenant);
    const { rows: [account] } = await tx.query<{ timezone: string }>('SELECT timezone FROM known_accounts WHERE tenant = $1 AND account_id = $2', [tenant, payment.accountId]);
    const declined = payment.attempts.filter((one) => one.status === 'declined' && one.number < attempt.number).map((one): DeclinedTry => ({ methodId: one.methodId, class: one.declineClass!, at: one.endedAt! }));
    return nextTry([...declined, { methodId: attempt.methodId, class: declineClass, at }], await methodsOfAccount(tx, tenant, payment.accountId), { days: retryDays, zone: account?.timezone ?? 'UTC' });
  });
