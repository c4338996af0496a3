import { derivedId, type Clock, Money } from '@valueverse/kernel';
import type { InvoiceFinalized, InvoicePaid, PaymentAttemptLost, PaymentAttemptStarted, PaymentMethodAttached, PaymentRequested } from '@valueverse/contracts';
import type { DomainEvent, Fact, NewJob, Reacting, Reaction, Reactor, Tx } from '@valueverse/event-log';
import { defaultMethods, type DefaultMethodRow } from '../methods/methods';
import { LOOK_UP_ATTEMPT, RUN_ATTEMPT, type AttemptPayload } from './attempt-jobs';
import type { PaymentCommand } from './domain/payment';
import { paymentDecider } from './payments';
import { type Collectable, forget, lockAccount, remember, takeWaiting } from './waiting-invoices';

/** The first payment of an invoice. Its id follows from the invoice, so that an invoice that is announced twice is collected once. */
export const paymentIdOf = (tenant: string, invoiceId: string): string => derivedId('pay', tenant, invoiceId, '1');

const obey = (...commands: readonly PaymentCommand[]): Reaction => ({ commands: commands.map((command) => ({ decider: paymentDecider, command })) });

const requestFor = (tenant: string, invoice: Collectable, { methodId, provider }: DefaultMethodRow, at: string): PaymentCommand =>
  ({ type: 'RequestPayment', paymentId: paymentIdOf(tenant, invoice.invoiceId), ...invoice, methodId, provider, at });

const jobFor = (kind: string, { id, tenant, at, clockId }: Fact, payload: AttemptPayload): NewJob =>
  ({ id: derivedId('job', kind, id), kind, tenant, dueAt: at, clockId, payload });

/** Turns finalized invoices into payments, payments into attempts, and attempts into jobs that speak to the provider. */
export const collector = (clock: Clock): Reactor => {
  const instantOf = ({ clockId, at }: Fact): string => (clockId === undefined ? clock.now() : at);
  const on = <E extends DomainEvent>(type: E['type'], reacting: Reacting<E>) => ({ [type]: reacting });
  return {
    kind: 'reactor', name: 'payments-collector', topics: ['billing.invoices', 'payments.methods', 'payments.payments'],
    on: {
      ...on<InvoiceFinalized>('InvoiceFinalized', async ({ invoiceId, accountId, amountDue, currency, issuedAt }, fact, tx) => {
        if (!Money.parse(amountDue, currency).isPositive()) return {};
        const invoice = { invoiceId, accountId, amount: amountDue, currency };
        const method = await lockedDefault(tx, fact.tenant, accountId);
        if (method !== undefined) return obey(requestFor(fact.tenant, invoice, method, instantOf(fact)));
        await remember(tx, fact.tenant, invoice, issuedAt);
        return {};
      }),
      ...on<InvoicePaid>('InvoicePaid', async ({ invoiceId }, { tenant }, tx) => {
        await forget(tx, tenant, invoiceId);
        return {};
      }),
      ...on<PaymentMethodAttached>('PaymentMethodAttached', async (method, fact, tx) => {
        if (!method.default) return {};
        await lockAccount(tx, fact.tenant, method.accountId);
        const waiting = await takeWaiting(tx, fact.tenant, method.accountId);
        return obey(...waiting.map((invoice) => requestFor(fact.tenant, invoice, method, instantOf(fact))));
      }),
      ...on<PaymentRequested>('PaymentRequested', ({ paymentId }, fact) => obey({ type: 'StartAttempt', paymentId, attempt: 1, at: instantOf(fact) })),
      ...on<PaymentAttemptStarted>('PaymentAttemptStarted', ({ paymentId, attempt }, fact) => ({ jobs: [jobFor(RUN_ATTEMPT, fact, { paymentId, attempt })] })),
      ...on<PaymentAttemptLost>('PaymentAttemptLost', ({ paymentId, attempt }, fact) => ({ jobs: [jobFor(LOOK_UP_ATTEMPT, fact, { paymentId, attempt })] })),
    },
  };
};

const lockedDefault = async (tx: Tx, tenant: string, accountId: string): Promise<DefaultMethodRow | undefined> => {
  await lockAccount(tx, tenant, accountId);
  return (await defaultMethods(tx, tenant, [accountId])).get(accountId);
};
