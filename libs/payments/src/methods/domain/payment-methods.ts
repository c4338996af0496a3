import { dispatch, type Decider, Refused } from '@valueverse/kernel';
import type { PaymentMethodAttached, PaymentMethodExpiryAnnounced, PaymentMethodUpdated } from '@valueverse/contracts';

/** What the provider says of a card; enough for its owner to tell it from another. `expires` is its last month, `2034-12`. */
export interface CardDetails { readonly brand?: string; readonly last4?: string; readonly expires?: string }
export interface AttachMethod extends CardDetails {
  readonly type: 'AttachMethod';
  readonly methodId: string;
  readonly accountId: string;
  readonly provider: string;
  readonly token: string;
  /** Collect from this one from now on. The first method is the default without being asked. */
  readonly makeDefault: boolean;
  readonly at: string;
}
/** What the provider says of a card now: banks send new cards, and tell providers of them. */
export interface UpdateMethod extends CardDetails { readonly type: 'UpdateMethod'; readonly methodId: string; readonly accountId: string; readonly at: string }
/** A card is about to expire: said once for each last month that it has had. */
export interface TellExpiry { readonly type: 'TellExpiry'; readonly methodId: string; readonly accountId: string; readonly expires: string; readonly at: string }
export type MethodCommand = AttachMethod | UpdateMethod | TellExpiry;
export type MethodEvent = PaymentMethodAttached | PaymentMethodUpdated | PaymentMethodExpiryAnnounced;

interface Known extends CardDetails { readonly toldOf?: string }
export interface Methods { readonly methods: Readonly<Record<string, Known>> }

const detailsOf = ({ brand, last4, expires }: CardDetails): CardDetails => ({ ...(brand === undefined ? {} : { brand }), ...(last4 === undefined ? {} : { last4 }), ...(expires === undefined ? {} : { expires }) });
const knownOf = ({ methods }: Methods, methodId: string): Known => {
  const known = Object.hasOwn(methods, methodId) ? methods[methodId] : undefined;
  if (known === undefined) throw new Refused('payment_method_not_found', 'the account has no payment method with this id');
  return known;
};
const changed = (state: Methods, methodId: string, more: Known): Methods => ({ methods: { ...state.methods, [methodId]: { ...state.methods[methodId], ...more } } });

/** The ways in which one account pays. Exactly one of them is the default as soon as there is any. Refuses with `payment_method_not_found`. */
export const paymentMethods: Decider<MethodCommand, MethodEvent, Methods> = {
  initial: { methods: {} },
  decide: dispatch<MethodCommand, Methods, readonly MethodEvent[]>({
    AttachMethod: ({ methodId, accountId, provider, token, makeDefault, at, ...card }, { methods }) => (Object.hasOwn(methods, methodId) ? [] : [{
      type: 'PaymentMethodAttached', methodId, accountId, provider, token, default: makeDefault || Object.keys(methods).length === 0, attachedAt: at, ...detailsOf(card),
    }]),
    UpdateMethod: ({ methodId, accountId, at, ...card }, state) => {
      const known = knownOf(state, methodId);
      const now = detailsOf({ ...known, ...detailsOf(card) });
      return now.brand === known.brand && now.last4 === known.last4 && now.expires === known.expires ? [] : [{ type: 'PaymentMethodUpdated', methodId, accountId, updatedAt: at, ...now }];
    },
    // Of a card that was replaced meanwhile nothing is said.
    TellExpiry: ({ methodId, accountId, expires, at }, state) => {
      const known = knownOf(state, methodId);
      return known.expires !== expires || known.toldOf === expires ? [] : [{ type: 'PaymentMethodExpiryAnnounced', methodId, accountId, ...detailsOf(known), expires, toldAt: at }];
    },
  }),
  evolve: dispatch<MethodEvent, Methods, Methods>({
    PaymentMethodAttached: ({ methodId, ...card }, state) => changed(state, methodId, detailsOf(card)),
    PaymentMethodUpdated: ({ methodId, ...card }, state) => changed(state, methodId, detailsOf(card)),
    PaymentMethodExpiryAnnounced: ({ methodId, expires }, state) => changed(state, methodId, { toldOf: expires }),
  }),
};
