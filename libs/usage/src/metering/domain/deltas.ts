import type { UsageEvent } from '../../ingest/domain/usage-event';
import { bucketOf } from './bucket';
import { groupsOf, looksAt, measure, type MeterRule } from './measure';
import { Cells } from './cells';

/** All subjects of a partition added up, so that a question about a whole tenant need not visit each of them. */
export const ALL_SUBJECTS = '';

/** What grows over time as one: a version of a meter for one subject, or for all, and one combination of its dimensions. */
export interface SeriesName {
  readonly tenant: string;
  readonly rule: MeterRule;
  readonly partition: number;
  readonly subject: string;
  readonly groups: string;
}
/** A series and its number, once that is known. */
export interface NumberedSeries extends SeriesName { number: number | undefined }
/** What the buckets of a series grow by: start of the bucket -> tally. `nth` counts the series of the partition in the order in which they came first. */
export interface SeriesDelta extends NumberedSeries { readonly cells: Cells; readonly nth: number }

/** None of the parts but the last can hold a line feed. */
export const seriesText = ({ tenant, rule, partition, subject, groups }: SeriesName): string => `${tenant}\n${rule.key}\n${rule.version}\n${partition}\n${subject}\n${groups}`;

/** The later of two events that claim one instant is the one with the greater source, then id. */
export const tieOf = ({ source, id }: Pick<UsageEvent, 'source' | 'id'>): string => `${source}\n${id}`;

/** Adds usage events of one partition up by series and bucket, in memory. */
export class Deltas {
  /** Rule -> combination of dimensions -> subject. A rule belongs to one tenant. */
  private readonly rows = new Map<MeterRule, Map<string, Map<string, SeriesDelta>>>();
  private count = 0;

  constructor(private readonly partition: number) {}

  /** Adds an event for each of its tenant's rules that looks at it; answers those for which its value is none. */
  add(tenant: string, event: UsageEvent, micros: number, rules: readonly MeterRule[]): readonly MeterRule[] {
    let invalid: MeterRule[] | undefined;
    for (const rule of rules) {
      if (!looksAt(rule, event.type, micros, event.data)) continue;
      const measured = measure(rule, event.data);
      if (measured === undefined) { (invalid ??= []).push(rule); continue; }
      const series = this.series(tenant, rule, groupsOf(rule, event.data), event.subject);
      series.cells.at(bucketOf(micros, rule.settings.bucketMicros), rule).add(measured.value, micros, rule.aggregation.fold === 'latest' ? tieOf(event) : '', measured.different);
    }
    return invalid ?? NONE;
  }

  /** Takes back an event that one rule has counted. Answers whether it can be taken back; a value that was chosen cannot, its bucket has to be counted anew. */
  take(tenant: string, event: UsageEvent, micros: number, rule: MeterRule): 'taken' | 'recount' | 'not_counted' {
    const measured = looksAt(rule, event.type, micros, event.data) ? measure(rule, event.data) : undefined;
    if (measured === undefined) return 'not_counted';
    if (rule.aggregation.fold !== 'add' && rule.aggregation.fold !== 'distinct') return 'recount';
    const series = this.series(tenant, rule, groupsOf(rule, event.data), event.subject);
    series.cells.at(bucketOf(micros, rule.settings.bucketMicros), rule).take(measured.value, micros, measured.different);
    return 'taken';
  }

  /** One after the other by rule and combination of dimensions, those of one in the order in which they came first. */
  get all(): SeriesDelta[] { return [...this.deltas()]; }

  /** The same, all subjects added up. Different values are not: they are counted from the subjects. */
  totals(): SeriesDelta[] {
    const totals = new Deltas(this.partition);
    for (const { tenant, rule, groups, cells } of this.deltas()) {
      if (rule.aggregation.fold === 'distinct') continue;
      const series = totals.series(tenant, rule, groups, ALL_SUBJECTS);
      for (const [bucket, tally] of cells) series.cells.at(bucket, rule).merge(tally);
    }
    return totals.all;
  }

  /** Forgets a series. */
  drop({ rule, groups, subject }: SeriesName): void { this.rows.get(rule)?.get(groups)?.delete(subject); }

  private * deltas(): Generator<SeriesDelta> { for (const ofRule of this.rows.values()) for (const ofGroups of ofRule.values()) yield* ofGroups.values(); }

  private series(tenant: string, rule: MeterRule, groups: string, subject: string): SeriesDelta {
    let ofRule = this.rows.get(rule);
    if (ofRule === undefined) this.rows.set(rule, ofRule = new Map());
    let ofGroups = ofRule.get(groups);
    if (ofGroups === undefined) ofRule.set(groups, ofGroups = new Map());
    let delta = ofGroups.get(subject);
    if (delta === undefined) ofGroups.set(subject, delta = { tenant, rule, partition: this.partition, subject, groups, number: undefined, cells: new Cells(), nth: this.count++ });
    return delta;
  }
}
const NONE: readonly MeterRule[] = [];
