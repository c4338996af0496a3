import type { Metrics } from '@valueverse/platform';

/** What is asked of providers. */
export type ProviderOperation = 'customer' | 'attach' | 'setup' | 'read_setup' | 'portal' | 'method' | 'detach' | 'chosen_method' | 'charge' | 'find' | 'read' | 'confirm' | 'cancel' | 'refund' | 'find_refund' | 'refunds' | 'dispute' | 'disputes' | 'payout' | 'payouts' | 'lines_of' | 'balance';
/** The breaker of a provider: `open` asks nothing, `half_open` tries one. */
export type BreakerState = 'closed' | 'half_open' | 'open';

/** Told of what providers answer, and of how the guard before them stands. */
export interface ProviderMeter {
  answered(provider: string, operation: ProviderOperation, answer: { readonly status: string; readonly class?: string }, seconds: number): void;
  retried(provider: string, operation: ProviderOperation): void;
  turnedAway(provider: string, why: 'breaker' | 'bulkhead'): void;
  breaker(provider: string, state: BreakerState): void;
}
const STATES: Readonly<Record<BreakerState, number>> = { closed: 0, half_open: 1, open: 2 };

export const providerMeter = (metrics: Metrics): ProviderMeter => {
  const answers = metrics.counter({ subsystem: 'payments', what: 'answers', help: 'What providers answered, with the class of a decline; unknown: no answer came; unavailable: nothing was done', labels: ['provider', 'operation', 'outcome', 'decline_class'] });
  const times = metrics.histogram({ subsystem: 'payments', what: 'provider', unit: 'seconds', help: 'How long providers take to answer', labels: ['provider', 'operation'] });
  const retries = metrics.counter({ subsystem: 'payments', what: 'provider_retries', help: 'Questions to providers that were asked again at once, because nothing had been done', labels: ['provider', 'operation'] });
  const turned = metrics.counter({ subsystem: 'payments', what: 'provider_turned_away', help: 'Questions to providers that were not asked: the breaker was open, or too many were under way', labels: ['provider', 'why'] });
  const breakers = metrics.gauge({ subsystem: 'payments', what: 'provider_breaker', help: '0: a provider is asked; 1: it is tried with one question; 2: it is left alone', labels: ['provider'] });
  return {
    answered: (provider, operation, { status, class: declineClass }, seconds) => {
      answers.inc({ provider, operation, outcome: status, decline_class: declineClass ?? '' });
      times.observe({ provider, operation }, seconds);
    },
    retried: (provider, operation) => retries.inc({ provider, operation }),
    turnedAway: (provider, why) => turned.inc({ provider, why }),
    breaker: (provider, state) => breakers.set({ provider }, STATES[state]),
  };
};
