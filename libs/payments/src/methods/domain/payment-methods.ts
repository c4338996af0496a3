import { dispatch, type Decider } from '@valueverse/kernel';
import type { PaymentMethodAttached } from '@valueverse/contracts';

export interface AttachMethod {
  readonly type: 'AttachMethod';
  readonly methodId: string;
  readonly accountId: string;
  readonly provider: string;
  readonly token: string;
  /** Collect from this one from now on. The first method is the default without being asked. */
  readonly makeDefault: boolean;
  /** What the provider says of a card; enough for its owner to tell it from another. */
  readonly brand?: string;
  readonly last4?: string;
  readonly expires?: string;
  readonly at: string;
}
interface Methods { readonly methodIds: readonly string[] }

/** The ways in which one account pays. Exactly one of them is the default as soon as there is any. */
export const paymentMethods: Decider<AttachMethod, PaymentMethodAttached, Methods> = {
  initial: { methodIds: [] },
  decide: dispatch<AttachMethod, Methods, readonly PaymentMethodAttached[]>({
    AttachMethod: ({ methodId, accountId, provider, token, makeDefault, brand, last4, expires, at }, { methodIds }) => (methodIds.includes(methodId) ? [] : [{
      type: 'PaymentMethodAttached', methodId, accountId, provider, token, default: makeDefault || methodIds.length === 0, attachedAt: at,
      ...(brand === undefined ? {} : { brand }), ...(last4 === undefined ? {} : { last4 }), ...(expires === undefined ? {} : { expires }),
    }]),
  }),
  evolve: dispatch<PaymentMethodAttached, Methods, Methods>({
    PaymentMethodAttached: ({ methodId }, { methodIds }) => ({ methodIds: [...methodIds, methodId] }),
  }),
};
