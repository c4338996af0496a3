import type { PaymentMethodAttached } from '@valueverse/contracts';
import { given } from '@valueverse/testing';
import { type AttachMethod, paymentMethods } from './payment-methods';

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
