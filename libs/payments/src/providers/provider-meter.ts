import type { Metrics } from '@valueverse/platform';
import type { ProviderAnswer } from './provider';

/** Told of each question to a provider: what it answered, or that it did not. */
export type ProviderMeter = (provider: string, operation: 'charge' | 'find', answer: ProviderAnswer | undefined | 'lost', seconds: number) => void;

/** What an answer is counted as; `none`: the provider knows nothing under the key. */
const outcomeOf = (answer: Parameters<ProviderMeter>[2]): { outcome: string; decline_class: string } => {
  if (answer === 'lost' || answer === undefined) return { outcome: answer ?? 'none', decline_class: '' };
  return { outcome: answer.status, decline_class: answer.status === 'declined' ? answer.class : '' };
};

export const providerMeter = (metrics: Metrics): ProviderMeter => {
  const answers = metrics.counter({ subsystem: 'payments', what: 'answers', help: 'What providers answered, with the class of a decline; lost: no answer came', labels: ['provider', 'operation', 'outcome', 'decline_class'] });
  const times = metrics.histogram({ subsystem: 'payments', what: 'provider', unit: 'seconds', help: 'How long providers take to answer', labels: ['provider', 'operation'] });
  return (provider, operation, answer, seconds) => {
    answers.inc({ provider, operation, ...outcomeOf(answer) });
    times.observe({ provider, operation }, seconds);
  };
};
