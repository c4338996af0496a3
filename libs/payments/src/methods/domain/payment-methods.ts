import { compareInstants, dispatch, type Decider, Refused } from '@valueverse/kernel';
import type { PaymentMethodAttached, PaymentMethodDefaultChosen, PaymentMethodExpiryAnnounced, PaymentMethodRemoved, PaymentMethodUpdated } from '@valueverse/contracts';

/** What the provider says of a card; enough for its owner to tell it from another. `expires` is its last month, `2034-12`. */
export interface CardDetails { readonly brand?: string; readonly last4?: string; readonly expires?: string }
/** A method as its provider names it. */
interface AtProvider { readonly provider: string; readonly token: string }
export interface AttachMethod extends CardDetails, AtProvider {
  readonly type: 'AttachMethod';
  readonly methodId: string;
  readonly accountId: string;
  /** Collect from this one from now on. The first method is the default without being asked. */
  readonly makeDefault: boolean;
  readonly at: string;
}
/** What the provider says of a card now: banks send new cards, and tell providers of them. */
export interface UpdateMethod extends CardDetails { readonly type: 'UpdateMethod'; readonly methodId: string; readonly accountId: string; readonly at: string }
/** A card is about to expire: said once for each last month that it has had. */
export interface TellExpiry { readonly type: 'TellExpiry'; readonly methodId: string; readonly accountId: string; readonly expires: string; readonly at: string }
export interface RemoveMethod { readonly type: 'RemoveMethod'; readonly methodId: string; readonly accountId: string; readonly at: string }
export interface ChooseDefault { readonly type: 'ChooseDefault'; readonly methodId: string; readonly accountId: string; readonly at: string }
/** The customer has this method at the provider since `enteredAt`, as it looks now; `isDefault` where it is the one that the customer has chosen there. `methodId` is what it is called where it is new here. */
export interface TakeOverMethod extends CardDetails, AtProvider { readonly type: 'TakeOverMethod'; readonly methodId: string; readonly accountId: string; readonly isDefault: boolean; readonly enteredAt: string; readonly at: string }
/** The customer has this method no more at the provider. */
export interface LoseMethod extends AtProvider { readonly type: 'LoseMethod'; readonly accountId: string; readonly at: string }
export type MethodCommand = AttachMethod | UpdateMethod | TellExpiry | RemoveMethod | ChooseDefault | TakeOverMethod | LoseMethod;
export type MethodEvent = PaymentMethodAttached | PaymentMethodUpdated | PaymentMethodExpiryAnnounced | PaymentMethodRemoved | PaymentMethodDefaultChosen;

interface Known extends CardDetails, AtProvider {
  readonly attachedAt: string;
  /** Where the customer did it at the provider: then by the provider's clock, which does not depend on when we heard of it. */
  readonly enteredAt?: string;
  readonly toldOf?: string;
  readonly isRemoved?: true;
}
export interface Methods {
  /** In the order in which they came, also those that were removed: a token that was let go is never taken back. */
  readonly methods: Readonly<Record<string, Known>>;
  readonly defaultId?: string;
  /** Nobody has asked for the default: it is the oldest. */
  readonly isDefaultByAge?: boolean;
  /** What the customer has last chosen at each provider. */
  readonly chosenAt: Readonly<Record<string, string>>;
  /** Requests to attach what was attached already, and to charge it from then on. */
  readonly requests: readonly string[];
}

const detailsOf = ({ brand, last4, expires }: CardDetails): CardDetails => ({ ...(brand === undefined ? {} : { brand }), ...(last4 === undefined ? {} : { last4 }), ...(expires === undefined ? {} : { expires }) });
const knownOf = ({ methods }: Methods, methodId: string): Known => {
  const known = Object.hasOwn(methods, methodId) ? methods[methodId] : undefined;
  if (known === undefined) throw new Refused('payment_method_not_found', 'the account has no payment method with this id');
  return known;
};
const changed = (state: Methods, methodId: string, more: Partial<Known>): Methods => ({ ...state, methods: { ...state.methods, [methodId]: { ...state.methods[methodId]!, ...more } } });
/** The method of a token: one that is there before one that was removed. */
const idOf = ({ methods }: Methods, { provider, token }: AtProvider): string | undefined => {
  const same = Object.entries(methods).filter(([, one]) => one.provider === provider && one.token === token);
  return (same.find(([, one]) => one.isRemoved !== true) ?? same[0])?.[0];
};

/** From the oldest on. Of those that customers have entered in the same second the token decides, so that the order is the same however we heard of them. */
const byAge = (methods: readonly (readonly [string, Known])[]): readonly (readonly [string, Known])[] => methods.map((one, nth) => ({ one, nth })).sort((a, b) => {
  const [left, right] = [a.one[1], b.one[1]];
  const since = compareInstants(left.enteredAt ?? left.attachedAt, right.enteredAt ?? right.attachedAt);
  if (since !== 0) return since;
  if (left.enteredAt === undefined || right.enteredAt === undefined) return Number(left.enteredAt !== undefined) - Number(right.enteredAt !== undefined) || a.nth - b.nth;
  return left.token < right.token ? -1 : 1;
}).map(({ one }) => one);

const attached = ({ methodId, accountId, provider, token, at, ...card }: AttachMethod | TakeOverMethod, isDefault: boolean, { defaultId }: Methods): PaymentMethodAttached => ({
  type: 'PaymentMethodAttached', methodId, accountId, provider, token, default: isDefault || defaultId === undefined, attachedAt: at, ...detailsOf(card), ...('enteredAt' in card ? { enteredAt: card.enteredAt } : {}),
});
const chosen = ({ accountId, at }: { readonly accountId: string; readonly at: string }, methodId: string, { provider }: AtProvider, chosenBy: PaymentMethodDefaultChosen['chosenBy'], requestId?: string): PaymentMethodDefaultChosen =>
  ({ type: 'PaymentMethodDefaultChosen', methodId, accountId, provider, chosenBy, ...(requestId === undefined ? {} : { requestId }), chosenAt: at });
const updated = (methodId: string, known: Known, { accountId, at, ...card }: { readonly accountId: string; readonly at: string } & CardDetails): readonly MethodEvent[] => {
  const now = detailsOf({ ...known, ...detailsOf(card) });
  return now.brand === known.brand && now.last4 === known.last4 && now.expires === known.expires ? [] : [{ type: 'PaymentMethodUpdated', methodId, accountId, updatedAt: at, ...now }];
};
const attach = (command: AttachMethod, state: Methods): readonly MethodEvent[] => {
  if (Object.hasOwn(state.methods, command.methodId)) return [];
  const known = idOf(state, command);
  if (known === undefined) return [attached(command, command.makeDefault, state)];
  // It came by another way before, or was removed. Said once for each request: what was chosen after it stays.
  const isAsked = command.makeDefault && state.methods[known]!.isRemoved !== true && !state.requests.includes(command.methodId);
  return isAsked ? [chosen(command, known, command, 'tenant', command.methodId)] : [];
};
const takeOver = (command: TakeOverMethod, state: Methods): readonly MethodEvent[] => {
  const { accountId, provider, token, enteredAt, isDefault, at, ...card } = command;
  const known = idOf(state, command);
  if (known !== undefined && state.methods[known]!.isRemoved === true) return [];
  const methodId = known ?? command.methodId;
  const changes = known === undefined ? [attached(command, false, state)] : updated(known, state.methods[known]!, { accountId, at, ...detailsOf(card) });
  // A choice that was heard of before is none: the tenant may have chosen otherwise since.
  if (isDefault && state.chosenAt[provider] !== methodId) return [...changes, chosen(command, methodId, command, 'customer')];
  const charged = state.defaultId === undefined ? undefined : state.methods[state.defaultId]!;
  const isOlder = known === undefined && state.isDefaultByAge === true && charged?.enteredAt !== undefined && byAge([['charged', charged], ['new', { provider, token, attachedAt: at, enteredAt }]])[0]![0] === 'new';
  return [...changes, ...(isOlder ? [chosen(command, methodId, command, 'rule')] : [])];
};
/** Where the default goes, the oldest that is left takes its place. */
const removed = ({ accountId, at }: { readonly accountId: string; readonly at: string }, methodId: string, state: Methods, detached: boolean): readonly MethodEvent[] => {
  const { provider, isRemoved } = knownOf(state, methodId);
  if (isRemoved === true) return [];
  const next = state.defaultId === methodId ? byAge(Object.entries(state.methods).filter(([id, one]) => id !== methodId && one.isRemoved !== true))[0] : undefined;
  return [{ type: 'PaymentMethodRemoved', methodId, accountId, provider, detached, removedAt: at }, ...(next === undefined ? [] : [chosen({ accountId, at }, next[0], next[1], 'rule')])];
};

/** The ways in which one account pays. Exactly one of them is the default as soon as there is any. Refuses with `payment_method_not_found`. */
export const paymentMethods: Decider<MethodCommand, MethodEvent, Methods> = {
  initial: { methods: {}, chosenAt: {}, requests: [] },
  decide: dispatch<MethodCommand, Methods, readonly MethodEvent[]>({
    AttachMethod: attach,
    UpdateMethod: ({ methodId, ...command }, state) => updated(methodId, knownOf(state, methodId), command),
    // Of a card that was replaced meanwhile, or removed, nothing is said.
    TellExpiry: ({ methodId, accountId, expires, at }, state) => {
      const known = knownOf(state, methodId);
      return known.isRemoved === true || known.expires !== expires || known.toldOf === expires ? [] : [{ type: 'PaymentMethodExpiryAnnounced', methodId, accountId, ...detailsOf(known), expires, toldAt: at }];
    },
    RemoveMethod: ({ methodId, ...command }, state) => removed(command, methodId, state, false),
    ChooseDefault: ({ methodId, ...command }, state) => {
      const known = knownOf(state, methodId);
      if (known.isRemoved === true) throw new Refused('payment_method_not_found', 'the account has no payment method with this id');
      return state.defaultId === methodId ? [] : [chosen(command, methodId, known, 'tenant')];
    },
    TakeOverMethod: takeOver,
    LoseMethod: (command, state) => {
      const known = idOf(state, command);
      return known === undefined ? [] : removed(command, known, state, true);
    },
  }),
  evolve: dispatch<MethodEvent, Methods, Methods>({
    PaymentMethodAttached: ({ methodId, provider, token, default: isDefault, attachedAt, enteredAt, ...card }, state) => ({
      ...changed(state, methodId, { provider, token, attachedAt, ...detailsOf(card), ...(enteredAt === undefined ? {} : { enteredAt }) }), ...(isDefault ? { defaultId: methodId, isDefaultByAge: enteredAt !== undefined } : {}),
    }),
    PaymentMethodUpdated: ({ methodId, ...card }, state) => changed(state, methodId, detailsOf(card)),
    PaymentMethodExpiryAnnounced: ({ methodId, expires }, state) => changed(state, methodId, { toldOf: expires }),
    PaymentMethodRemoved: ({ methodId }, state) => {
      const { defaultId, ...left } = changed(state, methodId, { isRemoved: true });
      return defaultId === undefined || defaultId === methodId ? left : { ...left, defaultId };
    },
    PaymentMethodDefaultChosen: ({ methodId, provider, chosenBy, requestId }, state) => ({
      ...state, defaultId: methodId, isDefaultByAge: chosenBy === 'rule', ...(chosenBy === 'customer' ? { chosenAt: { ...state.chosenAt, [provider]: methodId } } : {}), ...(requestId === undefined ? {} : { requests: [...state.requests, requestId] }),
    }),
  }),
};
