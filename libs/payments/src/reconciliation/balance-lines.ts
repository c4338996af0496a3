import { Money, Refused } from '@valueverse/kernel';
import { Problem } from '@valueverse/platform';
import type { BalanceEntry, BalanceOrder, PaymentProvider } from '../providers/provider';

/** More lines than this are asked for in shorter periods. */
const LINES_MAX = 200_000;
export const RETRY_AFTER_SECONDS = 10;

/** All lines of a provider's balance that an order asks for, page by page. Refuses with `too_many_lines` and 503 `provider_unavailable`. */
export const linesOf = async (provider: PaymentProvider, order: Omit<BalanceOrder, 'after'>): Promise<BalanceEntry[]> => {
  const { signal } = new AbortController();
  const entries: BalanceEntry[] = [];
  for (let after: string | undefined; ;) {
    const page = await provider.balance({ ...order, ...(after === undefined ? {} : { after }) }, signal);
    if (page.status !== 'page') throw new Problem(503, 'provider_unavailable', `the provider does not answer: ${page.status === 'refused' ? page.detail : page.reason}`, { retryAfterSeconds: RETRY_AFTER_SECONDS });
    entries.push(...page.entries);
    if (entries.length > LINES_MAX) throw new Refused('too_many_lines', `the balance has more than ${LINES_MAX} lines in this time: ask for a shorter one`);
    if (page.next === undefined) return entries;
    after = page.next;
  }
};

/** Sums of lines of one currency, as decimals: what came in is positive, fees are what was taken. */
export interface BalanceSums { readonly charged: string; readonly refunded: string; readonly disputed: string; readonly fees: string; readonly paidOut: string; readonly other: string; readonly balance: string }
export const balanceSums = (all: readonly BalanceEntry[], currency: string): BalanceSums => {
  const of = (type: BalanceEntry['type']): string => Money.of(all.filter((one) => one.type === type).reduce((sum, { amountMinor }) => sum + amountMinor, 0n), currency).toString();
  const fees = all.reduce((sum, { feeMinor }) => sum + feeMinor, 0n) - all.filter(({ type }) => type === 'fee').reduce((sum, { amountMinor }) => sum + amountMinor, 0n);
  const balance = all.reduce((sum, { amountMinor, feeMinor }) => sum + amountMinor - feeMinor, 0n);
  return { charged: of('charge'), refunded: of('refund'), disputed: of('dispute'), fees: Money.of(fees, currency).toString(), paidOut: of('payout'), other: of('other'), balance: Money.of(balance, currency).toString() };
};
