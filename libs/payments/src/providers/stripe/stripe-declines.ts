import type { DeclineClass } from '../provider';

/** What Stripe's decline codes mean for collecting: https://docs.stripe.com/declines/codes. What is not here may work another day. */
const HARD = ['expired_card', 'incorrect_number', 'invalid_number', 'invalid_account', 'invalid_expiry_month', 'invalid_expiry_year', 'card_not_supported', 'currency_not_supported', 'new_account_information_available', 'no_action_taken', 'not_permitted',
  'restricted_card', 'revocation_of_authorization', 'revocation_of_all_authorizations', 'service_not_allowed', 'stop_payment_order', 'transaction_not_allowed', 'authentication_required', 'payment_intent_authentication_failure', 'testmode_decline'];
const FRAUD = ['fraudulent', 'lost_card', 'stolen_card', 'pickup_card', 'merchant_blacklist', 'security_violation'];
const TECHNICAL = ['processing_error', 'issuer_not_available', 'reenter_transaction', 'try_again_later', 'approve_with_id', 'duplicate_transaction', 'invalid_amount'];
const CLASSES: ReadonlyMap<string, DeclineClass> = new Map([...HARD.map((code) => [code, 'hard'] as const), ...FRAUD.map((code) => [code, 'fraud'] as const), ...TECHNICAL.map((code) => [code, 'technical'] as const)]);

export const declineClassOf = (code: string): DeclineClass => CLASSES.get(code) ?? 'soft';
