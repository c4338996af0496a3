import { Problem, type Service } from '@valueverse/platform';
import type { BalanceEntry, PaymentProvider } from '../providers/provider';
import { balanceSums, type BalanceSums, linesOf, RETRY_AFTER_SECONDS } from './balance-lines';
import { compareBooks, type Difference, type Movement, type Thing, THINGS, thingsOf } from './domain/compare';
import { type OwnBook, ownBook } from './own-book';

export interface CurrencySums extends BalanceSums { readonly currency: string }
export interface Reconciliation { readonly provider: string; readonly from: string; readonly to: string; readonly agree: boolean; readonly lines: number; readonly sums: readonly CurrencySums[]; readonly differences: readonly Difference[] }
export interface Span { readonly tenant: string; readonly from: string; readonly to: string }
/** Things whose lines are asked for at once. */
const AT_ONCE = 8;

/**
 * Our book against the provider's, for all that has a line on its balance from one instant to another, or was recorded here then. What agrees by those lines agrees. What does not may have moved beside the span: it was opened in one month and closed in
 * the next, or is heard of late. So of each such thing all lines are asked for, and its state here is compared with their sum: like with like, as both stand now. Refuses with `too_many_lines` and 503 `provider_unavailable`.
 */
export const reconcile = async (service: Service, provider: PaymentProvider, span: Span): Promise<Reconciliation> => {
  const now = service.clock.now();
  const entries = await linesOf(provider, { ...span, now });
  const own = await service.database.transaction({ role: 'api', tenant: span.tenant, readOnly: true }, (tx) => ownBook(tx, { ...span, provider: provider.name }, entries));
  const theirs = movementsOf(entries, own);
  const things = thingsOf(compareBooks(own.movements, theirs), [...own.movements, ...theirs]);
  const differences: Difference[] = [];
  for (let at = 0; at < things.length; at += AT_ONCE) {
    const some = await Promise.all(things.slice(at, at + AT_ONCE).map(async ({ thing, reference }) =>
      compareBooks(own.movements.filter((one) => one.thing === thing && one.reference === reference), movementsOf(await allLinesOf(provider, { tenant: span.tenant, now, thing, reference }), own))));
    differences.push(...some.flat());
  }
  return { provider: provider.name, from: span.from, to: span.to, agree: differences.length === 0, lines: entries.length, sums: sumsOf(entries), differences };
};

const isThing = (type: BalanceEntry['type']): type is Thing => (THINGS as readonly string[]).includes(type);
/** What our book has too: what was paid, also where the balance is in another currency, and fees of charges and disputes. Other fees stand in the sums. */
const movementsOf = (entries: readonly BalanceEntry[], { paymentOf }: OwnBook): Movement[] => entries.flatMap((entry) => {
  const { type, source: reference, amountMinor, feeMinor, currency, paid } = entry;
  if (!isThing(type)) return [];
  const of = { thing: type, reference, paymentId: paymentOf(entry) };
  const fees = type === 'charge' || type === 'dispute' ? [{ ...of, kind: 'fee' as const, amountMinor: feeMinor, currency }] : [];
  return [{ ...of, kind: type, amountMinor, currency, ...paid }, ...fees];
});

/** Every line of a thing, whenever it came; none of one that the provider does not have. */
const allLinesOf = async (provider: PaymentProvider, { thing: type, ...asked }: { readonly tenant: string; readonly now: string; readonly thing: Thing; readonly reference: string }): Promise<readonly BalanceEntry[]> => {
  const found = await provider.linesOf({ ...asked, type }, new AbortController().signal);
  if (found.status === 'lines') return found.entries;
  if (found.status === 'absent') return [];
  throw new Problem(503, 'provider_unavailable', `the provider does not answer: ${found.status === 'refused' ? found.detail : found.reason}`, { retryAfterSeconds: RETRY_AFTER_SECONDS });
};

const sumsOf = (entries: readonly BalanceEntry[]): CurrencySums[] => [...Map.groupBy(entries, ({ currency }) => currency)].map(([currency, all]) => ({ currency, ...balanceSums(all, currency) }));
