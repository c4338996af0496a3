import { microsNumberOfText, type Instant } from '@valueverse/kernel';
import type { Metrics } from '@valueverse/platform';

/** What became of the events of some envelopes, told when it is committed. */
export interface Metered {
  readonly counted: number;
  readonly duplicate: number;
  readonly conflict: number;
  readonly late: number;
  /** Once for each meter that leaves an event out. */
  readonly too_many_groups: number;
  /** When each envelope was received. */
  readonly received: readonly Instant[];
  /** Envelopes whose clock was too far ahead of the database's to be believed; and those that came more than a day behind other partitions. */
  readonly ahead: number;
  readonly behind: number;
}
/** Told of what comes in and of what is counted. */
export interface UsageMeter {
  ingested(accepted: number, rejected: number): void;
  metered(metered: Metered): void;
}

/** An event that came so long after it occurred may be after its invoice: the default grace period. */
export const LATE_MICROS = 3_600_000_000;
const MICROS = 1e6;
const LAG_BUCKETS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3_600];

export const usageMeter = (metrics: Metrics, now: () => Instant): UsageMeter => {
  const events = metrics.counter({
    subsystem: 'usage', what: 'events', labels: ['result'],
    help: 'Usage events: accepted or rejected when they came in; then counted, duplicate or conflict when metering has read them; late: counted more than an hour after they occurred; too_many_groups: left out by a meter, because their subjects have too many combinations of dimensions',
  });
  const lag = metrics.histogram({ subsystem: 'usage', what: 'lag', unit: 'seconds', help: 'From the receipt of an envelope of usage events until it is counted', buckets: LAG_BUCKETS });
  const offClock = metrics.counter({ subsystem: 'usage', what: 'off_clock_envelopes', labels: ['clock'], help: "Envelopes of usage events that were recorded by a clock that cannot or may not be right: ahead of the database's by more than five minutes, or that came more than a day behind what was read of other partitions" });
  return {
    ingested: (accepted, rejected) => {
      events.inc({ result: 'accepted' }, accepted);
      events.inc({ result: 'rejected' }, rejected);
    },
    metered: ({ received, ahead, behind, ...results }) => {
      offClock.inc({ clock: 'ahead' }, ahead);
      offClock.inc({ clock: 'behind' }, behind);
      for (const [result, count] of Object.entries(results)) events.inc({ result }, count);
      const micros = microsNumberOfText(now());
      for (const at of received) lag.observe(Math.max(0, micros - microsNumberOfText(at)) / MICROS);
    },
  };
};
