import fc from 'fast-check';
import { given, runs } from '@valueverse/testing';
import { invoice, type InvoiceCommand, type InvoiceEvent } from '../../invoicing/domain/invoice.decider';
import { AT, draft, finalize, INVOICE, pay } from '../../invoicing/domain/invoice.spec-kit';
import { invoicesModel, type InvoiceRow } from '../../invoicing/invoice.model';
import { receivedPaymentsModel, receivedToApi, type ReceivedPaymentRow } from '../received-payment.model';
import { standingOf } from './received-money';
import type { LostDisputes } from './taken-back';

const of = { invoiceId: INVOICE, paymentId: 'pay_1', currency: 'USD', at: AT } as const;
const refund = (refundId: string, amount: string, attempt = 1, creditId?: string): InvoiceCommand => ({ type: 'RecordRefund', ...of, refundId, amount, attempt, creditId });
const returned = (refundId: string, amount: string): InvoiceCommand => ({ type: 'RecordRefundReturned', ...of, refundId, amount });
const dispute = (disputeId: string, amount: string, attempt?: number): InvoiceCommand => ({ type: 'OpenDispute', ...of, disputeId, amount, attempt });
const close = (disputeId: string, amount: string, outcome: 'won' | 'lost', whenLost: LostDisputes = 'reopen'): InvoiceCommand => ({ type: 'CloseDispute', ...of, disputeId, amount, outcome, whenLost });
const duplicate = (amount: string): InvoiceCommand => ({ type: 'RecordDuplicate', ...of, attempt: 2, amount });
const credit = (creditId: string, amount: string): InvoiceCommand => ({ type: 'RecordCredited', ...of, creditId, amount });

const past = (...commands: readonly InvoiceCommand[]): readonly InvoiceEvent[] => commands.reduce<{ events: InvoiceEvent[]; state: typeof invoice.initial }>(({ events, state }, command) => {
  const decided = invoice.decide(command, state);
  return { events: [...events, ...decided], state: decided.reduce((before, event) => invoice.evolve(event, before), state) };
}, { events: [], state: invoice.initial }).events;
const folded = <R>(model: { readonly initial: R; readonly on: object }, events: readonly InvoiceEvent[]): R =>
  events.reduce((row, event) => (model.on as Record<string, ((event: InvoiceEvent, row: R) => R) | undefined>)[event.type]?.(event, row) ?? row, model.initial);
const invoiceAfter = (...commands: readonly InvoiceCommand[]): unknown[] => {
  const { paymentStatus, amountPaid, amountRemaining } = folded<InvoiceRow>(invoicesModel, past(...commands));
  return [paymentStatus, amountPaid, amountRemaining];
};
const rowAfter = (...commands: readonly InvoiceCommand[]): ReceivedPaymentRow => folded<ReceivedPaymentRow>(receivedPaymentsModel, past(...commands));

/** An invoice over 49.00, paid by pay_1. */
const PAID = [draft([]), finalize, pay('pay_1', '49.00')];
/** The same, and 11.00 of the payment are over. */
const OVER = [draft([]), finalize, pay('pay_1', '60.00')];

describe('an invoice', () => {
  test('that money was given back of stays paid', () => expect(invoiceAfter(...PAID, refund('ref_1', '49.00'))).toEqual(['paid', '49.00', '0.00']));
  test('is disputed until the bank has decided, and paid when the dispute is won', () => {
    expect(invoiceAfter(...PAID, dispute('dsp_1', '49.00'))).toEqual(['disputed', '49.00', '0.00']);
    expect(invoiceAfter(...PAID, dispute('dsp_1', '49.00'), close('dsp_1', '49.00', 'won'))).toEqual(['paid', '49.00', '0.00']);
  });
  test('is owed again, given up, or paid still when it is lost, as the tenant says', () => {
    const lost = (whenLost: LostDisputes) => [...PAID, dispute('dsp_1', '49.00'), close('dsp_1', '49.00', 'lost', whenLost)];
    expect([invoiceAfter(...lost('reopen')), invoiceAfter(...lost('write_off')), invoiceAfter(...lost('leave_paid'))]).toEqual([['unpaid', '0.00', '49.00'], ['uncollectible', '0.00', '49.00'], ['paid', '49.00', '0.00']]);
    // What comes in all the same pays it, in parts and in full.
    expect(invoiceAfter(...lost('reopen'), pay('pay_2', '20.00'))).toEqual(['partially_paid', '20.00', '29.00']);
    expect(invoiceAfter(...lost('write_off'), pay('pay_2', '20.00'))).toEqual(['uncollectible', '20.00', '29.00']);
    expect(invoiceAfter(...lost('write_off'), pay('pay_2', '20.00'), pay('pay_3', '29.00'))).toEqual(['paid', '49.00', '0.00']);
  });
  test('does not owe again what a credit note had promised to refund: the customer has that by the dispute; what was refunded of it before is promised no more', () => {
    const note = (creditNoteId: string, toRefund: string): InvoiceCommand => ({ type: 'CreditInvoice', invoiceId: INVOICE, creditNoteId, amount: '0.00', lines: [], toRefund, at: AT });
    const lost = (disputeId: string, amount: string): readonly InvoiceCommand[] => [dispute(disputeId, amount), close(disputeId, amount, 'lost')];
    expect(invoiceAfter(...PAID, note('cn_1', '30.00'), ...lost('dsp_1', '49.00'))).toEqual(['partially_paid', '30.00', '19.00']);
    expect(past(...PAID, note('cn_1', '30.00'), ...lost('dsp_1', '49.00')).slice(-2)).toMatchObject([{ type: 'InvoiceDisputeClosed', promised: '30.00' }, { type: 'InvoiceReopened', amount: '19.00' }]);
    expect(invoiceAfter(...PAID, note('cn_1', '30.00'), refund('ref_1', '30.00'), ...lost('dsp_1', '19.00'))).toEqual(['partially_paid', '30.00', '19.00']);
    expect(invoiceAfter(...PAID, note('cn_1', '49.00'), ...lost('dsp_1', '49.00'))).toEqual(['paid', '49.00', '0.00']);
    // By two disputes it is taken off once.
    expect(invoiceAfter(...PAID, note('cn_1', '30.00'), ...lost('dsp_1', '20.00'), ...lost('dsp_2', '29.00'))).toEqual(['partially_paid', '30.00', '19.00']);
    expect(past(...PAID, note('cn_1', '30.00'), dispute('dsp_1', '49.00'), close('dsp_1', '49.00', 'lost', 'leave_paid')).at(-1)).not.toHaveProperty('promised');
  });
  test('owes no more what a bank lets go of after all, and is paid by it; paid in another way meanwhile, it takes nothing twice', () => {
    const lost = [...PAID, dispute('dsp_1', '49.00'), close('dsp_1', '49.00', 'lost')];
    const won = close('dsp_1', '49.00', 'won');
    expect(invoiceAfter(...lost, won)).toEqual(['paid', '49.00', '0.00']);
    expect(past(...lost, won).slice(-3).map(({ type }) => type)).toEqual(['InvoiceDisputeClosed', 'InvoiceRecovered', 'InvoicePaid']);
    given(invoice, ...past(...lost, won)).when(won).then();
    given(invoice, ...past(...lost, won)).when(close('dsp_1', '49.00', 'lost')).then();
    expect(receivedToApi(rowAfter(...lost, won))).toMatchObject({ lost: '0.00', disputes: [{ status: 'won' }] });
    expect(invoiceAfter(...lost, pay('pay_2', '20.00'), won)).toEqual(['paid', '49.00', '0.00']);
    expect(invoiceAfter(...lost, pay('pay_2', '49.00'), won)).toEqual(['paid', '49.00', '0.00']);
    const givenUp = [...PAID, dispute('dsp_1', '49.00'), close('dsp_1', '49.00', 'lost', 'write_off')];
    expect(invoiceAfter(...givenUp, won)).toEqual(['paid', '49.00', '0.00']);
    expect(invoiceAfter(...PAID, dispute('dsp_1', '49.00'), close('dsp_1', '49.00', 'lost', 'leave_paid'), won)).toEqual(['paid', '49.00', '0.00']);
  });
  test('owes no more again than it has lost: not what was given back before, nor what it never took', () => {
    expect(invoiceAfter(...PAID, refund('ref_1', '9.00'), dispute('dsp_1', '40.00'), close('dsp_1', '40.00', 'lost'))).toEqual(['partially_paid', '9.00', '40.00']);
    expect(invoiceAfter(...OVER, dispute('dsp_1', '60.00'), close('dsp_1', '60.00', 'lost'))).toEqual(['unpaid', '0.00', '49.00']);
    expect(invoiceAfter(...OVER, dispute('dsp_1', '11.00'))).toEqual(['paid', '49.00', '0.00']);
    // What is the account's balance is spent there: then all of it is the invoice's loss.
    expect(invoiceAfter(...OVER, credit('crd_1', '11.00'), dispute('dsp_1', '49.00'), close('dsp_1', '49.00', 'lost'))).toEqual(['unpaid', '0.00', '49.00']);
    // What is paid out of that balance was none of the invoice's either, and comes back as the balance where it does not arrive.
    const paidOut = [...OVER, credit('crd_1', '11.00'), refund('ref_1', '11.00', 1, 'crd_1')];
    for (const before of [paidOut, [...paidOut, returned('ref_1', '11.00')]]) expect(invoiceAfter(...before, dispute('dsp_1', '49.00'), close('dsp_1', '49.00', 'lost'))).toEqual(['unpaid', '0.00', '49.00']);
    expect(receivedToApi(rowAfter(...paidOut))).toMatchObject({ refunded: '11.00', allocations: [{ amount: '49.00', refunded: '0.00' }] });
  });
});

test('what is told twice, before its time, or of a payment that never came says nothing', () => {
  for (const commands of [[refund('ref_1', '9.00')], [dispute('dsp_1', '49.00')], [duplicate('49.00')], [credit('crd_1', '9.00')]]) given(invoice, ...past(...PAID, ...commands)).when(commands[0]!).then();
  given(invoice, ...past(...PAID, refund('ref_1', '9.00'), returned('ref_1', '9.00'))).when(returned('ref_1', '9.00')).then();
  given(invoice, ...past(...PAID)).when(returned('ref_1', '9.00')).then();
  given(invoice, ...past(...PAID)).when(close('dsp_1', '49.00', 'lost')).then();
  given(invoice, ...past(...PAID, dispute('dsp_1', '49.00'), close('dsp_1', '49.00', 'lost'))).when(close('dsp_1', '49.00', 'lost')).then();
  for (const command of [refund('ref_1', '9.00'), dispute('dsp_1', '9.00'), duplicate('9.00'), credit('crd_1', '9.00')]) given(invoice, ...past(draft([]), finalize)).when(command).then();
});

test('a payment says what of it went back, and of what its invoice took', () => {
  const none = { refunded: '0.00', disputed: '0.00', lost: '0.00' };
  expect(receivedToApi(rowAfter(...OVER, refund('ref_1', '15.00')))).toMatchObject({ amount: '60.00', applied: '49.00', unapplied: '11.00', refunded: '15.00', allocations: [{ invoiceId: INVOICE, amount: '49.00', ...none, refunded: '4.00' }] });
  expect(receivedToApi(rowAfter(...OVER, refund('ref_1', '15.00'), returned('ref_1', '15.00')))).toMatchObject({ ...none, refunds: [{ id: 'ref_1', status: 'returned' }], allocations: [none] });
  expect(receivedToApi(rowAfter(...OVER, credit('crd_1', '11.00'), dispute('dsp_1', '20.00')))).toMatchObject({ disputed: '20.00', allocations: [{ disputed: '20.00' }] });
  // What a second attempt took bears its own disputes; those of the first are the invoice's.
  const ofTwo = (attempt: number) => [...PAID, duplicate('49.00'), dispute('dsp_1', '49.00', attempt)];
  expect(receivedToApi(rowAfter(...ofTwo(2)))).toMatchObject({ disputed: '49.00', allocations: [none], disputes: [{ id: 'dsp_1', status: 'open' }] });
  expect(receivedToApi(rowAfter(...ofTwo(1)))).toMatchObject({ disputed: '49.00', allocations: [{ disputed: '49.00' }] });
  expect([invoiceAfter(...ofTwo(2)), invoiceAfter(...ofTwo(2), close('dsp_1', '49.00', 'lost'))]).toEqual([['paid', '49.00', '0.00'], ['paid', '49.00', '0.00']]);
  expect(invoiceAfter(...ofTwo(1), close('dsp_1', '49.00', 'lost'))).toEqual(['unpaid', '0.00', '49.00']);
  // What a second attempt took is nobody's, and its way back is not the invoice's loss.
  const twice = receivedToApi(rowAfter(...PAID, duplicate('49.00'), refund('ref_1', '49.00', 2)));
  expect(twice).toMatchObject({ amount: '98.00', applied: '49.00', unapplied: '49.00', reason: 'duplicate', status: 'partially_applied', refunded: '49.00', allocations: [none] });
});

test('whatever comes in whatever order: what went back is borne once, and nobody bears more than there was', () => {
  const cents = (max: number): fc.Arbitrary<string> => fc.integer({ min: 0, max }).map((minor) => (minor / 100).toFixed(2));
  const refunds = fc.array(fc.record({ amount: cents(9_000), status: fc.constantFrom('succeeded', 'returned') }), { maxLength: 4 });
  const disputes = fc.array(fc.record({ amount: cents(9_000), status: fc.constantFrom('open', 'won', 'lost') }), { maxLength: 3 });
  fc.assert(fc.property(cents(9_000), cents(9_000), refunds, disputes, (applied, unapplied, given, taken) => {
    const money = { applied, unapplied, refunds: given.map((one, nth) => ({ ...one, id: `ref_${nth}`, refundedAt: AT })), disputes: taken.map((one, nth) => ({ ...one, id: `dsp_${nth}`, openedAt: AT })) } as never;
    const { refunded, disputed, lost, ofInvoice, amount } = standingOf(money);
    const all = refunded.plus(disputed).plus(lost);
    const borne = ofInvoice.refunded.plus(ofInvoice.disputed).plus(ofInvoice.lost);
    expect(borne.lte(ofInvoice.applied)).toBe(true);
    // The invoice bears what is above the money that it never took.
    const above = all.minus(amount.minus(ofInvoice.applied));
    const expected = above.isPositive() ? (above.gt(ofInvoice.applied) ? ofInvoice.applied : above) : above.minus(above);
    expect(borne.toFixed(2)).toBe(expected.toFixed(2));
  }), runs(20_261_122, 300));
});
