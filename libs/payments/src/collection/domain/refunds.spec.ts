import fc from 'fast-check';
import { given, runs } from '@valueverse/testing';
import { payment, type PaymentCommand, type PaymentEvent } from './payment';
import { refundable } from './refunds';

// What the provider says of refunds, ours and those that were made at its own pages.
const AT = '2026-03-01T00:00:00Z';
const of = { paymentId: 'pay_1', at: AT } as const;
const usd = (amount: string) => ({ amount, currency: 'USD' });
const PAID: readonly PaymentCommand[] = [
  { type: 'RequestPayment', ...of, invoiceId: 'inv_1', accountId: 'acc_1', ...usd('49.00'), methodId: 'pm_1', provider: 'sandbox' }, { type: 'StartAttempt', ...of, attempt: 1 }, { type: 'RecordSuccess', ...of, attempt: 1, ...usd('49.00'), providerReference: 'pi_1' },
  { type: 'RequestRefund', ...of, refundId: 'ref_own', amount: '10.00', reason: 'ours' },
];
const said = (refundId: string, status: 'pending' | 'succeeded' | 'failed', more: object = {}): PaymentCommand =>
  ({ type: 'RecordProviderRefund', ...of, refundId, providerReference: `re_${refundId}`, chargeReference: 'pi_1', ...usd('20.00'), status, ...(status === 'failed' ? { code: 'lost_or_stolen_card' } : {}), reason: 'made at the provider', ...more });
const own = (status: 'pending' | 'succeeded' | 'failed'): PaymentCommand => said('ref_derived', status, { key: 'ref:ref_own', ...usd('10.00') });
const run = (commands: readonly PaymentCommand[]) => commands.reduce<{ facts: PaymentEvent[]; state: typeof payment.initial }>(({ facts, state }, command) => {
  const decided = payment.decide(command, state);
  return { facts: [...facts, ...decided], state: decided.reduce((before, event) => payment.evolve(event, before), state) };
}, { facts: [], state: payment.initial });
const past = (...more: readonly PaymentCommand[]): readonly PaymentEvent[] => run([...PAID, ...more]).facts;
const left = (...more: readonly PaymentCommand[]): string => refundable(run([...PAID, ...more]).state, 1).toFixed(2);

test('one that was made at the provider is recorded once its money has gone, of the attempt whose money it is, and is not there to be given back again', () => {
  for (const nothing of ['pending', 'failed'] as const) given(payment, ...past()).when(said('ref_1', nothing)).then();
  given(payment, ...past()).when(said('ref_1', 'succeeded')).then(
    { type: 'RefundRequested', paymentId: 'pay_1', refundId: 'ref_1', ...usd('20.00'), reason: 'made at the provider', providerKey: 'ref:ref_1', providerReference: 'pi_1', attempt: 1, requestedAt: AT, origin: 'provider' },
    { type: 'RefundSucceeded', paymentId: 'pay_1', refundId: 'ref_1', invoiceId: 'inv_1', accountId: 'acc_1', attempt: 1, ...usd('20.00'), providerReference: 're_ref_1', refundedAt: AT },
  );
  expect([left(), left(said('ref_1', 'succeeded')), left(said('ref_1', 'succeeded'), said('ref_1', 'failed'))]).toEqual(['39.00', '19.00', '39.00']);
});
test('more than we think is left went back there: it is recorded, and nothing is left', () => {
  const all = said('ref_1', 'succeeded', usd('49.00'));
  expect(past(all).slice(-2).map(({ type }) => type)).toEqual(['RefundRequested', 'RefundSucceeded']);
  given(payment, ...past(all)).when({ type: 'RequestRefund', ...of, refundId: 'ref_2', reason: 'x' }).thenRefused('nothing_to_refund');
  given(payment, ...past(all)).when({ type: 'RequestRefund', ...of, refundId: 'ref_2', reason: 'x', isAutomatic: true }).then();
  given(payment, ...past(all)).when({ type: 'CreditAccount', ...of, creditId: 'crd_1', amount: '49.00' }).then();
});
test('ours is known by its key, under its own id', () => {
  expect(past(own('succeeded')).at(-1)).toMatchObject({ type: 'RefundSucceeded', refundId: 'ref_own', amount: '10.00', providerReference: 're_ref_derived' });
  expect(past(own('failed')).at(-1)).toMatchObject({ type: 'RefundFailed', refundId: 'ref_own', code: 'lost_or_stolen_card' });
  given(payment, ...past()).when(own('pending')).then();
});
test('money that nobody has heard of here, or of another currency, is not given back', () => {
  given(payment, ...past()).when(said('ref_1', 'succeeded', { chargeReference: 'pi_2' })).thenRefused('nothing_to_refund');
  given(payment, ...past()).when(said('ref_1', 'succeeded', { currency: 'EUR' })).thenRefused('currency_mismatch');
});
test('M28: in whatever order, and however often, the same is said of refunds, they end the same', () => {
  const news: readonly PaymentCommand[] = [own('pending'), own('succeeded'), { type: 'RecordRefund', ...of, refundId: 'ref_own', providerReference: 're_ref_derived' }, said('ref_1', 'pending'), said('ref_1', 'succeeded'), said('ref_2', 'succeeded', usd('1.00'))];
  fc.assert(fc.property(fc.array(fc.constantFrom(...news), { maxLength: 20 }), fc.shuffledSubarray([...news], { minLength: news.length }), (noise, all) => {
    const { facts, state } = run([...PAID, ...noise, ...all, ...noise]);
    expect(facts.filter(({ type }) => type === 'RefundSucceeded')).toHaveLength(3);
    expect(refundable(state, 1).toFixed(2)).toBe('18.00');
    // What fails after it had succeeded fails for good.
    expect(run([...PAID, ...noise, ...all, own('failed'), said('ref_1', 'failed'), own('failed')]).facts.filter(({ type }) => type === 'RefundFailed')).toHaveLength(2);
  }), runs(20260302, 200));
});
