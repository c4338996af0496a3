import fc from 'fast-check';
import { Decimal } from '@valueverse/kernel';
import { given, runs } from '@valueverse/testing';
import { payment, type PaymentCommand, type PaymentEvent } from './payment';

// Money that had become an account's balance, and is there no more.
const AT = '2026-03-01T00:00:00Z';
const of = { paymentId: 'pay_1', at: AT } as const;
const usd = (amount: string) => ({ amount, currency: 'USD' });
const begun = (creditId?: string): PaymentCommand[] => [
  { type: 'RequestPayment', ...of, invoiceId: creditId ?? 'inv_1', ...(creditId === undefined ? {} : { creditId }), accountId: 'acc_1', ...usd('60.00'), methodId: 'pm_1', provider: 'sandbox' }, { type: 'StartAttempt', ...of, attempt: 1 },
  { type: 'RecordSuccess', ...of, attempt: 1, ...usd('60.00'), providerReference: 'pi_1' },
];
const AHEAD = begun('crd_1');
/** 49.00 are the invoice's, 11.00 the account's. */
const OVER: readonly PaymentCommand[] = [...begun(), { type: 'CreditAccount', ...of, creditId: 'crd_1', amount: '11.00' }];
const dispute = (amount = '60.00', disputeId = 'dsp_1'): PaymentCommand => ({ type: 'OpenDispute', ...of, disputeId, ...usd(amount), reason: 'fraudulent', providerReference: `dp_${disputeId}`, chargeReference: 'pi_1' });
const close = (outcome: 'won' | 'lost', disputeId = 'dsp_1'): PaymentCommand => ({ type: 'CloseDispute', ...of, disputeId, outcome });
const there = (refundId: string, amount: string, status: 'succeeded' | 'failed' = 'succeeded'): PaymentCommand => ({ type: 'RecordProviderRefund', ...of, refundId, providerReference: `re_${refundId}`, chargeReference: 'pi_1', ...usd(amount), status, reason: 'made at the provider' });
const ask = (refundId: string, amount: string): PaymentCommand => ({ type: 'RequestCreditRefund', ...of, creditId: 'crd_1', refundId, amount, reason: 'x' });
const approve = (refundId: string): PaymentCommand => ({ type: 'ApproveCreditRefund', ...of, creditId: 'crd_1', refundId });

const run = (commands: readonly PaymentCommand[]): { facts: PaymentEvent[]; state: typeof payment.initial } => commands.reduce<{ facts: PaymentEvent[]; state: typeof payment.initial }>(({ facts, state }, command) => {
  const decided = payment.decide(command, state);
  return { facts: [...facts, ...decided], state: decided.reduce((before, event) => payment.evolve(event, before), state) };
}, { facts: [], state: payment.initial });
const past = (...commands: readonly PaymentCommand[]): readonly PaymentEvent[] => run(commands).facts;
/** What billing makes of it: what was credited, less what was paid out and taken back. */
const balance = (facts: readonly PaymentEvent[]): string => facts.reduce((sum, fact) => {
  if (fact.type === 'MoneyCredited' || fact.type === 'CreditRestored') return sum.plus(Decimal.parse(fact.amount));
  return fact.type === 'CreditTakenBack' || fact.type === 'CreditRefundApproved' || (fact.type === 'CreditRefundRefused' && fact.code === 'payment_disputed') ? sum.minus(Decimal.parse(fact.amount)) : sum;
}, Decimal.zero).toFixed(2);

test('what was paid ahead and is disputed is taken back, once; it is there again when that is won, and stays gone when it is lost', () => {
  const gone = { creditId: 'crd_1', accountId: 'acc_1', amount: '60.00', currency: 'USD', paymentId: 'pay_1' };
  expect(past(...AHEAD, dispute()).at(-1)).toEqual({ type: 'CreditTakenBack', ...gone, takenBackId: expect.stringMatching(/^tbk_/) as string, takenBackAt: AT });
  given(payment, ...past(...AHEAD, dispute())).when(dispute()).then();
  expect(past(...AHEAD, dispute(), close('won')).at(-1)).toEqual({ type: 'CreditRestored', ...gone, restoredId: expect.stringMatching(/^tbk_/) as string, restoredAt: AT });
  expect([balance(past(...AHEAD, dispute())), balance(past(...AHEAD, dispute(), close('won'))), balance(past(...AHEAD, dispute(), close('lost')))]).toEqual(['0.00', '60.00', '0.00']);
});
test('a refund at the page of the provider is taken back too, and is there again where it did not arrive', () => {
  expect(balance(past(...AHEAD, there('ref_1', '20.00')))).toBe('40.00');
  expect(balance(past(...AHEAD, there('ref_1', '20.00'), there('ref_1', '20.00', 'failed')))).toBe('60.00');
  expect(balance(past(...AHEAD, there('ref_1', '20.00'), dispute('40.00'), close('lost')))).toBe('0.00');
});
test('of what an invoice took a part of, the invoice bears what goes back as long as it has something', () => {
  for (const [amount, left] of [['20.00', '11.00'], ['49.00', '11.00'], ['50.00', '10.00'], ['60.00', '0.00']] as const) expect([amount, balance(past(...OVER, dispute(amount)))]).toEqual([amount, left]);
});
test('what was paid out of it is not taken back again, and what a dispute takes while it is asked for is not paid out', () => {
  expect(balance(past(...AHEAD, ask('ref_1', '40.00'), approve('ref_1'), dispute('20.00')))).toBe('0.00');
  const asked = past(...AHEAD, ask('ref_1', '40.00'), dispute(), approve('ref_1'));
  expect(asked.map(({ type }) => type)).not.toContain('RefundRequested');
  expect(balance(asked)).toBe('0.00');
});
test('what was disputed before this was known is taken back with the next news of its payment', () => {
  const older = past(...AHEAD, dispute()).filter(({ type }) => type !== 'CreditTakenBack');
  given(payment, ...older).when(dispute()).then();
  const decided = payment.decide(close('lost'), older.reduce((state, fact) => payment.evolve(fact, state), payment.initial));
  expect(decided.map(({ type }) => type)).toEqual(['DisputeClosed', 'CreditTakenBack']);
});
test('whatever banks, providers and customers do, in whatever order, and however often it is told: the balance is what is there of its money', () => {
  const news: readonly PaymentCommand[] = [
    dispute('30.00'), close('won'), close('lost'), dispute('40.00', 'dsp_2'), close('lost', 'dsp_2'), close('won', 'dsp_2'), there('ref_1', '25.00'), there('ref_1', '25.00', 'failed'), there('ref_2', '10.00'),
    ask('ref_3', '10.00'), approve('ref_3'), { type: 'RecordRefund', ...of, refundId: 'ref_3', providerReference: 're_3' }, { type: 'RecordRefundFailure', ...of, refundId: 'ref_3', code: 'lost' },
  ];
  fc.assert(fc.property(fc.array(fc.constantFrom(...news), { maxLength: 30 }), (told) => {
    let { facts, state } = run(AHEAD);
    for (const command of told) {
      let decided: readonly PaymentEvent[] = [];
      try { decided = payment.decide(command, state); } catch (error) { expect((error as { code?: string }).code).toMatch(/dispute_not_found|refund_not_found|nothing_to_refund|refund_exceeds_credit/); }
      facts = [...facts, ...decided];
      state = decided.reduce((before, fact) => payment.evolve(fact, before), state);
      const gone = [...state.refunds.filter(({ status }) => status !== 'failed'), ...state.disputes.filter(({ status }) => status === 'open' || status === 'lost')];
      const left = Decimal.parse('60').minus(Decimal.sum(gone.map(({ amount }) => Decimal.parse(amount))));
      expect(balance(facts)).toBe(Decimal.max(left, Decimal.zero).toFixed(2));
    }
  }), runs(20_261_123, 300));
});
