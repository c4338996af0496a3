import { meaningOf } from './meaning';

const PAYMENT = 'pay_01h455vb4pex5vsknk084sn02q';
const event = (type: string, object: object) => meaningOf({ type, data: { object: object as Record<string, unknown> } });

test('a payment is known by the key that we gave its attempt, and by nothing else in the body', () => {
  const metadata = { attempt: `pay:${PAYMENT}:att:2`, payment: 'pay_of_somebody_else', tenant: 'org_x:live' };
  expect(event('payment_intent.succeeded', { id: 'pi_1', metadata, amount: 1 })).toEqual({ look: 'attempt', paymentId: PAYMENT, attempt: 2 });
  expect(event('checkout.session.completed', { metadata })).toEqual({ look: 'attempt', paymentId: PAYMENT, attempt: 2 });
  for (const other of [undefined, {}, { attempt: 'x' }, { attempt: `pay:${PAYMENT}:att:2:3` }, { attempt: 2 }]) expect(event('payment_intent.succeeded', { metadata: other })).toMatchObject({ look: 'nothing' });
});
test('refunds and disputes lead to the payment by its reference at the provider', () => {
  expect(event('charge.refunded', { payment_intent: 'pi_1' })).toEqual({ look: 'refunds', chargeReference: 'pi_1' });
  expect(event('refund.failed', { payment_intent: { id: 'pi_1' } })).toEqual({ look: 'refunds', chargeReference: 'pi_1' });
  expect(event('charge.dispute.created', { id: 'dp_1', payment_intent: 'pi_1' })).toEqual({ look: 'dispute', disputeReference: 'dp_1', chargeReference: 'pi_1' });
  expect(event('charge.dispute.created', { id: 'dp_1', payment_intent: null })).toMatchObject({ look: 'failed' });
});
test('a page at which a card was entered leads to itself and its account', () =>
  expect(event('checkout.session.completed', { id: 'cs_1', metadata: { setup: 'set_1', account: 'acc_1' } })).toEqual({ look: 'setup', reference: 'cs_1', accountId: 'acc_1' }));
test('a payout leads to itself', () => {
  for (const type of ['payout.paid', 'payout.failed']) expect(event(type, { id: 'po_1' })).toEqual({ look: 'payout', reference: 'po_1' });
  expect(event('payout.paid', {})).toMatchObject({ look: 'failed' });
});
test.each(['customer.subscription.created', 'customer.subscription.updated', 'customer.subscription.deleted', 'invoice.paid', 'invoice.payment_failed', 'customer.created'])('%s is known and asks nothing of us', (type) =>
  expect(event(type, { id: 'x' })).toMatchObject({ look: 'nothing' }));
test('what a customer has at the provider may have changed: who it is is all that is read of it', () => {
  expect(event('payment_method.attached', { id: 'pm_1', customer: 'cus_1', card: { last4: '0000' } })).toEqual({ look: 'method', token: 'pm_1', customer: 'cus_1' });
  expect(event('payment_method.detached', { id: 'pm_1', customer: null })).toEqual({ look: 'method', token: 'pm_1' });
  expect(event('customer.updated', { id: 'cus_1', invoice_settings: { default_payment_method: 'pm_9' } })).toEqual({ look: 'method', customer: 'cus_1' });
});
test('what is not known is not guessed', () => {
  for (const type of ['charge.captured', 'toString', '__proto__', '']) expect(event(type, {})).toBeUndefined();
  expect(meaningOf({ type: 'payment_intent.succeeded' })).toMatchObject({ look: 'failed' });
});
