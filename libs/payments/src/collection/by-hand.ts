import { derivedId, type IdSource, Money, Refused } from '@valueverse/kernel';
import type { Instruction, Tx } from '@valueverse/event-log';
import type { Caller } from '@valueverse/auth';
import { requestContext, type Service } from '@valueverse/platform';
import { clockOfAccount } from '../accounts/known-accounts';
import { accountsOf, invoiceIn, type KnownInvoice } from '../accounts/known-invoices';
import { attachedMethod } from '../methods/methods';
import { MANUAL } from '../providers/manual';
import { chargedFirst } from './charged-first';
import type { PaymentCommand } from './domain/payment';
import { paymentDecider, type PaymentRow } from './payments';
import { lockAccounts } from './waiting-invoices';

export interface Share { readonly invoiceId: string; readonly amount?: string }
export interface ByHand {
  readonly shares: readonly Share[]; readonly currency?: string; readonly methodId?: string;
  /** Money that came in already: where it stands in the books of whoever saw it. */
  readonly manual?: { readonly reference: string; readonly receivedAt: string };
}

export interface Parts { readonly tx: Tx; readonly service: Service; readonly ids: IdSource; readonly caller: Pick<Caller, 'tenant' | 'actor'> }

/**
 * Pays invoices by hand: with a method, or with money that was seen elsewhere. Refuses with `invoice_not_found`, `currency_mismatch`, `invoice_not_payable` one that is paid or void, or more than is due of it,
 * `payment_open` one of which an attempt is under way, `no_payment_method`, and `payment_method_not_found`. Answers the ids of the payments.
 */
export const payByHand = async (parts: Parts, { shares, currency, methodId, manual }: ByHand): Promise<string[]> => {
  const { tx, service, caller } = parts;
  await lockAccounts(tx, caller.tenant, await accountsOf(tx, caller.tenant, shares.map(({ invoiceId }) => invoiceId)));
  const paymentIds: string[] = [];
  const instructions: Instruction[] = [];
  for (const [nth, share] of shares.entries()) {
    const pointer = shares.length === 1 ? '' : `/allocations/${nth}`;
    const invoice = await invoiceIn(tx, caller.tenant, share.invoiceId);
    if (invoice === undefined) throw new Refused('invoice_not_found', 'there is no issued invoice with this id', `${pointer}/invoiceId`);
    if (currency !== undefined && currency !== invoice.currency) throw new Refused('currency_mismatch', `the invoice is in ${invoice.currency}`, '/currency');
    // In this order: what is over by the first look is in the second one. The other way round, a payment that succeeds between them would be seen by neither.
    const open = manual === undefined ? await openPaymentOf(tx, caller.tenant, invoice) : undefined;
    const kept = manual === undefined ? await keptOf(tx, caller.tenant, invoice) : Money.zero(invoice.currency);
    // Billing may not have heard of it yet: what came in already is not asked for again.
    const left = Money.parse(invoice.amountDue, invoice.currency).subtract(kept);
    const amount = share.amount === undefined && left.isPositive() ? left : Money.parse(share.amount ?? invoice.amountDue, invoice.currency);
    if (!amount.isPositive()) throw new Refused('amount_not_positive', 'an amount above zero is expected', `${pointer}/amount`);
    const { now, clockId } = await clockOfAccount(tx, service, caller.tenant, invoice.accountId);
    const { paymentId, commands } = manual === undefined ? await charge(parts, invoice, { amount, kept, open }, methodId, now) : received(parts, invoice, amount, manual, now);
    paymentIds.push(paymentId);
    instructions.push(...commands.map((command) => ({ decider: paymentDecider, command, context: { tenant: caller.tenant, actor: caller.actor, at: now, clockId, traceparent: requestContext()?.traceparent } })));
  }
  await service.log.execute(tx, instructions);
  return paymentIds;
};

/** The payment of an invoice that is not over: there is one at most. */
const openPaymentOf = async (tx: Tx, tenant: string, { invoiceId }: Pick<KnownInvoice, 'invoiceId'>): Promise<PaymentRow | undefined> =>
  (await tx.query<{ row: PaymentRow }>('SELECT row FROM payments WHERE tenant = $1 AND open_invoice_id = $2', [tenant, invoiceId])).rows[0]?.row;

/** What came in for an invoice, and was neither given back nor lost to a dispute. */
export const keptOf = async (tx: Tx, tenant: string, { invoiceId, currency }: Pick<KnownInvoice, 'invoiceId' | 'currency'>): Promise<Money> => {
  const { rows } = await tx.query<{ row: PaymentRow }>(`SELECT row FROM payments WHERE tenant = $1 AND invoice_id = $2 AND status = 'succeeded'`, [tenant, invoiceId]);
  const own = rows.map(({ row }) => row).filter((row) => row.currency === currency);
  const { rows: lost } = await tx.query<{ amount: string }>(`SELECT row->>'amount' AS amount FROM payment_disputes WHERE tenant = $1 AND payment_id = ANY($2) AND status = 'lost'`, [tenant, own.map(({ id }) => id)]);
  return own.reduce((sum, row) => sum.add(keptOfPayment(row)), Money.zero(currency)).subtract(Money.sum(lost.map(({ amount }) => Money.parse(amount, currency)), currency));
};
/** A further attempt may have taken money too: that is not for the invoice, and giving it back takes nothing from what is. */
const keptOfPayment = ({ amount, currency, amountRefunded, attempts }: PaymentRow): Money => {
  const taken = Money.sum(attempts.flatMap((one) => (one.status === 'succeeded' && one.amount !== undefined ? [Money.parse(one.amount, currency)] : [])), currency);
  const [own, left] = [Money.parse(amount, currency), taken.subtract(Money.parse(amountRefunded, currency))];
  return left.compare(own) < 0 ? left : own;
};

/** Recorded as what it is: it came in, whatever is still due. What is over is unapplied money of the account, as billing says. */
const received = ({ caller }: Parts, { invoiceId, accountId, currency }: KnownInvoice, amount: Money, { reference, receivedAt }: NonNullable<ByHand['manual']>, at: string): { paymentId: string; commands: PaymentCommand[] } => {
  const paymentId = derivedId('pay', MANUAL, caller.tenant, invoiceId, reference, amount.toString());
  const money = { amount: amount.toString(), currency };
  return { paymentId, commands: [
    { type: 'RequestPayment', paymentId, invoiceId, accountId, ...money, methodId: MANUAL, provider: MANUAL, at },
    { type: 'StartAttempt', paymentId, attempt: 1, methodId: MANUAL, provider: MANUAL, at: receivedAt },
    { type: 'RecordSuccess', paymentId, attempt: 1, ...money, providerReference: reference, at: receivedAt },
  ] };
};

/** What an account is charged by: the method that is named, or the one that is charged first. Refuses with `no_payment_method` and `payment_method_not_found`. */
export const methodFor = async (tx: Tx, tenant: string, accountId: string, amount: Money, methodId: string | undefined): Promise<{ readonly methodId: string; readonly provider: string }> => {
  const chosen = methodId ?? (await chargedFirst(tx, tenant, [accountId]))(accountId, { amount: amount.toString(), currency: amount.currency })?.methodId;
  if (chosen === undefined) throw new Refused('no_payment_method', 'the account has no payment method');
  const method = await attachedMethod(tx, chosen);
  if (method === undefined || method.accountId !== accountId) throw new Refused('payment_method_not_found', 'the account has no payment method with this id', '/methodId');
  return { methodId: method.id, provider: method.provider };
};

const charge = async ({ tx, caller: { tenant }, ids }: Parts, { invoiceId, accountId, currency, status, amountDue }: KnownInvoice, { amount, kept, open }: { readonly amount: Money; readonly kept: Money; readonly open: PaymentRow | undefined }, methodId: string | undefined, at: string): Promise<{ paymentId: string; commands: PaymentCommand[] }> => {
  if (status !== 'issued') throw new Refused('invoice_not_payable', `the invoice is ${status}`, '/invoiceId');
  if (kept.add(amount).compare(Money.parse(amountDue, currency)) > 0) throw new Refused('invoice_not_payable', `${kept.toString()} of ${amountDue} ${currency} has come in`, '/amount');
  const by = await methodFor(tx, tenant, accountId, amount, methodId);
  if (open === undefined) {
    const paymentId = ids.next('pay');
    return { paymentId, commands: [{ type: 'RequestPayment', paymentId, invoiceId, accountId, amount: amount.toString(), currency, ...by, at }] };
  }
  if (open.status !== 'pending' || open.attempts.length === 0) throw new Refused('payment_open', 'an attempt to collect this invoice is under way', '/invoiceId');
  if (open.amount !== amount.toString()) throw new Refused('payment_open', `this invoice is being collected with ${open.amount} ${open.currency}`, '/amount');
  return { paymentId: open.id, commands: [{ type: 'StartAttempt', paymentId: open.id, attempt: open.attempts.length + 1, ...by, at }] };
};
