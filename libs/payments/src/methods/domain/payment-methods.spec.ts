import type { PaymentMethodAttached } from '@valueverse/contracts';
import { given } from '@valueverse/testing';
import { type AttachMethod, type ChooseDefault, type LoseMethod, type MethodEvent, paymentMethods, type RemoveMethod, type TakeOverMethod, type TellExpiry, type UpdateMethod } from './payment-methods';

const AT = '2023-11-01T00:00:00Z';
const of = { accountId: 'acc_1', provider: 'sandbox' };
const attach = (methodId: string, makeDefault = false, token = `tok_${methodId}`): AttachMethod => ({ type: 'AttachMethod', methodId, ...of, token, makeDefault, at: AT });
const attached = (methodId: string, isDefault: boolean): PaymentMethodAttached =>
  ({ type: 'PaymentMethodAttached', methodId, ...of, token: `tok_${methodId}`, default: isDefault, attachedAt: AT });

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

const [first, second, third] = [attached('pm_1', true), attached('pm_2', false), attached('pm_3', false)];
const remove = (methodId: string): RemoveMethod => ({ type: 'RemoveMethod', methodId, accountId: 'acc_1', at: AT });
const removed = (methodId: string, detached = false): MethodEvent => ({ type: 'PaymentMethodRemoved', methodId, ...of, detached, removedAt: AT });
const chosen = (methodId: string, chosenBy: 'tenant' | 'customer' | 'rule', more: { requestId?: string } = {}): MethodEvent => ({ type: 'PaymentMethodDefaultChosen', methodId, ...of, chosenBy, ...more, chosenAt: AT });
test('where the default is removed, the oldest that is left takes its place; another one changes nothing, and the last one leaves none', () => {
  given(paymentMethods, first, second, third).when(remove('pm_1')).then(removed('pm_1'), chosen('pm_2', 'rule'));
  given(paymentMethods, first, second, third).when(remove('pm_2')).then(removed('pm_2'));
  given(paymentMethods, first, second, third, removed('pm_2')).when(remove('pm_1')).then(removed('pm_1'), chosen('pm_3', 'rule'));
  given(paymentMethods, first).when(remove('pm_1')).then(removed('pm_1'));
  given(paymentMethods, first, removed('pm_1')).when(remove('pm_1')).then();
  given(paymentMethods, first, removed('pm_1')).when(attach('pm_2')).then(attached('pm_2', true));
  given(paymentMethods).when(remove('pm_1')).thenRefused('payment_method_not_found');
});
test('the default is chosen once, and not among those that were removed', () => {
  const choose = (methodId: string): ChooseDefault => ({ type: 'ChooseDefault', methodId, accountId: 'acc_1', at: AT });
  given(paymentMethods, first, second).when(choose('pm_2')).then(chosen('pm_2', 'tenant'));
  given(paymentMethods, first, second, chosen('pm_2', 'tenant')).when(choose('pm_2')).then();
  given(paymentMethods, first, second, removed('pm_2')).when(choose('pm_2')).thenRefused('payment_method_not_found');
});
test('a token is one method, whoever tells of it first; what a request asked for is done once', () => {
  given(paymentMethods, first, second).when(attach('pm_9', false, 'tok_pm_2')).then();
  given(paymentMethods, first, second).when(attach('pm_9', true, 'tok_pm_2')).then(chosen('pm_2', 'tenant', { requestId: 'pm_9' }));
  // The tenant has chosen otherwise since.
  given(paymentMethods, first, second, chosen('pm_2', 'tenant', { requestId: 'pm_9' }), chosen('pm_1', 'tenant')).when(attach('pm_9', true, 'tok_pm_2')).then();
  given(paymentMethods, first, second, removed('pm_2')).when(attach('pm_9', true, 'tok_pm_2')).then();
});
const take = (methodId: string, isDefault = false, token = `tok_${methodId}`, enteredAt = AT): TakeOverMethod => ({ type: 'TakeOverMethod', methodId, ...of, token, isDefault, enteredAt, at: AT });
test('what the customer has at the provider is taken over once; a choice there counts when it is news, and what was removed here does not come back', () => {
  given(paymentMethods).when(take('pm_1')).then({ ...first, enteredAt: AT });
  given(paymentMethods, first).when(take('pm_9', false, 'tok_pm_1')).then();
  given(paymentMethods, first).when(take('pm_2', true)).then({ ...second, enteredAt: AT }, chosen('pm_2', 'customer'));
  given(paymentMethods, first, second, chosen('pm_2', 'customer')).when(take('pm_2', true)).then();
  given(paymentMethods, first, second, chosen('pm_2', 'customer'), chosen('pm_1', 'tenant')).when(take('pm_2', true)).then();
  given(paymentMethods, first, second, removed('pm_2')).when(take('pm_2', true)).then();
});
test('what the customer has let go at the provider is removed, once', () => {
  const lose = (token: string): LoseMethod => ({ type: 'LoseMethod', ...of, token, at: AT });
  given(paymentMethods, first, second).when(lose('tok_pm_1')).then(removed('pm_1', true), chosen('pm_2', 'rule'));
  given(paymentMethods, first, removed('pm_1')).when(lose('tok_pm_1')).then();
  given(paymentMethods, first).when(lose('tok_ofnobody')).then();
});
test('of what customers have entered the oldest is charged until somebody chooses, in whatever order we hear of it; in one second the token decides', () => {
  const LATER = '2023-11-02T00:00:00Z';
  const entered = (methodId: string, isDefault: boolean, enteredAt = AT): PaymentMethodAttached => ({ ...attached(methodId, isDefault), enteredAt });
  given(paymentMethods, entered('pm_2', true, LATER)).when(take('pm_1')).then(entered('pm_1', false), chosen('pm_1', 'rule'));
  given(paymentMethods, entered('pm_1', true)).when(take('pm_2', false, 'tok_pm_2', LATER)).then(entered('pm_2', false, LATER));
  given(paymentMethods, entered('pm_2', true)).when(take('pm_1')).then(entered('pm_1', false), chosen('pm_1', 'rule'));
  given(paymentMethods, entered('pm_3', true), entered('pm_2', false)).when(take('pm_1')).then(entered('pm_1', false), chosen('pm_1', 'rule'));
  given(paymentMethods, attached('pm_2', true)).when(take('pm_1')).then(entered('pm_1', false));
  given(paymentMethods, entered('pm_2', true, LATER), chosen('pm_2', 'tenant')).when(take('pm_1')).then(entered('pm_1', false));
  given(paymentMethods, entered('pm_1', true), entered('pm_3', false), entered('pm_2', false)).when(remove('pm_1')).then(removed('pm_1'), chosen('pm_2', 'rule'));
});
