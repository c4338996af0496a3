/** The service that hosts payments, for its controllers: in the embedded edition there are four services in one process. */
export const PAYMENTS_SERVICE = Symbol('PaymentsService');
