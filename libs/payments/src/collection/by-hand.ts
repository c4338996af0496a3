import { derivedId, type IdSource, Money, Refused } from '@valueverse/kernel';
import type { Instruction, Tx } from '@valueverse/event-log';
import type { Caller } from '@valueverse/auth';
import { requestContext, type Service } from '@valueverse/platform';
import { clockOfAccount } from '../accounts/known-accounts';
import { accountsOf, invoiceIn, type KnownInvoice } from '../accounts/known-invoices';
import { attachedMethod } from '../methods/methods';
import { refuseTooFine } from '../providers/amount-steps';
import { MANUAL } from '../providers/manual/manual';
import { chargeEntry, enter, type ManualEntry } from '../providers/manual/manual-book';
import type { Providers } from '../providers/provider';
import { chargedFirst } from './charged-first';
import { type PaymentCommand, providerKeyOf } from './domain/payment';
import { paymentDecider, type PaymentRow } from './payments';
import { lockAccounts } from './waiting-invoices';

export interface Share { readonly invoiceId: string; readonly amount?: string }
export interface ByHand {
  readonly shares: readonly Share[]; readonly currency?: string; readonly methodId?: string;
  /** Money that came in already: where it stands in the books of whoever saw it. */
  readonly manual?: { readonly reference: string; readonly receivedAt: string };
}

export interface Parts { readonly tx: Tx; readonly service: Service; readonly providers: Providers; readonly ids: IdSource; readonly caller: Pick<Caller, 'tenant' | 'actor'> }

/**
 * Pays invoices by hand: with a method, or with money that was seen elsewhere. Refuses with `invoice_not_found`, `currency_mismatch`, `invoice_not_payable` one that is paid or void, or more than is due of it,
 * `payment_open` one of which an attempt is under way, `no_payment_method`, `payment_method_not_found`, `amount_too_fine` for the provider, and `amount_missing` money that was seen elsewhere for an invoice of which nothing is due. Answers the ids of the payments.
 */
export const payByHand = async (parts: Parts, { shares, currency, methodId, manual }: ByHand): Promise<string[]> => {
  const { tx, service, caller } = parts;
  await lockAccounts(tx, caller.tenant, await accountsOf(tx, caller.tenant, shares.map(({ invoiceId }) => invoiceId)));
  const paymentIds: string[] = [];
  const instructions: Instruction[] = [];
  const entries: ManualEntry[] = [];
  for (const [nth, share] of shares.entries()) {
    const pointer = shares.length === 1 ? '' : `/allocations/${nth}`;
    // In this order: what is over by the first look is in the second one. The other way round, a payment that succeeds between them would be seen by neither.
    const open = manual === undefined ? await openPaymentOf(tx, caller.tenant, share.invoiceId) : undefined;
    const invoice = await invoiceIn(tx, caller.tenant, share.invoiceId);
    if (invoice === undefined) throw new Refused('invoice_not_found', 'there is no issued invoice with this id', `${pointer}/invoiceId`);
    if (currency !== undefined && currency !== invoice.currency) throw new Refused('currency_mismatch', `the invoice is in ${invoice.currency}`, '/currency');
    const given = share.amount === undefined ? undefined : Money.parse(share.amount, invoice.currency);
    if (given?.isPositive() === false) throw new Refused('amount_not_positive', 'an amount above zero is expected', `${pointer}/amount`);
    const { now, clockId } = await clockOfAccount(tx, service, caller.tenant, invoice.accountId);
    const { paymentId, commands, entered = [] } = manual === undefined ? await charge(parts, invoice, { given, open }, methodId, now) : received(parts, invoice, given ?? await cameInOf(parts, invoice, manual.reference), manual, now);
    paymentIds.push(paymentId);
    entries.push(...entered);
    instructions.push(...commands.map((command) => ({ decider: paymentDecider, command, context: { tenant: caller.tenant, actor: caller.actor, at: now, clockId, traceparent: requestContext()?.traceparent } })));
  }
  await enter(tx, caller.tenant, entries);
  await service.log.execute(tx, instructions);
  return paymentIds;
};

/** The payment of an invoice that is not over: there is one at most. */
const openPaymentOf = async (tx: Tx, tenant: string, invoiceId: string): Promise<PaymentRow | undefined> =>
  (await tx.query<{ row: PaymentRow }>('SELECT row FROM payments WHERE tenant = $1 AND open_invoice_id = $2', [tenant, invoiceId])).rows[0]?.row;

/** What money comes to of which nobody says how much it is: what is due still, or, where it was recorded before, as much as then. */
const cameInOf = async ({ tx, caller: { tenant } }: Parts, { invoiceId, currency, left }: KnownInvoice, reference: string): Promise<Money> => {
  const { rows: [before] } = await tx.query<{ amount: string }>(`SELECT row->>'amount' AS amount FROM payments WHERE tenant = $1 AND invoice_id = $2 AND row->>'provider' = $3 AND provider_reference = $4 LIMIT 1`, [tenant, invoiceId, MANUAL, reference]);
  if (before !== undefined) return Money.parse(before.amount, currency);
  if (left.isZero()) throw new Refused('amount_missing', 'nothing is due of this invoice: say how much came in', '/amount');
  return left;
};

interface Decided { readonly paymentId: string; readonly commands: readonly PaymentCommand[]; /** What stands in the book of what people entered. */ readonly entered?: readonly ManualEntry[] }
/** Recorded as what it is: it came in, whatever is still due. What is over is unapplied money of the account, as billing says. */
const received = ({ caller }: Parts, { invoiceId, accountId, currency }: KnownInvoice, amount: Money, { reference, receivedAt }: NonNullable<ByHand['manual']>, at: string): Decided => {
  const paymentId = derivedId('pay', MANUAL, caller.tenant, invoiceId, reference, amount.toString());
  const money = { amount: amount.toString(), currency };
  return { paymentId, entered: [chargeEntry({ providerKey: providerKeyOf(paymentId, 1), reference, ...money, at: receivedAt })], commands: [
    { type: 'RequestPayment', paymentId, invoiceId, accountId, ...money, methodId: MANUAL, provider: MANUAL, at },
    { type: 'StartAttempt', paymentId, attempt: 1, methodId: MANUAL, provider: MANUAL, at: receivedAt },
    { type: 'RecordSuccess', paymentId, attempt: 1, ...money, providerReference: reference, at: receivedAt },
  ] };
};

/** What an account is charged by: the method that is named, or the one that is charged first. Refuses with `no_payment_method`, `payment_method_not_found`, and `amount_too_fine` for its provider. */
export const methodFor = async ({ tx, providers, caller: { tenant } }: Parts, accountId: string, amount: Money, methodId: string | undefined): Promise<{ readonly methodId: string; readonly provider: string }> => {
  const chosen = methodId ?? (await chargedFirst(tx, tenant, [accountId]))(accountId, { amount: amount.toString(), currency: amount.currency })?.methodId;
  if (chosen === undefined) throw new Refused('no_payment_method', 'the account has no payment method');
  const method = await attachedMethod(tx, chosen);
  if (method === undefined || method.accountId !== accountId) throw new Refused('payment_method_not_found', 'the account has no payment method with this id', '/methodId');
  refuseTooFine(providers.find(method.provider), amount);
  return { methodId: method.id, provider: method.provider };
};

interface Asked { /** `undefined` for all that is left. */ readonly given: Money | undefined; readonly open: PaymentRow | undefined }
const charge = async (parts: Parts, { invoiceId, accountId, currency, status, left }: KnownInvoice, { given, open }: Asked, methodId: string | undefined, at: string): Promise<Decided> => {
  if (status !== 'issued') throw new Refused('invoice_not_payable', `the invoice is ${status}`, '/invoiceId');
  if (left.isZero()) throw new Refused('invoice_not_payable', 'all that is due of the invoice has come in', '/invoiceId');
  const amount = given ?? left;
  if (amount.compare(left) > 0) throw new Refused('invoice_not_payable', `${left.toString()} ${currency} is left to be paid`, '/amount');
  const by = await methodFor(parts, accountId, amount, methodId);
  if (open === undefined) {
    const paymentId = parts.ids.next('pay');
    return { paymentId, commands: [{ type: 'RequestPayment', paymentId, invoiceId, accountId, amount: amount.toString(), currency, ...by, at }] };
  }
  if (open.status !== 'pending' || open.attempts.length === 0) throw new Refused('payment_open', 'an attempt to collect this invoice is under way', '/invoiceId');
  // With a part of it the payment would be over, and nobody would collect the rest.
  if (amount.toString() !== open.amount && !amount.equals(left)) throw new Refused('payment_open', `this invoice is being collected with ${open.amount} ${open.currency}`, '/amount');
  return { paymentId: open.id, commands: [{ type: 'StartAttempt', paymentId: open.id, attempt: open.attempts.length + 1, amount: amount.toString(), ...by, at }] };
};
