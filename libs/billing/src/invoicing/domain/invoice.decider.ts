import { dispatch, Money, Refused, type Decider } from '@valueverse/kernel';
import type { CitedStatement, InvoiceCredited, InvoiceDrafted, InvoiceDropped, InvoiceFinalized, InvoiceItem, InvoiceItemsChanged, InvoicePaid, InvoicePaymentUnmatched, InvoiceRecovered, InvoiceReopened, InvoiceUsageStated, InvoiceVoided } from '@valueverse/contracts';
import { afterFact, type ReceivedFact, type ReceivedMoney } from '../../received/domain/received-money';
import {
  closeDispute, openDispute, recordCredited, recordDuplicate, recordRefund, recordRefundReturned, type CloseDispute, type OpenDispute, type RecordCredited, type RecordDuplicate, type RecordRefund, type RecordRefundReturned,
} from '../../received/domain/taken-back';
import { issueInvoice, servicePeriodOf, type IssueTerms } from './issue-invoice';

export type InvoiceEvent = InvoiceDrafted | InvoiceItemsChanged | InvoiceUsageStated | InvoiceFinalized | InvoiceVoided | InvoiceDropped | InvoicePaid | InvoiceCredited | InvoiceReopened | InvoiceRecovered | ReceivedFact;

export type DraftInvoice = { readonly type: 'DraftInvoice'; readonly at: string } & Omit<InvoiceDrafted, 'type' | 'draftedAt'>;
export interface ChangeItems { readonly type: 'ChangeItems'; readonly invoiceId: string; readonly added: readonly InvoiceItem[]; readonly removed: readonly string[]; readonly at: string }
export type StateUsage = { readonly type: 'StateUsage'; readonly at: string } & Omit<InvoiceUsageStated, 'type' | 'statedAt'>;
/** Issues it, computed with `terms`; `number` comes from its series, in the same transaction. `balance` is what the account has to its credit then, major units. `at` is the moment of issue. */
export type FinalizeInvoice = { readonly type: 'FinalizeInvoice'; readonly invoiceId: string; readonly at: string; readonly terms: IssueTerms; readonly balance: string } & Pick<InvoiceFinalized, 'number' | 'dueAt' | 'billTo' | 'entityKey' | 'seller' | 'document' | 'untaxed'>;
export interface VoidInvoice { readonly type: 'VoidInvoice'; readonly invoiceId: string; readonly reason: string; readonly at: string }
export interface DropInvoice { readonly type: 'DropInvoice'; readonly invoiceId: string; readonly reason: string; readonly at: string }
/** `accountId` is whose money it is, as payments say. */
export interface ApplyPayment { readonly type: 'ApplyPayment'; readonly invoiceId: string; readonly paymentId: string; readonly accountId?: string; readonly amount: string; readonly currency: string; readonly at: string }
/** `amount` is what the note takes off what is due, `lines` what it gives back of each line. */
export type CreditInvoice = { readonly type: 'CreditInvoice'; readonly at: string } & Omit<InvoiceCredited, 'type' | 'creditedAt'>;
export type InvoiceCommand = DraftInvoice | ChangeItems | StateUsage | FinalizeInvoice | VoidInvoice | DropInvoice | ApplyPayment | CreditInvoice
  | RecordDuplicate | RecordCredited | RecordRefund | RecordRefundReturned | OpenDispute | CloseDispute;

/** What a line came to, and how much of it was given back. */
export interface LineState { readonly total: Money; readonly credited: Money }
/** State is only what the next decision needs. */
export interface Invoice {
  readonly status: 'absent' | 'draft' | 'finalized' | 'void' | 'dropped';
  readonly currency?: string;
  readonly accountId?: string;
  readonly drafted?: InvoiceDrafted;
  readonly statements: ReadonlyMap<string, CitedStatement>;
  readonly owed?: Money;
  readonly lines: ReadonlyMap<string, LineState>;
  /** It gives back parts of earlier invoices, which say so. */
  readonly givesBack?: boolean;
  /** By payment. */
  readonly received: ReadonlyMap<string, ReceivedMoney>;
  /** What of them was left to the account, by its id. */
  readonly credits: readonly string[];
  readonly notes: readonly string[];
  /** What credit notes have promised to refund, and what of that lost disputes have taken, by dispute: that is not owed again. */
  readonly promised?: Money;
  readonly settledByLoss: ReadonlyMap<string, Money>;
  /** What is owed again, by dispute. */
  readonly reopened: ReadonlyMap<string, Money>;
}

const refuseNoDraft = (invoiceId: string, { status }: Invoice): void => {
  if (status === 'absent') throw new Refused('invoice_not_found', `there is no invoice ${invoiceId}`);
  if (status !== 'draft') throw new Refused('invoice_not_draft', `the invoice is ${status}; what is issued does not change`);
};
const refuseNotIssued = (invoiceId: string, { status }: Invoice): void => {
  if (status === 'absent') throw new Refused('invoice_not_found', `there is no invoice ${invoiceId}`);
  if (status !== 'finalized') throw new Refused('invoice_not_finalized', `the invoice is ${status}`);
};

const finalize = ({ at, type: _, terms, balance, ...facts }: FinalizeInvoice, state: Invoice): readonly InvoiceEvent[] => {
  if (state.status === 'finalized') return []; // The run was restarted.
  const { invoiceId } = facts;
  refuseNoDraft(invoiceId, state);
  const { accountId, subscriptionId, kind, currency, zone, rounding, memo, items } = state.drafted!;
  const missing = items.flatMap(({ requests = [] }) => requests).find(({ requestId }) => !state.statements.has(requestId));
  if (missing !== undefined) throw new Refused('usage_not_stated', `the usage that ${missing.requestId} asks for is not stated yet`);
  const money = issueInvoice(state.drafted!, state.statements, terms).invoiceWith(Money.parse(balance, currency));
  if (money === undefined) throw new Refused('nothing_to_issue', 'everything that it bills is given back');
  const finalized: InvoiceFinalized = {
    ...facts, type: 'InvoiceFinalized', accountId, ...(subscriptionId === undefined ? {} : { subscriptionId }), kind, currency, servicePeriod: servicePeriodOf(items, at), zone, rounding, ...(memo === undefined ? {} : { memo }),
    ...money, terms, issuedAt: at,
  };
  // Nothing to pay is paid.
  return Money.parse(money.amountDue, currency).isPositive() ? [finalized] : [finalized, { type: 'InvoicePaid', invoiceId, paidAt: at }];
};

const applyPayment = ({ invoiceId, paymentId, accountId, amount, currency, at }: ApplyPayment, state: Invoice): readonly InvoiceEvent[] => {
  const { status, owed, received } = state;
  const from = accountId === undefined ? {} : { accountId };
  if (received.has(paymentId)) return []; // The provider told us twice.
  const unmatched = (sum: string, reason: InvoicePaymentUnmatched['reason']): InvoicePaymentUnmatched => ({ type: 'InvoicePaymentUnmatched', invoiceId, paymentId, ...from, amount: sum, currency, reason, unmatchedAt: at });
  // Money that has come in cannot be refused: what does not fit is kept and understood later.
  if (status === 'absent' || status === 'draft' || status === 'dropped' || owed === undefined) return [unmatched(amount, 'no_invoice')];
  if (currency !== state.currency) return [unmatched(amount, 'wrong_currency')];
  const paid = Money.parse(amount, currency);
  if (!owed.isPositive() || !paid.isPositive()) return [unmatched(amount, 'nothing_due')];
  const fits = paid.min(owed);
  const facts: InvoiceEvent[] = [{ type: 'InvoicePaymentApplied', invoiceId, paymentId, ...from, amount: fits.toString(), currency, appliedAt: at }];
  if (fits.equals(owed)) facts.push({ type: 'InvoicePaid', invoiceId, paidAt: at });
  if (fits.compare(paid) < 0) facts.push(unmatched(paid.subtract(fits).toString(), 'over_paid'));
  return facts;
};

const credit = ({ at, type: _, ...facts }: CreditInvoice, state: Invoice): readonly InvoiceEvent[] => {
  const { invoiceId, creditNoteId, amount, lines } = facts;
  if (state.notes.includes(creditNoteId)) return [];
  refuseNotIssued(invoiceId, state);
  const currency = state.currency!;
  for (const [nth, line] of lines.entries()) {
    const known = state.lines.get(line.lineId);
    if (known === undefined) throw new Refused('line_not_found', `the invoice has no line ${line.lineId}`, `/lines/${nth}/lineId`);
    const left = known.total.subtract(known.credited);
    const wanted = Money.parse(line.netAmount, currency).add(Money.parse(line.taxAmount, currency));
    if (wanted.compare(left) > 0) throw new Refused('credit_exceeds_line', `${left.toString()} of the line is left to be given back`, `/lines/${nth}/amount`);
  }
  const applied = Money.parse(amount, currency);
  if (applied.compare(state.owed!) > 0) throw new Refused('credit_exceeds_due', `${state.owed!.toString()} is due`);
  const credited: InvoiceEvent = { ...facts, type: 'InvoiceCredited', creditedAt: at };
  return applied.isPositive() && applied.equals(state.owed!) ? [credited, { type: 'InvoicePaid', invoiceId, paidAt: at }] : [credited];
};

const voidIt = ({ invoiceId, reason, at }: VoidInvoice, state: Invoice): readonly InvoiceEvent[] => {
  if (state.status === 'void') return [];
  refuseNotIssued(invoiceId, state);
  if (state.received.size > 0) throw new Refused('invoice_has_payments', 'money came in for it: give it back by a credit note');
  if (state.notes.length > 0) throw new Refused('invoice_has_credit_notes', 'a part of it was given back by a credit note: give back the rest the same way');
  if (state.givesBack === true) throw new Refused('invoice_gives_back', 'it gives back parts of earlier invoices, which would be lost with it: give back what it charges by a credit note');
  return [{ type: 'InvoiceVoided', invoiceId, accountId: state.accountId!, reason, voidedAt: at }];
};

const linesOf = ({ lines, currency }: InvoiceFinalized): Invoice['lines'] =>
  new Map(lines.map(({ lineId, netAmount, taxAmount }) => [lineId, { total: Money.parse(netAmount, currency).add(Money.parse(taxAmount, currency)), credited: Money.zero(currency) }]));

const creditedLines = (state: Invoice, lines: InvoiceCredited['lines']): Invoice['lines'] => {
  const all = new Map(state.lines);
  for (const { lineId, netAmount, taxAmount } of lines) {
    const known = all.get(lineId);
    if (known !== undefined) all.set(lineId, { ...known, credited: known.credited.add(Money.parse(netAmount, state.currency!)).add(Money.parse(taxAmount, state.currency!)) });
  }
  return all;
};
const withReceived = (fact: ReceivedFact, state: Invoice): Invoice => ({ ...state, received: new Map([...state.received, [fact.paymentId, afterFact(fact, state.received.get(fact.paymentId) ?? {})]]) });
const lessOwed = (state: Invoice, amount: string): Pick<Invoice, 'owed'> => (state.owed === undefined ? {} : { owed: state.owed.subtract(Money.parse(amount, state.owed.currency)) });

/**
 * One invoice: drafted, changed by hand while it is a draft, finalized once all its usage is stated, then paid, credited or void. Refuses with `usage_not_stated` to finalize before everything that was accepted has been
 * counted; `invoice_not_found`, `invoice_not_draft`, `invoice_not_finalized`, `item_not_found`, `line_not_found`, `credit_exceeds_line`, `credit_exceeds_due`, `invoice_has_payments`, `invoice_has_credit_notes`, `invoice_gives_back`.
 */
export const invoice: Decider<InvoiceCommand, InvoiceEvent, Invoice> = {
  initial: { status: 'absent', statements: new Map(), lines: new Map(), received: new Map(), credits: [], notes: [], settledByLoss: new Map(), reopened: new Map() },
  decide: dispatch<InvoiceCommand, Invoice, readonly InvoiceEvent[]>({
    DraftInvoice: ({ at, ...facts }, { status }) => (status === 'absent' ? [{ ...facts, type: 'InvoiceDrafted', draftedAt: at }] : []),
    ChangeItems: ({ invoiceId, added, removed, at }, state) => {
      refuseNoDraft(invoiceId, state);
      const wrong = removed.find((itemId) => state.drafted!.items.find((item) => item.itemId === itemId)?.kind !== 'one_off');
      if (wrong !== undefined) throw new Refused('item_not_found', `the draft has no line ${wrong} that was added by hand`);
      return [{ type: 'InvoiceItemsChanged', invoiceId, added, removed, changedAt: at }];
    },
    StateUsage: ({ invoiceId, stated, at }, { status, statements }) => {
      const fresh = stated.filter(({ requestId }) => !statements.has(requestId));
      return status === 'draft' && fresh.length > 0 ? [{ type: 'InvoiceUsageStated', invoiceId, stated: fresh, statedAt: at }] : [];
    },
    FinalizeInvoice: finalize,
    VoidInvoice: voidIt,
    DropInvoice: ({ invoiceId, reason, at }, state) => {
      if (state.status === 'dropped') return [];
      refuseNoDraft(invoiceId, state);
      return [{ type: 'InvoiceDropped', invoiceId, reason, droppedAt: at }];
    },
    ApplyPayment: applyPayment,
    CreditInvoice: credit,
    RecordDuplicate: recordDuplicate,
    RecordCredited: recordCredited,
    RecordRefund: recordRefund,
    RecordRefundReturned: recordRefundReturned,
    OpenDispute: openDispute,
    CloseDispute: closeDispute,
  }),
  evolve: dispatch<InvoiceEvent, Invoice, Invoice>({
    InvoiceDrafted: (drafted, state) => ({ ...state, status: 'draft', drafted, currency: drafted.currency, accountId: drafted.accountId }),
    InvoiceItemsChanged: ({ added, removed }, state) => ({ ...state, drafted: { ...state.drafted!, items: [...state.drafted!.items.filter(({ itemId }) => !removed.includes(itemId)), ...added] } }),
    InvoiceUsageStated: ({ stated }, state) => ({ ...state, statements: new Map([...state.statements, ...stated.map(({ requestId, statement }) => [requestId, statement] as const)]) }),
    InvoiceFinalized: (issued, state) => ({ ...state, status: 'finalized', currency: issued.currency, accountId: issued.accountId, owed: Money.parse(issued.amountDue, issued.currency), lines: linesOf(issued), givesBack: issued.lines.some(({ credits }) => credits !== undefined) }),
    InvoiceVoided: (_, state) => ({ ...state, status: 'void', ...(state.currency === undefined ? {} : { owed: Money.zero(state.currency) }) }),
    InvoiceDropped: (_, state) => ({ ...state, status: 'dropped' }),
    InvoicePaymentApplied: (fact, state) => ({ ...withReceived(fact, state), ...lessOwed(state, fact.amount) }),
    InvoicePaymentUnmatched: (fact, state) => withReceived(fact, state),
    InvoicePaymentDuplicated: (fact, state) => withReceived(fact, state),
    InvoicePaymentCredited: (fact, state) => ({ ...withReceived(fact, state), credits: [...state.credits, fact.creditId] }),
    InvoicePaymentRefunded: (fact, state) => withReceived(fact, state),
    InvoiceRefundReturned: (fact, state) => withReceived(fact, state),
    InvoicePaymentDisputed: (fact, state) => withReceived(fact, state),
    InvoiceDisputeClosed: (fact, state) => ({ ...withReceived(fact, state), settledByLoss: new Map([...state.settledByLoss].filter(([disputeId]) => disputeId !== fact.disputeId).concat(fact.promised === undefined ? [] : [[fact.disputeId, Money.parse(fact.promised, fact.currency)]])) }),
    InvoiceReopened: ({ disputeId, amount, currency }, state) => ({ ...state, reopened: new Map([...state.reopened, [disputeId, Money.parse(amount, currency)]]), owed: (state.owed ?? Money.zero(currency)).add(Money.parse(amount, currency)) }),
    InvoiceRecovered: ({ disputeId, amount }, state) => ({ ...state, ...lessOwed(state, amount), reopened: new Map([...state.reopened].filter(([one]) => one !== disputeId)) }),
    InvoicePaid: (_, state) => state,
    InvoiceCredited: ({ creditNoteId, amount, lines, toRefund }, state) => ({ ...state, ...(toRefund === undefined ? {} : { promised: (state.promised ?? Money.zero(state.currency!)).add(Money.parse(toRefund, state.currency!)) }), notes: [...state.notes, creditNoteId], lines: creditedLines(state, lines), ...lessOwed(state, amount) }),
  }),
};
