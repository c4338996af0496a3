import { Money } from '@valueverse/kernel';

/** Money that moved, as one side says it; amounts are in minor units, and what went back is negative. */
export interface Movement { readonly kind: 'charge' | 'refund' | 'dispute' | 'payout'; readonly reference: string; readonly amountMinor: bigint; readonly currency: string }
/** The same of our book, with what it belongs to. */
export interface OwnMovement extends Movement { readonly paymentId: string | null; readonly subject: string }

export type DifferenceType = 'missing_here' | 'missing_there' | 'amount_differs';
/** A difference between our book and the provider's: never without a type, and a next step for whoever owns it. */
export interface Difference {
  readonly type: DifferenceType; readonly kind: Movement['kind']; readonly reference: string; readonly paymentId: string | null; readonly currency: string; readonly here: string | null; readonly there: string | null; readonly next: string;
}

const NEXT: Readonly<Record<DifferenceType, string>> = {
  missing_here: 'look for it at the provider: it was made by hand there, or its payment is still to be looked up; nobody was charged by us without a record of the order',
  missing_there: 'the provider does not know of it: look at the payment and its attempt, and ask the provider by the reference',
  amount_differs: 'look at the movement at the provider: what was really taken is what counts',
};
const PAYOUT_NEXT = 'the poll of the day finds it, or ask for it by POST /api/v1/payments/payouts/looks';
const text = (one: Movement | undefined): string | null => (one === undefined ? null : Money.of(one.amountMinor, one.currency).toString());
const nameOf = ({ kind, reference }: Movement): string => `${kind} ${reference}`;

/** Each movement of one side against that of the other by its reference. Several lines of the provider about one thing, a dispute and its end, count together. */
export const compareBooks = (ours: readonly OwnMovement[], theirs: readonly Movement[]): Difference[] => {
  const there = new Map<string, Movement>();
  for (const one of theirs) {
    const before = there.get(nameOf(one));
    there.set(nameOf(one), before === undefined ? one : { ...before, amountMinor: before.amountMinor + one.amountMinor });
  }
  const here = new Map(ours.map((one) => [nameOf(one), one]));
  return [...new Set([...here.keys(), ...there.keys()])].sort().flatMap((name): Difference[] => {
    const [own, other] = [here.get(name), there.get(name)];
    const of = (own ?? other)!;
    // Nothing in the end is nothing on the other side: a dispute that was won, a refund that came back.
    if ((own?.amountMinor ?? 0n) === (other?.amountMinor ?? 0n) && (own === undefined || other === undefined || own.currency === other.currency)) return [];
    const type: DifferenceType = own === undefined ? 'missing_here' : other === undefined ? 'missing_there' : 'amount_differs';
    return [{ type, kind: of.kind, reference: of.reference, paymentId: own?.paymentId ?? null, currency: of.currency, here: text(own), there: text(other), next: type === 'missing_here' && of.kind === 'payout' ? PAYOUT_NEXT : NEXT[type] }];
  });
};
