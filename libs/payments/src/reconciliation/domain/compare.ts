import { Money } from '@valueverse/kernel';

/** Things at a provider that money moves by. */
export const THINGS = ['charge', 'refund', 'dispute', 'payout'] as const;
export type Thing = (typeof THINGS)[number];
/** What is compared: money that moved by a thing, and what the provider kept of it. */
export const KINDS = [...THINGS, 'fee'] as const;
/** Money that moved, as one side says it; amounts are in minor units, and what went back is negative; a fee is what was kept. `reference` is what the provider calls the thing. */
export interface Movement {
  readonly kind: (typeof KINDS)[number]; readonly thing: Thing; readonly reference: string; readonly amountMinor: bigint; readonly currency: string;
  /** The payment here that it is of, where there is one. */
  readonly paymentId?: string | null;
}
export type DifferenceType = 'missing_here' | 'missing_there' | 'amount_differs';
/** Whose turn it is: ours, where a look or a poll records it by itself; the tenant's, who knows what was meant; or the provider's, who has to say what became of it. */
export type DifferenceOwner = 'valueverse' | 'tenant' | 'provider';
/** A difference between our book and the provider's: never without a type, an owner, and a next step. */
export interface Difference {
  readonly type: DifferenceType; readonly kind: Movement['kind']; readonly reference: string; readonly paymentId: string | null; readonly currency: string; readonly here: string | null; readonly there: string | null; readonly owner: DifferenceOwner; readonly next: string;
}

const POLLED = 'is recorded by itself: polls of the hour and the day ask the provider; look again tomorrow';
const NEXT: Readonly<Record<DifferenceType, Readonly<Record<Movement['kind'], readonly [owner: DifferenceOwner, next: string]>>>> = {
  missing_here: {
    charge: ['valueverse', 'its attempt is still looked up, and is recorded by itself; vv doctor names what nobody has known for a day'], refund: ['valueverse', POLLED], dispute: ['valueverse', POLLED],
    payout: ['valueverse', 'the poll of the day finds it, or ask for it by POST /api/v1/payments/payouts/looks'], fee: ['tenant', 'the provider has named this fee after the money: take it from here into your books'],
  },
  missing_there: {
    charge: ['provider', 'the provider does not know of it: look at the payment and its attempt, and ask the provider by the reference'], refund: ['provider', 'the provider has given nothing back: ask it by the reference'], dispute: ['provider', 'the provider has taken nothing for this dispute: ask it by the reference'],
    payout: ['provider', 'the provider has paid nothing out: ask it by the reference'], fee: ['tenant', 'the provider has kept nothing: look at the line of its balance'],
  },
  amount_differs: {
    charge: ['tenant', 'look at the movement at the provider: what was really taken is what counts'], refund: ['tenant', 'look at the refund at the provider: what really went back is what counts'], dispute: ['valueverse', POLLED], payout: ['valueverse', POLLED],
    fee: ['tenant', 'the provider keeps another fee than it said: the line of its balance counts'],
  },
};
/** What is of no payment here nobody here will ever record. */
const NOT_OURS: readonly [owner: DifferenceOwner, next: string] = ['tenant', 'look for it at the provider: it was made by hand there; nobody was charged by us without a record of the order'];
const nextOf = (type: DifferenceType, { kind, paymentId }: Movement): readonly [DifferenceOwner, string] => (type === 'missing_here' && kind !== 'payout' && (paymentId ?? null) === null ? NOT_OURS : NEXT[type][kind]);

const text = (one: Movement | undefined): string | null => (one === undefined ? null : Money.of(one.amountMinor, one.currency).toString());
const nameOf = ({ kind, thing, reference }: Movement): string => `${thing} ${reference} ${kind}`;

const summed = (movements: readonly Movement[]): ReadonlyMap<string, Movement> => {
  const sums = new Map<string, Movement>();
  for (const one of movements) {
    const before = sums.get(nameOf(one));
    sums.set(nameOf(one), before === undefined ? one : { ...before, amountMinor: before.amountMinor + one.amountMinor });
  }
  return sums;
};
/** Each movement of one side against that of the other by its reference. Several lines about one thing, a dispute and its end, or the parts of a transfer that paid several invoices, count together. A fee of what one side does not have at all is no difference of its own; one in another currency than what was paid stands nowhere else. */
export const compareBooks = (ours: readonly Movement[], theirs: readonly Movement[]): Difference[] => {
  const [here, there] = [summed(ours), summed(theirs)];
  return [...new Set([...here.keys(), ...there.keys()])].sort().flatMap((name): Difference[] => {
    const [own, other] = [here.get(name), there.get(name)];
    const of = (own ?? other)!;
    // Nothing in the end is nothing on the other side: a dispute that was won, a refund that came back.
    if ((own?.amountMinor ?? 0n) === (other?.amountMinor ?? 0n) && (own === undefined || other === undefined || own.currency === other.currency)) return [];
    const whole = nameOf({ ...of, kind: of.thing });
    if (of.kind === 'fee' && (!here.has(whole) || !there.has(whole) || (other !== undefined && other.currency !== there.get(whole)!.currency))) return [];
    const type: DifferenceType = own === undefined ? 'missing_here' : other === undefined ? 'missing_there' : 'amount_differs';
    const [owner, next] = nextOf(type, of);
    return [{ type, kind: of.kind, reference: of.reference, paymentId: of.paymentId ?? null, currency: of.currency, here: text(own), there: text(other), owner, next }];
  });
};
/** The things that differences are about, each once. */
export const thingsOf = (differences: readonly Difference[], movements: readonly Movement[]): { readonly thing: Thing; readonly reference: string }[] => {
  const things = new Map(movements.map(({ kind, thing, reference }) => [`${kind} ${reference}`, { thing, reference }]));
  return [...new Map(differences.map(({ kind, reference }) => things.get(`${kind} ${reference}`)!).map((one) => [`${one.thing} ${one.reference}`, one])).values()];
};
