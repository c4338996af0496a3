import { oracleElapsed, type OraclePeriod } from './oracle-fees';
import { ratio, rounded, times, type Ratio } from './ratio';

/** A fee of a plan, in cents for a whole period. */
export interface OracleLifeFee { readonly key: string; readonly cents: number; readonly isPerSeat: boolean }
export interface OracleLifePlan {
  /** The name of the interval that its periods are of. */
  readonly interval: string;
  readonly fees: readonly OracleLifeFee[];
  /** What so many calls cost in cents. */
  readonly usage: (calls: number) => number;
}
/** How a subscription is from an instant on. `by` is how the change at that instant splits a period. */
export interface OracleState { readonly at: string; readonly isOn: boolean; readonly plan: string; readonly seats: number; readonly extras: readonly string[]; readonly by: 'day' | 'second' }
export interface OracleLife {
  readonly zone: string;
  /** In order. */
  readonly states: readonly OracleState[];
  /** The instants of its usage. */
  readonly calls: readonly string[];
  readonly plans: Readonly<Record<string, OracleLifePlan>>;
  /** Add-ons: cents for a period of the plan. */
  readonly extras: Readonly<Record<string, number>>;
  /** The periods of each interval, from the start to the end. */
  readonly periods: Readonly<Record<string, readonly OraclePeriod[]>>;
}

interface Stretch { readonly from: string; to: string }
const isLater = (left: string, right: string): boolean => Date.parse(left) > Date.parse(right);

/** The times in which something is the same in a period, joined where they touch: its name -> from and to. */
const stretches = (states: readonly OracleState[], period: OraclePeriod, namesOf: (state: OracleState) => readonly string[]): Map<string, Stretch[]> => {
  const all = new Map<string, Stretch[]>();
  for (const [nth, state] of states.entries()) {
    const from = isLater(state.at, period.from) ? state.at : period.from;
    const next = states[nth + 1]?.at ?? period.to;
    const to = isLater(period.to, next) ? next : period.to;
    if (!state.isOn || !isLater(to, from)) continue;
    for (const name of namesOf(state)) {
      const own = all.get(name) ?? [];
      const last = own.at(-1);
      if (last?.to === from) last.to = to;
      else own.push({ from, to });
      all.set(name, own);
    }
  }
  return all;
};

/** What of a fee of a whole period is over at an instant, rounded to the cent. */
const over = (cents: number, elapsed: Ratio): number => Number(rounded(times(ratio(BigInt(cents)), elapsed), 0, 'half_up').over);

/**
 * What a life costs in all, charge by charge, in cents. Each fee of each period is charged for the times in which it was the same, each stretch of usage on a plan by its own tiers. It knows nothing of invoices, of what is
 * paid in advance, or of what is given back, and shares no code with what it checks.
 */
export const oracleLife = ({ zone, states, calls, plans, extras, periods }: OracleLife): Record<string, number> => {
  const costs = new Map<string, number>();
  const add = (key: string, cents: number): void => { costs.set(key, (costs.get(key) ?? 0) + cents); };
  const byAt = (instant: string): OracleState['by'] => states.find(({ at }) => at === instant)?.by ?? 'day';
  for (const [interval, all] of Object.entries(periods)) {
    const isOf = ({ plan }: OracleState): boolean => plans[plan]!.interval === interval;
    for (const period of all) {
      const fees = stretches(states, period, (state) => (!isOf(state) ? [] : [
        ...plans[state.plan]!.fees.map(({ key, cents, isPerSeat }) => `${key} ${isPerSeat ? cents * state.seats : cents} ${isPerSeat ? state.seats : ''}`), ...state.extras.map((key) => `${key} ${extras[key]}`),
      ]));
      const elapsed = (instant: string): Ratio => (instant === period.from ? ratio(0n) : instant === period.to ? ratio(1n) : oracleElapsed(byAt(instant), period, instant, zone));
      for (const [name, own] of fees) {
        const [key, cents] = name.split(' ') as [string, string];
        // Within one day, where one end goes by days and the other by seconds, nothing is left.
        for (const { from, to } of own) add(key, Math.max(0, over(Number(cents), elapsed(to)) - over(Number(cents), elapsed(from))));
      }
      for (const [plan, own] of stretches(states, period, (state) => (isOf(state) ? [state.plan] : [])))
        for (const { from, to } of own) add('calls', plans[plan]!.usage(calls.filter((time) => !isLater(from, time) && isLater(to, time)).length));
    }
  }
  return Object.fromEntries([...costs].filter(([, cents]) => cents !== 0).sort());
};
