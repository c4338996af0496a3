import { Decimal } from '@valueverse/kernel';
import type { DeclinedTry } from './retries';

/** A way to pay, as rules see it: `brand` is the network of a card. */
export interface Routable { readonly methodId: string; readonly provider: string; readonly brand?: string }
/** What is to be collected; the amount is a decimal of major units. */
export interface Collected { readonly amount: string; readonly currency: string }
/** Says that payments like this one go through a provider: those in a currency, of a card's network, from an amount on, and below another one. What it does not say fits always. */
export interface RoutingRule { readonly provider: string; readonly currency?: string; readonly brand?: string; readonly amountFrom?: string; readonly amountTo?: string }

const fits = (rule: RoutingRule, { provider, brand }: Routable, { amount, currency }: Collected): boolean =>
  rule.provider === provider && (rule.currency === undefined || rule.currency === currency) && (rule.brand === undefined || rule.brand === brand)
  && (rule.amountFrom === undefined || Decimal.parse(amount).compare(Decimal.parse(rule.amountFrom)) >= 0) && (rule.amountTo === undefined || Decimal.parse(amount).compare(Decimal.parse(rule.amountTo)) < 0);

/** The methods of an account in the order in which they are charged: those that the first rule fits, then those of the second one, and those that no rule fits last. Among equals the order stays: the default comes first. */
export const routed = <M extends Routable>(methods: readonly M[], rules: readonly RoutingRule[], what: Collected): readonly M[] => {
  const rank = (method: M): number => { const nth = rules.findIndex((rule) => fits(rule, method, what)); return nth === -1 ? rules.length : nth; };
  return methods.map((method, nth) => ({ method, nth, rank: rank(method) })).sort((a, b) => a.rank - b.rank || a.nth - b.nth).map(({ method }) => method);
};

/**
 * Who is asked in the place of a provider that has surely done nothing: the next method of the account at a provider that did not fail in the same way just before. `undefined` where there is none.
 * Never asked for an attempt of which somebody does not know what came of it: two providers share no key, and both would charge.
 */
export const failover = <M extends Routable>(earlier: readonly DeclinedTry[], failed: Routable, methods: readonly M[]): M | undefined => {
  const lately = earlier.slice(earlier.findLastIndex((one) => one.class !== 'technical') + 1).map(({ methodId }) => methodId);
  const silent = new Set([failed.provider, ...methods.filter(({ methodId }) => lately.includes(methodId)).map(({ provider }) => provider)]);
  const isOver = (method: M): boolean => earlier.some((one) => one.methodId === method.methodId && (one.class === 'hard' || one.class === 'fraud'));
  return methods.find((method) => !silent.has(method.provider) && !isOver(method));
};
