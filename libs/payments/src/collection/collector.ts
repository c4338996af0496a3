import { derivedId, type Clock, Money } from '@valueverse/kernel';
import type {
  InvoiceFinalized, InvoicePaid, InvoicePaymentUnmatched, InvoiceVoided, PaymentAttemptLost, PaymentAttemptStarted, PaymentDuplicated, PaymentMethodAttached, PaymentMethodDefaultChosen, RefundRequested, PaymentRequested, PaymentRetryScheduled,
} from '@valueverse/contracts';
import type { DomainEvent, Fact, NewJob, Reacting, Reaction, Reactor, Tx } from '@valueverse/event-log';
import { rowOf } from '@valueverse/platform';
import { invoicesIn, isReopenedAfter } from '../accounts/known-invoices';
import type { DefaultMethodRow } from '../methods/methods';
import { MANUAL } from '../providers/manual/manual';
import { RUN_REFUND } from '../refunds/refund-jobs';
import { LOOK_UP_ATTEMPT, RUN_ATTEMPT, type AttemptPayload } from './attempt-jobs';
import { BEGIN_ATTEMPT, type BeginPayload } from './begin-attempt';
import { chargedFirst } from './charged-first';
import type { PaymentCommand } from './domain/payment';
import { SECOND_ATTEMPT } from './domain/refunds';
import { settingsOf } from '../settings/settings';
import { paymentDecider, type PaymentRow, paymentView } from './payments';
import { type Collectable, forget, lockAccount, lockAccounts, remember, takeWaiting } from './waiting-invoices';

/** The first payment of an invoice. Its id follows from the invoice, so that an invoice that is announced twice is collected once. */
export const paymentIdOf = (tenant: string, invoiceId: string): string => derivedId('pay', tenant, invoiceId, '1');

const obey = (...commands: readonly PaymentCommand[]): Reaction => ({ commands: commands.map((command) => ({ decider: paymentDecider, command })) });

const requestFor = (tenant: string, invoice: Collectable, { methodId, provider }: DefaultMethodRow, at: string): PaymentCommand =>
  ({ type: 'RequestPayment', paymentId: paymentIdOf(tenant, invoice.invoiceId), ...invoice, methodId, provider, at });

const jobFor = <P extends object>(kind: string, { id, tenant, at, clockId }: Fact, payload: P, dueAt = at): NewJob => ({ id: derivedId('job', kind, id, ...('paymentId' in payload ? [String(payload.paymentId)] : [])), kind, tenant, dueAt, clockId, payload });

/** Turns finalized invoices into payments, payments into attempts, and attempts into jobs that speak to the provider. */
export const collector = (clock: Clock): Reactor => {
  const instantOf = ({ clockId, at }: Fact): string => (clockId === undefined ? clock.now() : at);
  const on = <E extends DomainEvent>(type: E['type'], reacting: Reacting<E>) => ({ [type]: reacting });
  /** Begins payments, or remembers what there is no method for. The accounts of many invoices are locked, and asked for, at once. */
  const collect = async (facts: readonly Fact<InvoiceFinalized>[], tx: Tx): Promise<ReadonlyMap<Fact, Reaction>> => {
    const reactions = new Map<Fact, Reaction>();
    for (const [tenant, own] of Map.groupBy(facts.filter(({ event: { amountDue, currency } }) => Money.parse(amountDue, currency).isPositive()), (fact) => fact.tenant)) {
      const accountIds = [...new Set(own.map(({ event }) => event.accountId))];
      await lockAccounts(tx, tenant, accountIds);
      const methodOf = await chargedFirst(tx, tenant, accountIds);
      const waiting: (Collectable & { issuedAt: string })[] = [];
      for (const { fact, amount } of await leftOf(tx, tenant, own.map((one) => ({ ...one.event, amount: one.event.amountDue, fact: one })))) {
        const { invoiceId, accountId, currency, issuedAt } = fact.event;
        const method = methodOf(accountId, { amount, currency });
        if (method === undefined) waiting.push({ invoiceId, accountId, amount, currency, issuedAt });
        else reactions.set(fact, obey(requestFor(tenant, { invoiceId, accountId, amount, currency }, method, instantOf(fact))));
      }
      await remember(tx, tenant, waiting);
    }
    return reactions;
  };
  /** A new default is charged for what waits: for a method, or for the day of another one. */
  const chargeBy = async (method: Pick<PaymentMethodAttached, 'methodId' | 'accountId' | 'provider'>, fact: Fact, tx: Tx): Promise<Reaction> => {
    await lockAccount(tx, fact.tenant, method.accountId);
    const waiting = await leftOf(tx, fact.tenant, await takeWaiting(tx, fact.tenant, method.accountId));
    const declined = await pendingTries(tx, fact.tenant, method);
    return { ...obey(...waiting.map((invoice) => requestFor(fact.tenant, invoice, method, instantOf(fact)))), jobs: declined.map((payload) => jobFor<BeginPayload>(BEGIN_ATTEMPT, fact, { ...payload, methodId: method.methodId, provider: method.provider })) };
  };
  return {
    kind: 'reactor', name: 'payments-collector', topics: ['billing.invoices', 'payments.methods', 'payments.payments'],
    together: async (facts, tx) => {
      const issued = facts.filter((fact): fact is Fact<InvoiceFinalized> => fact.event.type === 'InvoiceFinalized');
      // What was paid in another way, or taken back, before we have heard of it is not collected.
      const over = new Set(facts.flatMap(({ event }) => (event.type === 'InvoicePaid' || event.type === 'InvoiceVoided' ? [(event as InvoicePaid | InvoiceVoided).invoiceId] : [])));
      const reactions = await collect(issued.filter(({ event }) => !over.has(event.invoiceId)), tx);
      return facts.map((fact) => (fact.event.type === 'InvoiceFinalized' ? reactions.get(fact) ?? {} : undefined));
    },
    on: {
      ...on<InvoiceFinalized>('InvoiceFinalized', async (_, fact, tx) => (await collect([fact], tx)).get(fact) ?? {}),
      ...on<InvoicePaid>('InvoicePaid', async ({ invoiceId }, fact, tx) => {
        // Looked for first: what is under way for an invoice that is owed again since, or is asked for between the two looks, is not cancelled.
        const cancelled = await cancelFor(tx, fact.tenant, invoiceId, 'the invoice is paid', instantOf(fact));
        if (await isReopenedAfter(tx, fact.tenant, invoiceId, fact.version)) return {};
        await forget(tx, fact.tenant, invoiceId);
        return obey(...cancelled);
      }),
      ...on<InvoiceVoided>('InvoiceVoided', async ({ invoiceId }, fact, tx) => {
        await forget(tx, fact.tenant, invoiceId);
        return obey(...await cancelFor(tx, fact.tenant, invoiceId, 'the invoice is void', instantOf(fact)));
      }),
      // Money that we took for an invoice that was paid, or lowered, in another way meanwhile.
      ...on<InvoicePaymentUnmatched>('InvoicePaymentUnmatched', async ({ paymentId, amount, reason }, fact, tx) => {
        if (reason !== 'nothing_due' && reason !== 'over_paid') return {};
        const payment = await rowOf<PaymentRow>({ ...tx, tenant: fact.tenant }, paymentView, paymentId);
        if (payment === undefined) return {};
        if (payment.provider === MANUAL || (await settingsOf(tx, fact.tenant)).surplus === 'keep') return obey({ type: 'CreditAccount', paymentId, creditId: derivedId('crd', fact.id), amount, at: instantOf(fact) });
        return obey({ type: 'RequestRefund', paymentId, refundId: derivedId('ref', fact.id), amount, reason: 'the invoice was paid in another way', isAutomatic: true, at: instantOf(fact) });
      }),
      ...on<PaymentMethodAttached>('PaymentMethodAttached', (method, fact, tx) => (method.default ? chargeBy(method, fact, tx) : {})),
      ...on<PaymentMethodDefaultChosen>('PaymentMethodDefaultChosen', chargeBy),
      ...on<PaymentRequested>('PaymentRequested', ({ paymentId, provider }, fact) => (provider === MANUAL ? {} : obey({ type: 'StartAttempt', paymentId, attempt: 1, at: instantOf(fact) }))),
      ...on<PaymentAttemptStarted>('PaymentAttemptStarted', ({ paymentId, attempt, provider }, fact) => (provider === MANUAL ? {} : { jobs: [jobFor<AttemptPayload>(RUN_ATTEMPT, fact, { paymentId, attempt })] })),
      ...on<PaymentAttemptLost>('PaymentAttemptLost', ({ paymentId, attempt }, fact) => ({ jobs: [jobFor<AttemptPayload>(LOOK_UP_ATTEMPT, fact, { paymentId, attempt })] })),
      ...on<PaymentRetryScheduled>('PaymentRetryScheduled', ({ paymentId, attempt, methodId, provider, retryAt }, fact) => ({ jobs: [jobFor<BeginPayload>(BEGIN_ATTEMPT, fact, { paymentId, attempt, methodId, provider }, retryAt)] })),
      ...on<PaymentDuplicated>('PaymentDuplicated', ({ paymentId, attempt, amount }, fact) =>
        obey({ type: 'RequestRefund', paymentId, attempt, refundId: derivedId('ref', fact.id), amount, reason: SECOND_ATTEMPT, isAutomatic: true, at: instantOf(fact) })),
      ...on<RefundRequested>('RefundRequested', ({ paymentId, refundId, origin }, fact) => (origin === 'provider' ? {} : { jobs: [jobFor(RUN_REFUND, fact, { paymentId, refundId, look: 0 })] })),
    },
  };
};

/** Invoices with what is left of them, no more than they ask for: a part may have come in, or been taken off, meanwhile. Those of which nothing is left are not charged; one that is not known yet is taken for what it says. */
const leftOf = async <C extends Collectable>(tx: Tx, tenant: string, asked: readonly C[]): Promise<C[]> => {
  const known = await invoicesIn(tx, tenant, asked.map(({ invoiceId }) => invoiceId));
  return asked.flatMap((one) => {
    const amount = Money.parse(one.amount, one.currency);
    const left = known.get(one.invoiceId)?.left.min(amount) ?? amount;
    return left.isPositive() ? [{ ...one, amount: left.toString() }] : [];
  });
};

/** Payments of an invoice that have no attempt under way; an attempt that is, goes on, and what it takes is dealt with when it is there. */
const cancelFor = async (tx: Tx, tenant: string, invoiceId: string, reason: string, at: string): Promise<PaymentCommand[]> => {
  const { rows } = await tx.query<{ key: string }>(`SELECT key FROM payments WHERE tenant = $1 AND invoice_id = $2 AND status = 'pending'`, [tenant, invoiceId]);
  return rows.map(({ key }) => ({ type: 'CancelPayment', paymentId: key, reason, at }));
};

/** Payments of an account that wait for their next attempt: a card that they were not tried by does not have to wait. */
const pendingTries = async (tx: Tx, tenant: string, { accountId, methodId }: { readonly accountId: string; readonly methodId: string }): Promise<AttemptPayload[]> => {
  const { rows } = await tx.query<{ key: string; tries: number }>(
    `SELECT key, json_array_length(row->'attempts') AS tries FROM payments WHERE tenant = $1 AND account_id = $2 AND status = 'pending' AND json_array_length(row->'attempts') > 0
       AND NOT EXISTS (SELECT FROM json_array_elements(row->'attempts') a WHERE a->>'methodId' = $3)`, [tenant, accountId, methodId]);
  return rows.map(({ key, tries }) => ({ paymentId: key, attempt: tries + 1 }));
};
