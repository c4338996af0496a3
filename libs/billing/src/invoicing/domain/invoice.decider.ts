import { addDuration, dispatch, laterOf, Money, Refused, type Decider, type Period } from '@valueverse/kernel';
import type { InvoiceDrafted, InvoiceFinalized, InvoicePaid, InvoicePaymentApplied, InvoicePaymentUnmatched, InvoiceUsageStated } from '@valueverse/contracts';
import { addLines } from '@valueverse/rating';
import { priceLines } from './lines';

export type InvoiceEvent = InvoiceDrafted | InvoiceUsageStated | InvoiceFinalized | InvoicePaymentApplied | InvoicePaymentUnmatched | InvoicePaid;

export type DraftInvoice = { readonly type: 'DraftInvoice'; readonly at: string } & Omit<InvoiceDrafted, 'type' | 'draftedAt'>;
export type StateUsage = { readonly type: 'StateUsage'; readonly at: string } & Omit<InvoiceUsageStated, 'type' | 'statedAt'>;
/** `number` comes from its series, in the same transaction. `at` is the moment of issue. */
export interface FinalizeInvoice { readonly type: 'FinalizeInvoice'; readonly invoiceId: string; readonly number: string; readonly billTo: InvoiceFinalized['billTo']; readonly at: string }
export interface ApplyPayment { readonly type: 'ApplyPayment'; readonly invoiceId: string; readonly paymentId: string; readonly amount: string; readonly currency: string; readonly at: string }
export type InvoiceCommand = DraftInvoice | StateUsage | FinalizeInvoice | ApplyPayment;

/** State is only what the next decision needs. */
export interface Invoice {
  readonly status: 'absent' | 'draft' | 'finalized';
  readonly drafted?: InvoiceDrafted;
  readonly statements: ReadonlyMap<string, InvoiceUsageStated['statement']>;
  readonly owed?: Money;
  readonly isPaid: boolean;
  readonly payments: readonly string[];
}

/** An invoice is due at once: it is collected when it is issued. */
const DUE_AFTER = 'PT0S';

const finalize = ({ number, billTo, at }: FinalizeInvoice, { drafted, statements }: Invoice): readonly InvoiceEvent[] => {
  const { invoiceId, accountId, subscriptionId, currency, planKey, planVersion, zone, rounding, requests } = drafted!;
  const missing = requests.find(({ chargeKey }) => !statements.has(chargeKey));
  if (missing !== undefined) throw new Refused('usage_not_stated', `the usage of ${missing.chargeKey} is not stated yet`);
  const lines = priceLines(drafted!, statements, { invoiceId, currency, zone, rounding });
  const subtotal = addLines(lines.map(({ amount }) => ({ amount: Money.parse(amount, currency) })), currency);
  const zero = Money.zero(currency).toString();
  const finalized: InvoiceFinalized = {
    type: 'InvoiceFinalized', invoiceId, accountId, subscriptionId, number, currency, servicePeriod: periodOf(drafted!), issuedAt: at, dueAt: addDuration(at, DUE_AFTER),
    zone, planKey, planVersion, rounding, lines, subtotal: subtotal.toString(), discountTotal: zero, taxTotal: zero, total: subtotal.toString(), billTo,
  };
  // Nothing to pay is paid, and so is a credit.
  return !subtotal.isPositive() ? [finalized, { type: 'InvoicePaid', invoiceId, paidAt: at }] : [finalized];
};

/** From the beginning of what was used to the end of what is paid for. */
const periodOf = ({ advance, arrears }: InvoiceDrafted): Period => {
  const from = arrears?.usageFrom ?? arrears?.period.from ?? advance.period.from;
  const to = advance.charges.length > 0 || arrears === null ? advance.period.to : arrears.period.to;
  return { from, to: laterOf(from, to) };
};

const applyPayment = ({ invoiceId, paymentId, amount, currency, at }: ApplyPayment, { status, owed, payments, drafted }: Invoice): readonly InvoiceEvent[] => {
  if (payments.includes(paymentId)) return []; // The provider told us twice.
  const unmatched = (sum: string, reason: InvoicePaymentUnmatched['reason']): InvoicePaymentUnmatched => ({ type: 'InvoicePaymentUnmatched', invoiceId, paymentId, amount: sum, currency, reason, unmatchedAt: at });
  // Money that has come in cannot be refused: what does not fit is kept and understood later.
  if (status !== 'finalized' || owed === undefined) return [unmatched(amount, 'no_invoice')];
  if (currency !== drafted!.currency) return [unmatched(amount, 'wrong_currency')];
  const paid = Money.parse(amount, currency);
  if (!owed.isPositive() || !paid.isPositive()) return [unmatched(amount, 'nothing_due')];
  const fits = paid.min(owed);
  const facts: InvoiceEvent[] = [{ type: 'InvoicePaymentApplied', invoiceId, paymentId, amount: fits.toString(), appliedAt: at }];
  if (fits.equals(owed)) facts.push({ type: 'InvoicePaid', invoiceId, paidAt: at });
  if (fits.compare(paid) < 0) facts.push(unmatched(paid.subtract(fits).toString(), 'over_paid'));
  return facts;
};

/**
 * One invoice: drafted when its period ends, finalized once all its usage is stated, then paid.
 * Refuses with `usage_not_stated` to finalize before everything that was accepted has been counted.
 */
export const invoice: Decider<InvoiceCommand, InvoiceEvent, Invoice> = {
  initial: { status: 'absent', statements: new Map(), isPaid: false, payments: [] },
  decide: dispatch<InvoiceCommand, Invoice, readonly InvoiceEvent[]>({
    DraftInvoice: ({ at, ...facts }, { status }) => (status === 'absent' ? [{ ...facts, type: 'InvoiceDrafted', draftedAt: at }] : []),
    StateUsage: ({ at, ...facts }, { status, statements }) =>
      (status === 'draft' && !statements.has(facts.chargeKey) ? [{ ...facts, type: 'InvoiceUsageStated', statedAt: at }] : []),
    FinalizeInvoice: (command, state) => {
      if (state.status === 'finalized') return []; // The run was restarted.
      if (state.status === 'absent') throw new Refused('invoice_not_found', `there is no invoice ${command.invoiceId}`);
      return finalize(command, state);
    },
    ApplyPayment: applyPayment,
  }),
  evolve: dispatch<InvoiceEvent, Invoice, Invoice>({
    InvoiceDrafted: (drafted, state) => ({ ...state, status: 'draft', drafted }),
    InvoiceUsageStated: ({ chargeKey, statement }, state) => ({ ...state, statements: new Map([...state.statements, [chargeKey, statement]]) }),
    InvoiceFinalized: ({ total, currency }, state) => ({ ...state, status: 'finalized', owed: Money.parse(total, currency) }),
    InvoicePaymentApplied: ({ paymentId, amount }, state) => ({
      ...state, payments: [...state.payments, paymentId],
      ...(state.owed === undefined ? {} : { owed: state.owed.subtract(Money.parse(amount, state.owed.currency)) }),
    }),
    InvoicePaymentUnmatched: ({ paymentId }, state) => ({ ...state, payments: [...state.payments, paymentId] }),
    InvoicePaid: (_, state) => ({ ...state, isPaid: true }),
  }),
};

