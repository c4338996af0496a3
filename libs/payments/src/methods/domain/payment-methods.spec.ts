import type { PaymentMethodAttached } from '@valueverse/contracts';
import { given } from '@valueverse/testing';
import { type AttachMethod, type MethodEvent, paymentMethods, type TellExpiry, type UpdateMethod } from './payment-methods';

const AT = '2023-11-01T00:00:00Z';
const attach = (methodId: string, makeDefault = false): AttachMethod => ({ type: 'AttachMethod', methodId, accountId: 'acc_1', provider: 'sandbox', token: 'tok_ok', makeDefault, at: AT });
const attached = (methodId: string, isDefault: boolean): PaymentMethodAttached =>
  ({ type: 'PaymentMethodAttached', methodId, accountId: 'acc_1', provider: 'sandbox', token: 'tok_ok', default: isDefault, attachedAt: AT });

test('the first method is the default', () => given(paymentMethods).when(attach('pm_1')).then(attached('pm_1', true)));
test('a second one is the default only when it is asked to be', () => {
  given(paymentMethods, attached('pm_1', true)).when(attach('pm_2')).then(attached('pm_2', false));
  given(paymentMethods, attached('pm_1', true)).when(attach('pm_2', true)).then(attached('pm_2', true));
});
test('the same method twice is one', () => given(paymentMethods, attached('pm_1', true)).when(attach('pm_1', true)).then());

const card: MethodEvent = { ...attached('pm_1', true), brand: 'visa', last4: '4242', expires: '2026-03' };
const update: UpdateMethod = { type: 'UpdateMethod', methodId: 'pm_1', accountId: 'acc_1', last4: '1111', expires: '2030-01', at: AT };
const updated: MethodEvent = { type: 'PaymentMethodUpdated', methodId: 'pm_1', accountId: 'acc_1', brand: 'visa', last4: '1111', expires: '2030-01', updatedAt: AT };
test('a new card in the place of an old one is a fact once, and keeps what nothing was said of', () => {
  given(paymentMethods, card).when(update).then(updated);
  given(paymentMethods, card, updated).when(update).then();
  given(paymentMethods).when(update).thenRefused('payment_method_not_found');
});
const tell: TellExpiry = { type: 'TellExpiry', methodId: 'pm_1', accountId: 'acc_1', expires: '2026-03', at: AT };
const told: MethodEvent = { type: 'PaymentMethodExpiryAnnounced', methodId: 'pm_1', accountId: 'acc_1', brand: 'visa', last4: '4242', expires: '2026-03', toldAt: AT };
test('the end of a card is told once, and not of one that was replaced', () => {
  given(paymentMethods, card).when(tell).then(told);
  given(paymentMethods, card, told).when(tell).then();
  given(paymentMethods, card, updated).when(tell).then();
});
