import { addDuration, Money } from '@valueverse/kernel';
import type { Job, Service } from '@valueverse/platform';
import type { Tx } from '@valueverse/event-log';
import type { KnownInvoice } from '../accounts/known-invoices';
import { type AccountMethod, methodsOfAccount, type MethodRow } from '../methods/methods';
import type { ChargeOrder, PaymentProvider, Providers } from '../providers/provider';
import { linkToken, PAY_PATH } from '../links/link-token';
import { type PaymentSettings, settingsFrom, settingsOf } from '../settings/settings';
import { type DeclinedTry, nextTry } from './domain/retries';
import { failover, routed } from './domain/routing';
import type { NextTry } from './domain/payment-command';
import type { AttemptRow, PaymentRow } from './payments';

/** An attempt with all that its provider has to be told. `customer` is what the provider calls the account, where it has been told of it. */
export interface OpenAttempt {
  readonly provider: PaymentProvider; readonly payment: PaymentRow; readonly attempt: AttemptRow; readonly customer: string | undefined; readonly order: Omit<ChargeOrder, 'customer'>;
  /** The method was removed since the attempt was planned. */
  readonly isMethodRemoved: boolean;
  /** Billing has said that the invoice is paid, or void. */
  readonly isInvoiceOver: boolean;
}

/** What jobs about attempts need beside the service: those who are asked, and the key that links to pages are signed with. */
export interface Means { readonly providers: Providers; readonly linkKey: Buffer }
/** How long the page to which a bank leads its customer back is there. */
const LINK_LIVES = 'PT720H';

type OfAttempt = Job<{ readonly paymentId: string; readonly attempt: number }>;

interface Stored { readonly payment: PaymentRow; readonly method: MethodRow; readonly attempt: AttemptRow; readonly customer: string | null; readonly settings: string | null; readonly invoice: KnownInvoice['status'] | null }
/**
 * All that is stored of an attempt, in one look: there is a look for each payment. What is read out of JSON is read before it is joined by (OFFSET 0): a policy of a table lets no condition with `->>` into its index, and all rows of the tenant
 * would be read.
 */
export const STORED_SQL = `SELECT p.row AS payment, a.attempt, m.row AS method, c.reference AS customer, s.settings, i.status AS invoice FROM payments p
  CROSS JOIN LATERAL (SELECT a.value AS attempt, a.value->>'methodId' AS method_id, a.value->>'provider' AS provider FROM json_array_elements(p.row->'attempts') a WHERE (a.value->>'number')::int = $3 OFFSET 0) a
  JOIN payment_methods m ON m.tenant = p.tenant AND m.key = a.method_id
  LEFT JOIN provider_customers c ON c.tenant = p.tenant AND c.provider = a.provider AND c.account_id = p.account_id
  LEFT JOIN known_invoices i ON i.tenant = p.tenant AND i.invoice_id = p.invoice_id
  LEFT JOIN payment_settings s ON s.tenant = p.tenant WHERE p.tenant = $1 AND p.key = $2`;

/** An attempt, also one that is over. Throws for one that was never started. */
export const attemptOf = async (service: Service, { providers, linkKey }: Means, { tenant, payload, now }: OfAttempt): Promise<OpenAttempt> => {
  const stored = await service.database.transaction({ role: 'api', tenant, isOneStatement: true }, async (tx) => (await tx.query<Stored & Record<string, unknown>>(STORED_SQL, [tenant, payload.paymentId, payload.attempt])).rows[0]);
  if (stored === undefined) throw new Error(`the attempt ${payload.attempt} of the payment ${payload.paymentId}, or its method, is not there`);
  const { payment, attempt, method, customer } = stored;
  const { publicUrl } = settingsFrom(stored.settings ?? undefined);
  const provider = providers.find(attempt.provider);
  if (provider === undefined) throw new Error(`the provider ${attempt.provider} is not set up here`);
  const { amount, currency, invoiceId } = payment;
  const link = linkToken({ tenant, invoiceId, expiresAt: addDuration(attempt.startedAt, LINK_LIVES) }, linkKey);
  return { provider, payment, attempt, customer: customer ?? undefined, isMethodRemoved: method.removedAt !== undefined, isInvoiceOver: stored.invoice === 'paid' || stored.invoice === 'void', order: { tenant, now, key: attempt.providerKey, paymentId: payment.id, amountMinor: Money.parse(amount, currency).minor, currency, token: method.token, description: invoiceId, returnUrl: `${publicUrl}${PAY_PATH}/${link}` } };
};
/** `undefined` when the attempt is over. */
export const openAttemptOf = async (service: Service, means: Means, job: OfAttempt): Promise<OpenAttempt | undefined> => {
  const found = await attemptOf(service, means, job);
  return found.attempt.endedAt === null ? found : undefined;
};

/** A decline that is about to be recorded. `isSure`: this very order was answered, so that it is certain that the provider did nothing. */
export interface Declining { readonly tenant: string; readonly class: DeclinedTry['class']; readonly at: string; readonly isSure: boolean }

/** When and by what a payment is tried again should this attempt be declined now. */
export const nextTryOf = (service: Service, open: OpenAttempt, declining: Declining): Promise<NextTry | undefined> =>
  service.database.transaction({ role: 'api', tenant: declining.tenant, readOnly: true }, async (tx) => {
    const { attempt, payment: { accountId } } = open;
    const { tries, methods, settings } = await around(tx, open, declining.tenant);
    const other = declining.isSure && declining.class === 'technical' ? otherProvider(open, { tries, methods, settings }) : undefined;
    if (other !== undefined) return { ...other, retryAt: declining.at };
    const { rows: [account] } = await tx.query<{ timezone: string }>('SELECT timezone FROM known_accounts WHERE tenant = $1 AND account_id = $2', [declining.tenant, accountId]);
    const next = nextTry([...tries, { methodId: attempt.methodId, class: declining.class, at: declining.at }], methods, { days: settings.retryDays, zone: account?.timezone ?? 'UTC' });
    // What is paid ahead is charged now or not at all.
    return open.payment.creditId !== undefined && next?.retryAt !== declining.at ? undefined : next;
  });

/** Who is asked in the place of the provider of an attempt, which has surely done nothing. */
export const failoverOf = (service: Service, open: OpenAttempt, tenant: string): Promise<Omit<NextTry, 'retryAt'> | undefined> =>
  service.database.transaction({ role: 'api', tenant, readOnly: true }, async (tx) => otherProvider(open, await around(tx, open, tenant)));

interface Around { readonly tries: readonly DeclinedTry[]; readonly methods: readonly AccountMethod[]; readonly settings: PaymentSettings }
const around = async (tx: Tx, { payment, attempt }: OpenAttempt, tenant: string): Promise<Around> => {
  const settings = await settingsOf(tx, tenant);
  const tries = payment.attempts.filter((one) => one.status === 'declined' && one.number < attempt.number).map((one): DeclinedTry => ({ methodId: one.methodId, class: one.declineClass!, at: one.endedAt! }));
  return { tries, methods: routed(await methodsOfAccount(tx, tenant, payment.accountId), settings.routing, payment), settings };
};
const otherProvider = ({ attempt }: OpenAttempt, { tries, methods, settings }: Around): Omit<NextTry, 'retryAt'> | undefined => {
  const found = settings.failover === 'none' ? undefined : failover(tries, attempt, methods);
  return found === undefined ? undefined : { methodId: found.methodId, provider: found.provider };
};
