export { paymentsContext, paymentsShape, type PaymentsDeps } from './payments.context';
export { type ChargeOrder, type DeclineClass, type PaymentProvider, type ProviderAnswer } from './providers/provider';
export { SANDBOX_TOKENS } from './providers/sandbox/sandbox-bank';
export { paymentIdOf } from './collection/collector';
