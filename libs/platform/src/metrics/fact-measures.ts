import type { DomainEvent, EncodedFact } from '@valueverse/event-log';
import type { MetricName, Metrics } from './metrics';

/** A counter that moves with facts: once for each that is appended and committed. */
export interface FactMeasure {
  readonly metric: MetricName<string>;
  /** What a fact is counted under, by the name of its event; others are not counted. */
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- each has the type of its own event
  readonly on: Readonly<Record<string, (event: any) => Readonly<Record<string, string>>>>;
}

/** Counts the facts of a service by their names, and those that its contexts want to see counted in words of their own. */
export const countFacts = (metrics: Metrics, service: string, measures: readonly FactMeasure[]): ((facts: readonly EncodedFact[]) => void) => {
  const all = metrics.counter({ subsystem: 'log', what: 'facts', help: 'Facts that were appended, by the name of their event', labels: ['service', 'name'] });
  const counters = measures.map(({ metric, on }) => ({ counter: metrics.counter(metric), on }));
  const count = (event: DomainEvent): void => {
    all.inc({ service, name: event.type });
    for (const { counter, on } of counters) {
      const labels = on[event.type]?.(event);
      if (labels !== undefined) counter.inc(labels);
    }
  };
  return (facts) => { for (const { event } of facts) count(event); };
};
