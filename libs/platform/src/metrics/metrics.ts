import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';

/** A metric's name in parts: `valueverse_<subsystem>_<what>_<unit>`. */
export interface MetricName<Label extends string> {
  readonly subsystem: string;
  readonly what: string;
  /** A base unit: `seconds`, `bytes`; none for plain counts. */
  readonly unit?: 'seconds' | 'bytes' | 'ratio';
  readonly help: string;
  readonly labels?: readonly Label[];
}

const PART = /^[a-z][a-z0-9]*(_[a-z0-9]+)*$/;
/** Each value of a label is a series that is kept for ever, and personal data has no place here. */
const FORBIDDEN_LABELS = /(^|_)(id|customer|subscription|subject|event|email|tenant)$/;
/** Whoever scrapes waits ten seconds at most. */
const REFRESH_TIMEOUT_MS = 5_000;
export const SECONDS_BUCKETS: readonly number[] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** The metrics of a process. Asking for a metric twice gives the same one, so that services of one process share it. */
export class Metrics {
  readonly registry = new Registry();
  private readonly known = new Map<string, unknown>();
  private readonly refreshers: (() => Promise<void>)[] = [];

  /** Registers what is measured when somebody asks, such as counts in a database. */
  beforeScrape(refresh: () => Promise<void>): void { this.refreshers.push(refresh); }

  /** The text of all metrics. A refresher that fails, or takes too long, leaves its metrics as they were. */
  async text(): Promise<string> {
    let timer: NodeJS.Timeout | undefined;
    const tooLong = new Promise<void>((resolve) => { timer = setTimeout(resolve, REFRESH_TIMEOUT_MS); });
    await Promise.race([Promise.allSettled(this.refreshers.map((refresh) => refresh())), tooLong]);
    clearTimeout(timer);
    return this.registry.metrics();
  }

  /** Adds what Node says of itself: memory, event loop, garbage collection. */
  collectProcess(): void {
    collectDefaultMetrics({ register: this.registry });
  }

  counter<Label extends string = never>(name: MetricName<Label>): Counter<Label> {
    return this.once(name, '_total', (full) => new Counter({ name: full, help: name.help, labelNames: name.labels ?? [], registers: [this.registry] }));
  }

  gauge<Label extends string = never>(name: MetricName<Label>): Gauge<Label> {
    return this.once(name, '', (full) => new Gauge({ name: full, help: name.help, labelNames: name.labels ?? [], registers: [this.registry] }));
  }

  histogram<Label extends string = never>(name: MetricName<Label> & { buckets?: readonly number[] }): Histogram<Label> {
    const buckets = [...(name.buckets ?? SECONDS_BUCKETS)];
    return this.once(name, '', (full) => new Histogram({ name: full, help: name.help, labelNames: name.labels ?? [], buckets, registers: [this.registry] }));
  }

  private once<Label extends string, M>(name: MetricName<Label>, suffix: string, make: (full: string) => M): M {
    const parts = [name.subsystem, name.what, ...(name.unit ? [name.unit] : [])];
    const full = `valueverse_${parts.join('_')}${suffix}`;
    if (!parts.every((part) => PART.test(part))) throw new Error(`${full} is not the name of a metric`);
    const forbidden = name.labels?.find((label) => FORBIDDEN_LABELS.test(label));
    if (forbidden) throw new Error(`${full} may not have the label ${forbidden}`);
    const known = this.known.get(full) as M | undefined;
    if (known) return known;
    const made = make(full);
    this.known.set(full, made);
    return made;
  }
}
