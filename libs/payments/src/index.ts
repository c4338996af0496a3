export { paymentsContext, paymentsShape, type PaymentsDeps } from './payments.context';
export type { ChargeOrder, ChargeOutcome, DeclineClass, PaymentProvider } from './providers/provider';
export { SANDBOX_TOKENS } from './providers/sandbox/sandbox-tokens';
export { paymentIdOf } from './collection/collector';
export { runSandbox } from './providers/sandbox/run-sandbox';
