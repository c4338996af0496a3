import type { Metrics } from '../metrics/metrics';

/** Told of each run of a job: how it ended and how long it took. */
export type JobMeter = (kind: string, outcome: 'done' | 'wait' | 'failed' | 'lost', seconds: number) => void;

export const jobMeter = (metrics: Metrics): JobMeter => {
  const runs = metrics.histogram({ subsystem: 'jobs', what: 'run', unit: 'seconds', help: 'Runs of jobs: done, waiting for something, failed, or lost to another runner', labels: ['kind', 'outcome'] });
  return (kind, outcome, seconds) => runs.observe({ kind, outcome }, seconds);
};
