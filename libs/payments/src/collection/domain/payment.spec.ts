import fc from 'fast-check';
import { Refused } from '@valueverse/kernel';
import { given, runs } from '@valueverse/testing';
import { payment, type PaymentCommand, type PaymentEvent } from './payment';
import type { RecordDecline, RecordLoss, RecordSuccess, RequestPayment, StartAttempt } from './payment-command';

const AT = '2023-12-01T01:00:00Z';
const [paymentId, invoiceId, accountId, amount, currency] = ['pay_1', 'inv_1', 'acc_1', '49.00', 'USD'];
const request: RequestPayment = { type: 'RequestPayment', paymentId, invoiceId, accountId, amount, currency, methodId: 'pm_1', provider: 'sandbox', at: AT };
const start = (attempt = 1): StartAttempt => ({ type: 'StartAttempt', paymentId, attempt, at: AT });
const success: RecordSuccess = { type: 'RecordSuccess', paymentId, attempt: 1, amount, currency, providerReference: 'sbx_1', at: AT };
const decline: RecordDecline = { type: 'RecordDecline', paymentId, attempt: 1, declineCode: 'insufficient_funds', declineClass: 'soft', at: AT };
const loss: RecordLoss = { type: 'RecordLoss', paymentId, attempt: 1, reason: 'timeout', at: AT };

const requested: PaymentEvent = { type: 'PaymentRequested', paymentId, invoiceId, accountId, amount, currency, methodId: 'pm_1', provider: 'sandbox', requestedAt: AT };
const started: PaymentEvent = { type: 'PaymentAttemptStarted', paymentId, attempt: 1, providerKey: 'pay:pay_1:att:1', startedAt: AT };
const succeeded: PaymentEvent = { type: 'PaymentSucceeded', paymentId, invoiceId, accountId, amount, currency, attempt: 1, providerReference: 'sbx_1', succeededAt: AT };
const declined: PaymentEvent = { type: 'PaymentAttemptDeclined', paymentId, attempt: 1, declineCode: 'insufficient_funds', declineClass: 'soft', declinedAt: AT };
const failed: PaymentEvent = { type: 'PaymentFailed', paymentId, invoiceId, accountId, amount, currency, declineCode: 'insufficient_funds', failedAt: AT };
const lost: PaymentEvent = { type: 'PaymentAttemptLost', paymentId, attempt: 1, reason: 'timeout', lostAt: AT };

test('an invoice is collected once, however often it is asked for', () => {
  given(payment).when(request).then(requested);
  given(payment, requested).when(request).then();
  given(payment, requested, started, succeeded).when(request).then();
});
test('B43: the key for the provider is a fact before anything is sent, and made of the payment and the attempt alone', () => given(payment, requested).when(start()).then(started));
test('an attempt is started once, and none after the end', () => {
  given(payment, requested, started).when(start()).then();
  given(payment, requested, started, succeeded).when(start(2)).then();
});
test('B46: no attempt begins while nobody knows what became of the one before', () => {
  given(payment, requested, started).when(start(2)).thenRefused('attempt_out_of_order');
  given(payment, requested, started, lost).when(start(2)).thenRefused('attempt_out_of_order');
  given(payment, requested).when(start(2)).thenRefused('attempt_out_of_order');
});
test('money that was taken is a success', () => given(payment, requested, started).when(success).then(succeeded));
test('F102: what was really taken is what is recorded', () =>
  given(payment, requested, started).when({ ...success, amount: '48.00' }).then({ ...succeeded, amount: '48.00' } as PaymentEvent));
test('a decline ends the payment', () => given(payment, requested, started).when(decline).then(declined, failed));
test('a lost answer is no failure', () => given(payment, requested, started).when(loss).then(lost));
test('a lost attempt is settled by what the provider says later', () => {
  given(payment, requested, started, lost).when(success).then(succeeded);
  given(payment, requested, started, lost).when(decline).then(declined, failed);
  given(payment, requested, started, lost).when(loss).then();
});
test('money that arrives after a failure or a cancellation is recorded all the same', () => given(payment, requested, started, declined, failed).when(success).then(succeeded));
test('nothing takes a success back', () => {
  for (const late of [decline, loss, success]) given(payment, requested, started, succeeded).when(late).then();
});
test('an attempt that goes on after another one has taken the money ends by itself, once, and nothing follows from that', () => {
  const again: PaymentEvent = { type: 'PaymentAttemptStarted', paymentId, attempt: 2, providerKey: 'pay:pay_1:att:2', startedAt: AT };
  const twice = [requested, started, declined, again] as const;
  const second: RecordDecline = { ...decline, attempt: 2, declineCode: 'already_paid', declineClass: 'technical', next: { methodId: 'pm_1', provider: 'sandbox', retryAt: AT } };
  const over: PaymentEvent = { type: 'PaymentAttemptDeclined', paymentId, attempt: 2, declineCode: 'already_paid', declineClass: 'technical', declinedAt: AT };
  given(payment, ...twice, succeeded).when(second).then(over);
  given(payment, ...twice, succeeded, over).when(second).then();
  given(payment, ...twice, succeeded).when({ ...second, attempt: 1 }).then();
  given(payment, ...twice, { ...succeeded, attempt: 2 } as PaymentEvent).when(second).then();
  // What was sent all the same, and took money, is found and given back.
  given(payment, ...twice, succeeded, over).when({ ...success, attempt: 2 }).then({ type: 'PaymentDuplicated', paymentId, attempt: 2, accountId, invoiceId, amount, currency, providerReference: 'sbx_1', foundAt: AT });
});
test('an outcome of nothing is refused', () => {
  given(payment).when(start()).thenRefused('payment_not_found');
  given(payment).when(success).thenRefused('payment_not_found');
  given(payment, requested).when(success).thenRefused('unknown_attempt');
  given(payment, requested, started).when({ ...decline, attempt: 2 }).thenRefused('unknown_attempt');
});

const COMMANDS: readonly PaymentCommand[] = [request, start(), start(2), success, decline, loss];
const run = (commands: readonly PaymentCommand[]): PaymentEvent[] => {
  const facts: PaymentEvent[] = [];
  let state = payment.initial;
  for (const command of commands) {
    let decided: readonly PaymentEvent[] = [];
    try {
      decided = payment.decide(command, state);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
    }
    facts.push(...decided);
    state = decided.reduce((before, event) => payment.evolve(event, before), state);
  }
  return facts;
};
const count = (facts: readonly PaymentEvent[], type: PaymentEvent['type']): number => facts.filter((fact) => fact.type === type).length;

test('any order and repetition of what a provider says ends in one outcome, and money counts once', () => {
  fc.assert(fc.property(fc.array(fc.constantFrom(...COMMANDS), { maxLength: 30 }), fc.constantFrom(success, decline), (noise, last) => {
    const facts = run([request, start(), ...noise, last, ...noise]);
    const hadSuccess = [...noise, last].includes(success);
    expect(count(facts, 'PaymentSucceeded')).toBe(hadSuccess ? 1 : 0);
    expect(count(facts, 'PaymentFailed')).toBeLessThanOrEqual(1);
    expect(facts.filter(({ type }) => type === 'PaymentSucceeded' || type === 'PaymentFailed').at(-1)?.type).toBe(hadSuccess ? 'PaymentSucceeded' : 'PaymentFailed');
    expect(count(facts, 'PaymentRequested')).toBe(1);
    expect(count(facts, 'PaymentAttemptStarted')).toBe(1);
  }), runs(20231201, 500));
});

test('B56: nothing is cancelled while nobody knows what became of an attempt; what it took is recorded then', () => {
  const cancel: PaymentCommand = { type: 'CancelPayment', paymentId, reason: 'the invoice is void', at: AT };
  given(payment, requested, started).when(cancel).then();
  given(payment, requested, started, lost).when(cancel).then();
  given(payment, requested, started, lost).when(success).then(succeeded);
});

test('B40, M23: what is given back and left to the account never comes to more than what came in, and can come to all of it, to the cent', () => {
  const cents = fc.integer({ min: 1, max: 2_000 });
  const part = fc.record({ kind: fc.constantFrom('refund', 'credit'), cents });
  const money = (minor: number): string => `${Math.floor(minor / 100)}.${String(minor % 100).padStart(2, '0')}`;
  fc.assert(fc.property(fc.array(part, { maxLength: 12 }), (parts) => {
    const facts = run([request, start(), success, ...parts.map((one, nth): PaymentCommand => {
      if (one.kind === 'refund') return { type: 'RequestRefund', paymentId, refundId: `ref_${nth}`, amount: money(one.cents), reason: 'x', at: AT };
      return { type: 'CreditAccount', paymentId, creditId: `crd_${nth}`, amount: money(one.cents), at: AT };
    }), { type: 'RequestRefund', paymentId, refundId: 'ref_rest', reason: 'the rest', at: AT }]);
    const gone = facts.flatMap((fact) => (fact.type === 'RefundRequested' || fact.type === 'MoneyCredited' ? [Math.round(Number(fact.amount) * 100)] : []));
    expect(gone.reduce((sum, one) => sum + one, 0)).toBe(4_900);
  }), runs(20260301, 300));
});

test('what is paid ahead is the account\'s once it is there, also after a failure; what a second attempt took too is not', () => {
  const ahead = { ...requested, invoiceId: 'crd_1', creditId: 'crd_1' } as PaymentEvent;
  const credited: PaymentEvent = { type: 'MoneyCredited', creditId: 'crd_1', accountId, amount, currency, paymentId, invoiceId: 'crd_1', creditedAt: AT };
  const taken = { ...succeeded, invoiceId: 'crd_1' } as PaymentEvent;
  given(payment, ahead, started).when(success).then(taken, credited);
  given(payment, ahead, started, declined, { ...failed, invoiceId: 'crd_1' } as PaymentEvent).when(success).then(taken, credited);
  given(payment, ahead, started, taken, credited).when(success).then();
  const second: PaymentEvent = { ...started, attempt: 2, providerKey: 'pay:pay_1:att:2' } as PaymentEvent;
  given(payment, ahead, started, declined, second, { ...taken, attempt: 2 } as PaymentEvent, credited).when(success)
    .then({ type: 'PaymentDuplicated', paymentId, attempt: 1, accountId, invoiceId: 'crd_1', amount, currency, providerReference: 'sbx_1', foundAt: AT });
});
