import fc from 'fast-check';
import { given, runs } from '@valueverse/testing';
import { payment, type PaymentCommand, type PaymentEvent } from './payment';
import { refundable } from './refunds';

const AT = '2026-03-01T00:00:00Z';
const of = { paymentId: 'pay_1', at: AT } as const;
const by = { methodId: 'pm_1', provider: 'sandbox' };
const usd = (amount: string) => ({ amount, currency: 'USD' });
const ask = { ...of, disputeId: 'dsp_1', ...usd('30.00'), reason: 'fraudulent', providerReference: 'dp_1', chargeReference: 'pi_2' };
const inquire: PaymentCommand = { type: 'OpenInquiry', ...ask, evidenceDueBy: '2026-03-08T00:00:00Z' };
const dispute: PaymentCommand = { type: 'OpenDispute', ...ask };
const closeInquiry: PaymentCommand = { type: 'CloseInquiry', ...of, disputeId: 'dsp_1' };
const close = (outcome: 'won' | 'lost'): PaymentCommand => ({ type: 'CloseDispute', ...of, disputeId: 'dsp_1', outcome });
/** The second attempt took 49.00; the first one, which had been declined, took them too. */
const TWICE: readonly PaymentCommand[] = [
  { type: 'RequestPayment', ...of, invoiceId: 'inv_1', accountId: 'acc_1', ...usd('49.00'), ...by }, { type: 'StartAttempt', ...of, attempt: 1 },
  { type: 'RecordDecline', ...of, attempt: 1, declineCode: 'processing_error', declineClass: 'technical', next: { ...by, retryAt: AT } },
  { type: 'StartAttempt', ...of, attempt: 2 }, { type: 'RecordSuccess', ...of, attempt: 2, ...usd('49.00'), providerReference: 'pi_2' }, { type: 'RecordSuccess', ...of, attempt: 1, ...usd('49.00'), providerReference: 'pi_1' },
];
const run = (commands: readonly PaymentCommand[]) => commands.reduce<{ facts: PaymentEvent[]; state: typeof payment.initial }>(({ facts, state }, command) => {
  const decided = payment.decide(command, state);
  return { facts: [...facts, ...decided], state: decided.reduce((before, event) => payment.evolve(event, before), state) };
}, { facts: [], state: payment.initial });
const past = (...more: readonly PaymentCommand[]): readonly PaymentEvent[] => run([...TWICE, ...more]).facts;
const left = (...more: readonly PaymentCommand[]): string[] => {
  const { state } = run([...TWICE, ...more]);
  return [1, 2].map((attempt) => refundable(state, attempt).toFixed(2));
};
const refund = (refundId: string, more: object = {}): PaymentCommand => ({ type: 'RequestRefund', ...of, refundId, reason: 'x', ...more });

test('an inquiry holds nothing back: not what can be refunded, neither while it is open nor after it', () => {
  expect(left(inquire)).toEqual(['49.00', '49.00']);
  expect(left(inquire, closeInquiry)).toEqual(['49.00', '49.00']);
  const [, opened] = [past().length, past(inquire).at(-1)!];
  expect(opened).toEqual({ type: 'InquiryOpened', paymentId: 'pay_1', disputeId: 'dsp_1', invoiceId: 'inv_1', accountId: 'acc_1', ...usd('30.00'), reason: 'fraudulent', providerReference: 'dp_1', evidenceDueBy: '2026-03-08T00:00:00Z', attempt: 2, openedAt: AT });
});
test('an inquiry that becomes a dispute is one, also after it was closed; what was asked before it comes too late', () => {
  for (const before of [[inquire], [inquire, closeInquiry]]) expect(past(...before, dispute).at(-1)).toMatchObject({ type: 'DisputeOpened', disputeId: 'dsp_1', attempt: 2 });
  for (const late of [inquire, closeInquiry, dispute]) given(payment, ...past(inquire, dispute)).when(late).then();
  given(payment, ...past(inquire, dispute, close('won'))).when(inquire).then();
  given(payment, ...past(inquire)).when(close('lost')).then();
  given(payment, ...past()).when(closeInquiry).thenRefused('dispute_not_found');
});
test('an inquiry that an older release took for a dispute is closed when the bank closes it, as what the customer did not get', () => {
  expect(past(dispute, closeInquiry).at(-1)).toMatchObject({ type: 'DisputeClosed', disputeId: 'dsp_1', outcome: 'won', ...usd('30.00') });
  expect(left(dispute, inquire, closeInquiry)).toEqual(['49.00', '49.00']);
  given(payment, ...past(dispute, closeInquiry)).when(closeInquiry).then();
});
test('a dispute holds back what the attempt took that it is about, and no other one\'s money', () => {
  expect(left(dispute)).toEqual(['49.00', '19.00']);
  expect(left({ ...dispute, chargeReference: 'pi_1' } as PaymentCommand)).toEqual(['19.00', '49.00']);
  // Nobody has heard of that money: it is taken for the payment's own.
  expect(left({ ...dispute, chargeReference: 'pi_none' } as PaymentCommand)).toEqual(['49.00', '19.00']);
  expect(left({ ...dispute, chargeReference: 'pi_1' } as PaymentCommand, close('lost'))).toEqual(['19.00', '49.00']);
  expect(left(dispute, close('won'))).toEqual(['49.00', '49.00']);
  // What a second attempt took is on its way back then.
  expect(left({ ...dispute, chargeReference: 'pi_1' } as PaymentCommand, close('won'))).toEqual(['0.00', '49.00']);
});
test('what goes back by itself is what is left of it; what the bank has just now is held back, once, and goes when it lets go', () => {
  const all = { ...dispute, ...usd('49.00'), chargeReference: 'pi_1' } as PaymentCommand;
  const back = refund('ref_1', { attempt: 1, amount: '49.00', isAutomatic: true });
  expect(past(back).at(-1)).toMatchObject({ type: 'RefundRequested', attempt: 1, amount: '49.00' });
  expect(past({ ...dispute, chargeReference: 'pi_1' } as PaymentCommand, back).slice(-2)).toMatchObject([{ type: 'RefundRequested', attempt: 1, amount: '19.00' }, { type: 'RefundHeldBack', attempt: 1, amount: '30.00' }]);
  given(payment, ...past(all)).when(back).then({ type: 'RefundHeldBack', paymentId: 'pay_1', refundId: 'ref_1', ...usd('49.00'), reason: 'x', attempt: 1, heldBackAt: AT });
  given(payment, ...past(all, back)).when(back).then();
  given(payment, ...past(all)).when(refund('ref_1', { attempt: 1, amount: '49.00' })).thenRefused('nothing_to_refund');
  expect(past(all, refund('ref_2')).at(-1)).toMatchObject({ type: 'RefundRequested', attempt: 2, amount: '49.00' });
});
test('what an invoice did not need, and is disputed just then, goes back when that is won, no more than is there, also when the bank decides so after it was lost', () => {
  const over = refund('ref_1', { attempt: 2, amount: '20.00', isAutomatic: true });
  const all = { ...dispute, ...usd('49.00') } as PaymentCommand;
  const requests = (...more: readonly PaymentCommand[]) => past(...more).flatMap((fact) => (fact.type === 'RefundRequested' ? [`${fact.attempt} ${fact.amount} ${fact.heldBackId ?? ''}`] : []));
  expect(requests(all, over)).toEqual([]);
  expect(requests(all, over, close('won'))).toEqual(['2 20.00 ref_1']);
  expect(requests(all, over, close('won'), close('won'), over)).toEqual(['2 20.00 ref_1']);
  expect(requests(all, over, close('lost'))).toEqual([]);
  expect(requests(all, over, close('lost'), close('won'))).toEqual(['2 20.00 ref_1']);
  // 40.00 of it are there: 20.00 go at once, and 9.00 of what was given back by hand before are not there to go twice.
  expect(requests(dispute, refund('ref_0', { attempt: 2, amount: '9.00' }), over, close('won'))).toEqual(['2 9.00 ', '2 10.00 ', '2 10.00 ref_1']);
});
test('a bank that has decided against us may let go of the money after all; what it has let go of stays so', () => {
  expect(past(dispute, close('lost'), close('won')).slice(-2)).toMatchObject([{ type: 'DisputeClosed', outcome: 'lost' }, { type: 'DisputeClosed', outcome: 'won', ...usd('30.00') }]);
  expect(left(dispute, close('lost'), close('won'))).toEqual(['49.00', '49.00']);
  given(payment, ...past(dispute, close('won'))).when(close('lost')).then();
});
test('what a second attempt took goes back when the bank that held it lets it go, once, and as much as was not given back before', () => {
  const held = (amount: string) => ({ ...dispute, ...usd(amount), chargeReference: 'pi_1' }) as PaymentCommand;
  const back = refund('ref_1', { attempt: 1, amount: '49.00', isAutomatic: true });
  expect(past(held('49.00'), back, close('won')).slice(-2)).toMatchObject([{ type: 'DisputeClosed', outcome: 'won' }, { type: 'RefundRequested', attempt: 1, amount: '49.00', providerReference: 'pi_1' }]);
  expect(past(held('30.00'), back, close('won')).at(-1)).toMatchObject({ type: 'RefundRequested', attempt: 1, amount: '30.00' });
  // An older release took an inquiry for a dispute: its end lets the money go as well.
  expect(past(held('49.00'), back, closeInquiry).at(-1)).toMatchObject({ type: 'RefundRequested', attempt: 1, amount: '49.00' });
  given(payment, ...past(held('49.00'), close('won'))).when(close('won')).then();
  for (const more of [[dispute, close('won')], [held('49.00'), close('lost')], [back, held('49.00'), close('won')]]) expect(past(...more).at(-1)).toMatchObject({ type: 'DisputeClosed' });
});
test('whatever is asked in whatever order, and however often: what banks have said last holds, and refunds and disputes never come to more than an attempt took', () => {
  const commands = [inquire, closeInquiry, dispute, close('won'), { ...dispute, disputeId: 'dsp_2', chargeReference: 'pi_1' } as PaymentCommand];
  const parts = fc.array(fc.oneof(fc.constantFrom(...commands), fc.integer({ min: 1, max: 4_900 }).map((cents) => refund(`ref_${cents}`, { attempt: 1 + (cents % 2), amount: (cents / 100).toFixed(2), isAutomatic: true }))), { maxLength: 20 });
  fc.assert(fc.property(parts, (noise) => {
    const asked = noise.filter(({ type }) => type !== 'CloseInquiry' && type !== 'CloseDispute');
    const { facts, state } = run([...TWICE, ...asked, dispute, ...asked, close('lost'), ...asked]);
    expect(state.disputes.find(({ disputeId }) => disputeId === 'dsp_1')).toMatchObject({ amount: '30.00', attempt: 2, status: 'lost' });
    expect(facts.filter(({ type }) => type === 'DisputeOpened').length).toBeLessThanOrEqual(2);
    for (const attempt of [1, 2]) {
      const given = state.refunds.filter((one) => one.attempt === attempt).reduce((sum, { amount }) => sum + Math.round(Number(amount) * 100), 0);
      expect(given).toBeLessThanOrEqual(4_900);
    }
  }), runs(20_261_122, 300));
});
